"""Any folder of audio, as 16 kHz wav files and two manifests.

Authors
 * The MLKD team 2026
"""

import hashlib
import pathlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pandas
import soundfile
import torch
from mlkd_brain.audio import (
    SAMPLE_RATE,
    SUFFIXES,
    find_recordings,
    read_checked,
)
from mlkd_brain.errors import InputError
from mlkd_brain.files import (
    locked,
    refuse_unwritable,
    replaced_folder,
    write_csv,
    write_text,
)
from mlkd_brain.fingerprint import fingerprint
from tqdm import tqdm

from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)
SHORTEST_SECONDS = 0.5
FINGERPRINT = "fingerprint"  # file: of the recordings that were prepared


def prepare_speech(
    data_folder, prepared_folder, output_folder, valid_share, skip_prep=False
):
    """Convert every recording once, and divide them into two parts.

    Arguments
    ---------
    data_folder : str or pathlib.Path
        Audio at any depth, in any format and rate that libsndfile reads.
    prepared_folder : str or pathlib.Path
        Receives ``wav/*.wav``, ``train.csv`` and ``valid.csv``; replaced as a
        whole, unless it was made from the same recordings.
    output_folder : str or pathlib.Path
        Of the run; its file ``speech`` has the recordings' fingerprint.
    valid_share : float
        Share of the recordings for validation, in (0, 1); they are chosen by
        their names alone.
    skip_prep : bool
        Whether to take ``prepared_folder`` as it is.

    Raises
    ------
    InputError
        If there are fewer than two recordings, two of one name, one that cannot
        be read, or none prepared to be taken as they are; or if the run began
        with other recordings or another ``valid_share``.
    """
    prepared_folder = pathlib.Path(prepared_folder)
    if not 0 < valid_share < 1:
        raise InputError(
            f"valid_share is {valid_share}; give a share between 0 and 1."
        )
    if skip_prep:
        _refuse_unprepared(prepared_folder)
        name = (prepared_folder / FINGERPRINT).read_text()
        _refuse_other_recordings(name, output_folder)
        return
    data_folder = pathlib.Path(data_folder)
    recordings = _recordings(data_folder)
    sizes = {  # by relative name: the folder may move
        str(path.relative_to(data_folder)): path.stat().st_size
        for path in recordings
    }
    name = fingerprint([valid_share, sizes])
    _refuse_other_recordings(name, output_folder)
    with locked(prepared_folder):
        made = prepared_folder / FINGERPRINT
        if made.is_file() and made.read_text() == name:
            return
        with replaced_folder(prepared_folder) as unfinished:
            _convert_all(recordings, data_folder, unfinished)
            _divide(unfinished, valid_share)
            (unfinished / FINGERPRINT).write_text(name)


def _refuse_other_recordings(name, output_folder):
    before = pathlib.Path(output_folder) / "speech"
    if before.is_file() and before.read_text() != name:
        raise InputError(
            f"{output_folder} learned from other recordings, or with another "
            "valid_share. Give this run a name of its own with --system, or "
            "delete that folder."
        )
    before.parent.mkdir(parents=True, exist_ok=True)
    write_text(name, before)


def _refuse_unprepared(prepared_folder):
    for name in ("train.csv", "valid.csv", FINGERPRINT):
        if not (prepared_folder / name).is_file():
            raise InputError(
                f"prepared_folder '{prepared_folder}' has no {name}; leave "
                "--skip_prep out, so that it is made."
            )


def _name(path, data_folder):
    return "-".join(path.relative_to(data_folder).with_suffix("").parts)


def _recordings(data_folder):
    found, passed_over = find_recordings(data_folder, "**/*")
    if len(found) < 2:
        raise InputError(
            f"data_folder '{data_folder}' holds {len(found)} recordings "
            f"({', '.join(sorted(SUFFIXES))}), and at least 2 are needed; give a "
            "folder of speech with --data_folder."
        )
    if passed_over:
        logger.warning(passed_over)
    by_name = {}
    for path in found:
        refuse_unwritable(path.stem, path)
        other = by_name.setdefault(_name(path, data_folder), path)
        if other is not path:
            raise InputError(
                f"{other} and {path} would get one name; rename one of them."
            )
    return found


def _convert_all(recordings, data_folder, folder):
    (folder / "wav").mkdir()
    convert = partial(_convert, data_folder=data_folder, folder=folder)
    with ProcessPoolExecutor() as pool:
        rows = list(
            tqdm(
                pool.map(convert, recordings, chunksize=32),
                total=len(recordings),
                desc="converting to 16 kHz",
            )
        )
    kept = [row for row in rows if row["duration"] >= SHORTEST_SECONDS]
    if len(kept) < len(rows):
        logger.warning(
            f"{len(rows) - len(kept)} recordings below {SHORTEST_SECONDS} s "
            "are left out."
        )
    if len(kept) < 2:
        raise InputError(
            f"data_folder '{data_folder}' holds {len(kept)} recordings of at "
            f"least {SHORTEST_SECONDS} s, and at least 2 are needed."
        )
    write_csv(pandas.DataFrame(kept), folder / "all.csv")


def _convert(path, data_folder, folder):
    torch.set_num_threads(1)
    waveform = read_checked(path, shortest_seconds=0.001)
    name = _name(path, data_folder)
    soundfile.write(
        folder / "wav" / f"{name}.wav", waveform.clamp(-1, 1), SAMPLE_RATE
    )
    return {
        "ID": name,
        "duration": round(len(waveform) / SAMPLE_RATE, 4),
        "wav": f"$data_root/wav/{name}.wav",
    }


def _divide(folder, valid_share):
    table = pandas.read_csv(
        folder / "all.csv", dtype={"ID": str}, keep_default_na=False
    )
    ranks = [  # in [0, 1), by name
        int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8
        for name in table["ID"]
    ]
    count = min(max(1, round(valid_share * len(table))), len(table) - 1)
    valid = pandas.Series(ranks).rank(method="first") <= count
    write_csv(table[valid.values], folder / "valid.csv")
    write_csv(table[~valid.values], folder / "train.csv")
