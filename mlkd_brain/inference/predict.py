"""Classify many recordings, one row or one row a window each.

Authors
 * The MLKD team 2026
"""

import csv
import io
import json
import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable

from mlkd_brain.audio import find_recordings
from mlkd_brain.errors import InputError, printable
from mlkd_brain.inference.recognition import Recognition
from tqdm import tqdm

PIPE = "-"


class PipedRecording(io.BytesIO):
    """Standard input as a file, named as on the command line."""

    def __str__(self) -> str:
        return PIPE


def recordings(names: Iterable[str | pathlib.Path]) -> list[str]:
    """Recordings that are named: files, the files in folders, or a pipe.

    What is passed over in a folder is named on standard error.

    Arguments
    ---------
    names : iterable of str
        As on the command line.

    Raises
    ------
    InputError
        If a folder holds no recording.

    Returns
    -------
    list of str
        Files of a folder are sorted.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("b.wav", "a.flac", "notes.txt"):
    ...     (folder / name).touch()
    >>> [pathlib.Path(name).name for name in recordings([folder, "-"])]
    ['a.flac', 'b.wav', '-']
    """
    found = []
    for name in names:
        if not pathlib.Path(name).is_dir():
            found.append(str(name))
            continue
        inside, passed_over = find_recordings(name, "**/*")
        if not inside:
            raise InputError(
                f"{name}: holds no recording{passed_over and '; '}{passed_over}."
            )
        if passed_over:
            print(f"warning: {passed_over}", file=sys.stderr)
        found += map(str, inside)
    return found


def rows_of(
    recognizer: Recognition,
    name: str,
    window: float | None = None,
    hop: float = 1.0,
) -> list[dict]:
    """Classify one recording.

    Arguments
    ---------
    recognizer : mlkd_brain.inference.recognition.Recognition
        Any backend.
    name : str
        A file, or "-" for standard input.
    window : float, optional
        Seconds, for a row every ``hop``; by default one row for the recording.
    hop : float
        Seconds, in (0, window].

    Raises
    ------
    InputError
        If the recording cannot be used.

    Returns
    -------
    list of dict
        ``file, start, end, emotion, p_<emotion>..., warning``; ``start`` and
        ``end`` in seconds, only with a window.
    """
    source: str | PipedRecording = name
    if name == PIPE:
        source = PipedRecording(sys.stdin.buffer.read())
    if window is None:
        return [_row(recognizer, name, {}, recognizer.recognize(source))]
    return [
        _row(recognizer, name, {"start": m.start, "end": m.end}, m)
        for m in recognizer.timeline(source, window, hop)
    ]


def _row(recognizer, name, span, moment):
    probabilities = {
        f"p_{emotion}": round(probability, 6)
        for emotion, probability in zip(
            recognizer.emotions, moment.probabilities.tolist()
        )
    }
    row = {"file": name, **span, "emotion": moment.label, **probabilities}
    return {**row, "warning": moment.warning}


def _print_csv(row, first):
    writer = csv.DictWriter(sys.stdout, row, lineterminator="\n")
    if first:
        writer.writeheader()
    writer.writerow(row)


def _print_json(row, first):
    print(json.dumps(row))


def _print_text(row, first):
    """File, time, emotion, its probability, warning, for a person."""
    span = [f"{row[k]:.2f}" for k in ("start", "end") if k in row]
    probability = f"{row['p_' + row['emotion']]:.3f}"
    words = [printable(row["file"]), *span, row["emotion"], probability]
    print(*words, *filter(None, [row["warning"]]), sep="\t")


FORMS: dict[str, Callable[[dict, bool], None]] = {
    "csv": _print_csv,
    "json": _print_json,
    "text": _print_text,
}


def predict(
    recognizer: Recognition,
    names: list[str],
    form: str = "text",
    window: float | None = None,
    hop: float = 1.0,
) -> int:
    """Classify recordings and print their rows, past those that are unusable.

    Arguments
    ---------
    recognizer : mlkd_brain.inference.recognition.Recognition
        Any backend.
    names : list of str
        Files, or "-".
    form : str
        Of the rows: "csv", "json" or "text".
    window : float, optional
        Seconds, as for ``rows_of``.
    hop : float
        Seconds, as for ``rows_of``.

    Returns
    -------
    int
        How many could not be used; each is named on standard error.
    """
    unusable, first = 0, True
    bar = tqdm(names, unit="file", file=sys.stderr, disable=len(names) < 2)
    for name in bar:
        try:
            rows = rows_of(recognizer, name, window, hop)
        except Exception as error:  # of this file, not of the others
            unusable += 1
            bar.write(f"error: {_reason(name, error)}", file=sys.stderr)
            continue
        for warning in _warnings(rows):
            bar.write(f"warning: {warning}", file=sys.stderr)
        for row in rows:
            FORMS[form](row, first)
            first = False
        sys.stdout.flush()  # whoever reads a pipe sees each recording at once
    return unusable


def _reason(name, error):
    """Why a recording could not be used, in one line."""
    if isinstance(error, InputError):
        return printable(str(error))
    kind, text = type(error).__name__, str(error).strip().splitlines()[:1]
    return printable(
        f"{name}: the model failed ({': '.join([kind, *text])}); if it is too "
        "long for this machine's memory, give a shorter --window, e.g. 4."
    )


def _warnings(rows):
    """Each warning of a recording, once."""
    counts = Counter(row["warning"] for row in rows if row["warning"])
    for warning, count in counts.items():
        name = printable(rows[0]["file"])
        where = f" in {count} of {len(rows)} windows" if len(rows) > 1 else ""
        yield f"{name}: {warning}{where}"
