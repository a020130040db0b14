"""Manifests of a corpus, one a speaker, and their checks.

A manifest is a CSV with one row an utterance. Reading one imports no torch.

Authors
 * The MLKD team 2026
"""

import json
import logging
import pathlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

import pandas
from tqdm import tqdm

from mlkd_brain.audio import SAMPLE_RATE, read_checked, silence
from mlkd_brain.errors import InputError
from mlkd_brain.files import (
    locked,
    refuse_unwritable,
    replaced_folder,
    write_json,
)
from mlkd_brain.fingerprint import fingerprint, fingerprint_code
from mlkd_brain.noise.levels import WEIGHTINGS, speech_level

logger = logging.getLogger(__name__)
#: Columns that a preparer fills in without opening the recording.
DESCRIPTION = ["ID", "wav", "spk_id", "session", "gender", "style", "emo"]
LEVELS = [f"level_{weighting}" for weighting in WEIGHTINGS]  # dBov
COLUMNS = ["ID", "duration", *DESCRIPTION[1:], *LEVELS]
SOURCE = "manifests.json"  # what the manifests were made from


def write_manifests(
    utterances: Sequence[dict[str, Any]],
    data_folder: str | pathlib.Path,
    manifest_folder: str | pathlib.Path,
) -> None:
    """Measure every recording and write one CSV for each speaker.

    Nothing is written unless every recording can be used. When the same
    recordings were measured before, nothing is done.

    Arguments
    ---------
    utterances : list of dict
        One for each utterance, with the keys of ``DESCRIPTION``; ``wav`` is
        relative to ``data_folder``.
    data_folder : str or pathlib.Path
        Root of the corpus.
    manifest_folder : str or pathlib.Path
        Where ``<spk_id>.csv`` go; replaced as a whole.

    Raises
    ------
    InputError
        If recordings are missing or damaged: all of them are named.
    """
    data_folder = pathlib.Path(data_folder)
    manifest_folder = pathlib.Path(manifest_folder)
    utterances = sorted(utterances, key=lambda row: row["ID"])
    for row in utterances:
        for key in DESCRIPTION:
            refuse_unwritable(row[key], f"{data_folder}: {key} of {row['wav']}")
    utterances = [as_found(row, data_folder) for row in utterances]
    _refuse_missing(utterances, data_folder)
    source = _source(utterances, data_folder)
    with locked(manifest_folder):
        if _read_source(manifest_folder) != source:
            table = _measure_all(utterances, data_folder)
            _write_speakers(table, source, manifest_folder)


def as_found(
    utterance: dict[str, Any], data_folder: str | pathlib.Path
) -> dict[str, Any]:
    """An utterance whose recording may have its suffix in other letters.

    Arguments
    ---------
    utterance : dict
        With ``wav``, relative to ``data_folder``.
    data_folder : str or pathlib.Path
        Root of the corpus.

    Returns
    -------
    dict
        With ``wav`` as it is there; unchanged if it is not.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "a.WAV").touch()
    >>> as_found({"wav": "a.wav"}, folder)
    {'wav': 'a.WAV'}
    """
    wav = pathlib.PurePath(utterance["wav"])
    for suffix in (wav.suffix, wav.suffix.upper(), wav.suffix.lower()):
        if (pathlib.Path(data_folder) / wav.with_suffix(suffix)).is_file():
            return {**utterance, "wav": str(wav.with_suffix(suffix))}
    return utterance


def _write_speakers(table, source, manifest_folder):
    table["wav"] = "$data_root/" + table["wav"]
    with replaced_folder(manifest_folder) as folder:
        for speaker, part in table.groupby("spk_id"):
            part.to_csv(folder / f"{quote(speaker, safe='')}.csv", index=False)
        write_json(source, folder / SOURCE)


def read_manifest(
    path: str | pathlib.Path, emotions: Sequence[str] | None = None
) -> pandas.DataFrame:
    """Read one manifest and check its columns, IDs, emotions and durations.

    Arguments
    ---------
    path : str or pathlib.Path
        A CSV with the columns of ``COLUMNS``.
    emotions : list of str, optional
        Emotions that may occur.

    Raises
    ------
    InputError
        Naming file, row and key.
    """
    try:
        # names are text, "NA" and "1e3" too
        table = pandas.read_csv(
            path, dtype=dict.fromkeys(DESCRIPTION, str), keep_default_na=False
        )
    except (OSError, pandas.errors.ParserError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as a manifest ({error}); delete its folder "
            "and run again to have it made anew."
        ) from None
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}; a manifest has "
            f"{', '.join(COLUMNS)}. Add it, or delete the manifest's folder and "
            "run again."
        )
    for name in ("duration", *LEVELS):
        table[name] = pandas.to_numeric(table[name], errors="coerce")
    repeated = table["ID"][table["ID"].duplicated()]
    if len(repeated):
        raise InputError(
            f"{path}: ID {repeated.iloc[0]} occurs twice; IDs are unique. "
            "Delete one of the rows."
        )
    for row in table.itertuples():
        if emotions is not None and row.emo not in emotions:
            raise InputError(
                f"{path}: utterance {row.ID} has the unknown emotion "
                f"'{row.emo}', expected one of {list(emotions)}; mend the row or "
                "the key `emotions` of the yaml."
            )
        if not row.duration > 0:
            raise InputError(
                f"{path}: utterance {row.ID} has the duration {row.duration}; "
                "durations are seconds above 0. Delete the row."
            )
    return table


def read_speakers(
    manifest_folder: str | pathlib.Path, emotions: Sequence[str] | None = None
) -> dict[str, pandas.DataFrame]:
    """Read the manifests of all speakers: speaker to manifest, sorted.

    Arguments
    ---------
    manifest_folder : str or pathlib.Path
        Written by ``write_manifests``.
    emotions : list of str, optional
        Emotions that may occur.

    Raises
    ------
    InputError
        If there are none, or one is damaged.
    """
    paths = sorted(pathlib.Path(manifest_folder).glob("*.csv"))
    if not paths:
        raise InputError(
            f"{manifest_folder}: holds no manifest; run without --skip_prep to "
            "have them made from the corpus."
        )
    tables = {unquote(p.stem): read_manifest(p, emotions) for p in paths}
    return dict(sorted(tables.items()))


def _measure_all(utterances, data_folder):
    rows, damaged, silent = [], [], []
    for row in tqdm(utterances, desc="measuring speech levels", unit="utt"):
        try:
            waveform = read_checked(data_folder / row["wav"])
        except InputError as error:
            damaged.append(str(error))
            continue
        rows.append({**row, **_measure(waveform)})
        if silence(waveform):
            silent.append(row["wav"])
    if damaged:
        more = f" ({len(damaged)} such files)" if len(damaged) > 1 else ""
        raise InputError(" | ".join(damaged[:5]) + more)
    if silent:
        logger.warning(
            f"{data_folder}: {len(silent)} recordings are silent, such as "
            f"{silent[0]}: there is no speech, or channels that cancel."
        )
    return pandas.DataFrame(rows)[COLUMNS]


def _measure(waveform):
    levels = {
        f"level_{weighting}": round(
            speech_level(waveform.numpy(), weighting, SAMPLE_RATE), 4
        )
        for weighting in WEIGHTINGS
    }
    return {"duration": round(len(waveform) / SAMPLE_RATE, 6), **levels}


def _refuse_missing(utterances, data_folder):
    missing = [
        row["wav"]
        for row in utterances
        if not (data_folder / row["wav"]).is_file()
    ]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InputError(
            f"{data_folder}: {len(missing)} recordings of the annotation are "
            f"missing: {shown}; restore them from the corpus."
        )


def _source(utterances, data_folder):
    """What the manifests depend on: annotation, recordings, level meters."""
    status = [(data_folder / row["wav"]).stat() for row in utterances]
    recordings = [[s.st_size, s.st_mtime_ns] for s in status]
    return {
        "data_folder": str(data_folder.resolve()),
        "utterances": len(utterances),
        "recordings": fingerprint([COLUMNS, utterances, recordings]),
        "code": fingerprint_code("noise"),
    }


def _read_source(manifest_folder):
    try:
        return json.loads((manifest_folder / SOURCE).read_text())
    except (OSError, ValueError):
        return None
