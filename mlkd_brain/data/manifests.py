"""Manifests of a corpus, one a speaker, and their checks.

A manifest is a CSV with one row an utterance. Reading one imports no torch.

Authors
 * The MLKD team 2026
"""

import json
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote, unquote

import pandas
from mlkd_brain.audio import LIBRARIES, SAMPLE_RATE, read_checked, silence
from mlkd_brain.data.recordings import RecordingIndex
from mlkd_brain.errors import InputError
from mlkd_brain.files import locked, replaced_folder, write_json
from mlkd_brain.fingerprint import fingerprint, provenance
from mlkd_brain.noise.levels import WEIGHTINGS, speech_level
from mlkd_brain.schema import STRICT, Schema, shown, unit
from pydantic import AfterValidator, Field
from tqdm import tqdm
from typing_extensions import TypedDict

logger = logging.getLogger(__name__)
#: Columns that a preparer fills in without opening the recording.
DESCRIPTION = ["ID", "wav", "spk_id", "session", "gender", "style", "emo"]
LEVELS = [f"level_{weighting}" for weighting in WEIGHTINGS]  # dBov
COLUMNS = ["ID", "duration", *DESCRIPTION[1:], *LEVELS]
FOLD = "fold"  # optional: speakers who are held out together
SOURCE = "manifests.json"  # what the manifests were made from
INDEX = "recordings.json"  # what was found in the recordings
ROOT = "$data_root"  # begins each path, in the place of the data_folder
LONGEST = 4096  # characters of a value; CSV readers take 131072
NAME_BYTES = 200  # of a name that becomes one of a file, which has 255


def _of_a_file(name):
    if len(quote(name, safe="").encode()) > NAME_BYTES:
        raise ValueError(
            f"is too long: {shown(name)}; files are called after it, so that it "
            f"has at most {NAME_BYTES} bytes"
        )
    return name


Text = Annotated[
    str, Field(min_length=1, max_length=LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$")
]
FileName = Annotated[Text, AfterValidator(_of_a_file)]
Level = Annotated[float, Field(ge=-200, le=100), unit("dBov")]


class Row(TypedDict, total=False):
    """Columns of a manifest."""

    __pydantic_config__ = STRICT  # type: ignore
    ID: Text
    duration: Annotated[float, Field(gt=0, le=100_000), unit("s")]
    wav: Text
    spk_id: FileName
    emo: Text
    level_none: Level
    level_band_4khz: Level
    level_g712: Level


ROW = Schema(Row)


def write_manifests(
    utterances: Sequence[dict[str, Any]],
    data_folder: str | pathlib.Path,
    manifest_folder: str | pathlib.Path,
) -> None:
    """Measure every recording and write one CSV for each speaker.

    Nothing is written unless every recording can be used. When the same
    samples were measured before, by the same code, nothing is done.

    Arguments
    ---------
    utterances : list of dict
        One for each utterance, with the keys of ``DESCRIPTION`` and perhaps
        ``fold``; ``wav`` is relative to ``data_folder``, or absolute.
    data_folder : str or pathlib.Path
        Root of the corpus.
    manifest_folder : str or pathlib.Path
        Where ``<spk_id>.csv`` go; replaced as a whole.

    Raises
    ------
    InputError
        If two utterances have one ID, or recordings are missing or damaged: all
        of them are named.
    """
    data_folder = pathlib.Path(data_folder)
    manifest_folder = pathlib.Path(manifest_folder)
    utterances = sorted(utterances, key=lambda row: row["ID"])
    utterances = [as_found(row, data_folder) for row in utterances]
    _refuse_bad(utterances, data_folder)
    _refuse_missing(utterances, data_folder)
    with locked(manifest_folder):
        index = RecordingIndex(manifest_folder / INDEX)
        source = _source(utterances, data_folder, index)
        if _read_source(manifest_folder) != source:
            table = _measure_all(utterances, data_folder)
            _write_speakers(table, source, manifest_folder)
        index.save()


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
    if not wav.name:  # "." or "/": no recording, as is said later
        return utterance
    for suffix in (wav.suffix, wav.suffix.upper(), wav.suffix.lower()):
        if (pathlib.Path(data_folder) / wav.with_suffix(suffix)).is_file():
            return {**utterance, "wav": str(wav.with_suffix(suffix))}
    return utterance


def _write_speakers(table, source, manifest_folder):
    inside = ~table["wav"].map(os.path.isabs).astype(bool)
    table.loc[inside, "wav"] = f"{ROOT}/" + table["wav"]
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
    table = read_table(
        path, "Delete its folder and run again to have it made anew."
    )
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}; a manifest has "
            f"{', '.join(COLUMNS)}. Add it, or delete the manifest's folder and "
            "run again."
        )
    repeated = table["ID"][table["ID"].duplicated()]
    if len(repeated):
        raise InputError(
            f"{path}: ID {repeated.iloc[0]} occurs twice; IDs are unique. "
            "Delete one of the rows."
        )
    for name in ("duration", *LEVELS):
        numbers = pandas.to_numeric(table[name], errors="coerce")
        # what is no number stays text, which the schema then names
        table[name] = numbers if numbers.notna().all() else table[name]
    check_rows(table, path)
    unknown = table[~table["emo"].isin(emotions or table["emo"])]
    if len(unknown):
        row = unknown.iloc[0]
        raise InputError(
            f"{path}: utterance {row['ID']} has the unknown emotion "
            f"'{row['emo']}', expected one of {list(emotions or ())}; mend the "
            "row or the key `emotions` of the yaml."
        )
    return table


def read_table(path: str | pathlib.Path, remedy: str) -> pandas.DataFrame:
    """Read a CSV in which every value is text, "NA" and "1e3" too.

    Arguments
    ---------
    path : str or pathlib.Path
        The file.
    remedy : str
        End of the message if it cannot be read.

    Raises
    ------
    InputError
        If it is no file, cannot be parsed, or has no rows.
    """
    try:
        # a named pipe would be waited for
        if pathlib.Path(path).exists() and not pathlib.Path(path).is_file():
            raise OSError("it is a folder, or no ordinary file")
        table = pandas.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, pandas.errors.ParserError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be read as CSV ({reason}). {remedy}"
        ) from None
    if table.empty:
        raise InputError(f"{path}: has no rows, only a header. {remedy}")
    return table


def check_rows(table: pandas.DataFrame, path: str | pathlib.Path) -> None:
    """Refuse values that a manifest cannot have; by ``Row``.

    Arguments
    ---------
    table : pandas.DataFrame
        Columns that ``Row`` does not know are texts.
    path : str or pathlib.Path
        The file, whose row 1 is the header.

    Raises
    ------
    InputError
        Naming file, row and column.
    """
    rows = table.to_dict("records")
    for number, row in enumerate(rows, start=2):
        where = f"{path}, row {number}: "
        ROW.check(row, "Mend the row, or delete it.", where)
        for name, value in row.items():
            if isinstance(value, str) and len(value) > LONGEST:
                raise InputError(
                    f"{where}{name} has {len(value)} characters, at most "
                    f"{LONGEST} are allowed. Shorten it."
                )


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
    table = pandas.DataFrame(rows)
    return table[[*COLUMNS, *([FOLD] if FOLD in table else [])]]


def _measure(waveform):
    levels = {
        f"level_{weighting}": round(
            speech_level(waveform.numpy(), weighting, SAMPLE_RATE), 4
        )
        for weighting in WEIGHTINGS
    }
    return {"duration": round(len(waveform) / SAMPLE_RATE, 6), **levels}


def _refuse_bad(utterances, data_folder):
    """Before minutes of measuring."""
    for before, row in zip([{}, *utterances], utterances):
        where = f"{data_folder}, {row['wav']}: "
        ROW.check(row, "Rename it.", where)
        if before.get("ID") == row["ID"]:
            raise InputError(
                f"{where}has the ID {row['ID']}, as {before['wav']} has; IDs "
                "are unique. Rename one of them."
            )


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


def _source(utterances, data_folder, index):
    """What the manifests depend on: annotation, recordings, level meters."""
    samples = index.checksums(
        {row["wav"]: data_folder / row["wav"] for row in utterances}
    )
    return provenance(
        "noise",
        libraries=("numpy", "scipy", *LIBRARIES),
        data_folder=str(data_folder.resolve()),
        utterances=len(utterances),
        recordings=fingerprint([COLUMNS, utterances, samples]),
    )


def recordings_of(manifest_folder: str | pathlib.Path) -> str | None:
    """Fingerprint of the annotation and all samples that manifests describe.

    Arguments
    ---------
    manifest_folder : str or pathlib.Path
        Written by ``write_manifests``; None if by something else.
    """
    source = _read_source(pathlib.Path(manifest_folder)) or {}
    return source.get("recordings")


def _read_source(manifest_folder):
    try:
        return json.loads((manifest_folder / SOURCE).read_text())
    except (OSError, ValueError):
        return None
