"""Emotions of recordings, from the command line.

    mlkd predict MODEL speech.wav more.flac
    mlkd predict MODEL FOLDER --csv > emotions.csv
    sox talk.mp3 -t wav - | mlkd predict MODEL - --window 4 --hop 1

MODEL is an exported folder (speechbrain, onnx, onnx-int8, onnx-weights8) or the
folder of a run. A file that cannot be used is named on standard error, the
others are classified, and the exit status is 1.

Authors
 * The MLKD team 2026
"""

import argparse
import csv
import io
import json
import pathlib
import sys

import soundfile
from tqdm import tqdm

from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognition import window_spans
from mlkd_brain.inference.recognizer import load_recognizer

PIPE = "-"
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {
    ".aif",
    ".opus",
}


class PipedRecording(io.BytesIO):
    """Standard input as a file, named as on the command line."""

    def __str__(self):
        return PIPE


def recordings(names):
    """Recordings that are named: files, the files in folders, or a pipe.

    Arguments
    ---------
    names : list of str
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
        files = sorted(pathlib.Path(name).rglob("*"))
        inside = [str(f) for f in files if f.suffix.lower() in SUFFIXES]
        if not inside:
            raise InputError(f"{name}: holds no recording.")
        found += inside
    return found


def rows_of(recognizer, name, window=None, hop=None):
    """Classify one recording.

    Arguments
    ---------
    recognizer : mlkd_brain.inference.recognition.Recognition
        Any backend.
    name : str
        A file, or "-" for standard input.
    window, hop : float, optional
        Seconds, for a row every ``hop``; by default one row for the recording.

    Raises
    ------
    InputError
        If the recording cannot be used.

    Returns
    -------
    list of dict
        ``file, start, end, emotion, p_<emotion>...``; ``start`` and ``end`` in
        seconds, only with a window.
    """
    source = name
    if name == PIPE:
        source = PipedRecording(sys.stdin.buffer.read())
    if window is None:
        probabilities, _, _, labels = recognizer.classify_file(source)
        return [_row(recognizer, name, {}, labels[0], probabilities[0])]
    return [
        _row(
            recognizer,
            name,
            {"start": moment.start, "end": moment.end},
            moment.label,
            moment.probabilities,
        )
        for moment in recognizer.timeline(source, window, hop)
    ]


def _row(recognizer, name, span, label, probabilities):
    shares = {
        f"p_{emotion}": round(share, 6)
        for emotion, share in zip(recognizer.emotions, probabilities.tolist())
    }
    return {"file": name, **span, "emotion": label, **shares}


class CsvRows:
    """Writes rows as CSV, with a header."""

    def __init__(self, stream):
        self.stream, self.writer = stream, None

    def write(self, row):
        """Write one row at once: whoever reads the pipe sees it."""
        if self.writer is None:
            self.writer = csv.DictWriter(self.stream, row, lineterminator="\n")
            self.writer.writeheader()
        self.writer.writerow(row)
        self.stream.flush()


class JsonRows:
    """Writes rows as JSON, one object a line."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, row):
        """Write one row."""
        print(json.dumps(row), file=self.stream, flush=True)


class TextRows:
    """Writes rows for a person: file, time if any, emotion, its share."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, row):
        """Write one row."""
        span = [f"{row[k]:.2f}" for k in ("start", "end") if k in row]
        share = f"{row['p_' + row['emotion']]:.3f}"
        print(
            row["file"],
            *span,
            row["emotion"],
            share,
            sep="\t",
            file=self.stream,
        )


def predict(recognizer, names, writer, window=None, hop=None):
    """Classify recordings, past those that cannot be used.

    Arguments
    ---------
    recognizer : mlkd_brain.inference.recognition.Recognition
        Any backend.
    names : list of str
        Files, or "-".
    writer : CsvRows or JsonRows or TextRows
        Gets the rows.
    window, hop : float, optional
        As for ``rows_of``.

    Returns
    -------
    int
        How many could not be used; each is named on standard error.
    """
    broken = 0
    bar = tqdm(names, unit="file", file=sys.stderr, disable=len(names) < 2)
    for name in bar:
        try:
            rows = rows_of(recognizer, name, window, hop)
        except InputError as error:
            broken += 1
            bar.write(f"error: {error}", file=sys.stderr)
            continue
        for row in rows:
            writer.write(row)
    return broken


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="mlkd predict",
        description=__doc__.partition("\n\nAuthors")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="exported folder, or folder of a run")
    parser.add_argument("recordings", nargs="+", metavar="FILE|DIR|-")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", dest="rows", action="store_const", const=CsvRows)
    form.add_argument(
        "--json", dest="rows", action="store_const", const=JsonRows
    )
    parser.add_argument("--window", type=float, help="seconds, for a timeline")
    parser.add_argument("--hop", type=float, help="seconds; 1 by default")
    parser.add_argument("--device", help="e.g. cpu; the GPU if there is one")
    parser.set_defaults(rows=TextRows)
    options = parser.parse_args(argv)
    if options.hop is not None and options.window is None:
        raise InputError("--hop needs --window, e.g. --window 4 --hop 1.")
    return options


def main(argv):
    """Classify and give the exit status: 1 if a recording was broken."""
    options = parse(argv)
    hop = 1.0 if options.hop is None else options.hop
    if options.window is not None:
        window_spans(SAMPLE_RATE, options.window, hop)  # refuse before loading
    names = recordings(options.recordings)
    recognizer = load_recognizer(options.model, options.device)
    writer = options.rows(sys.stdout)
    broken = predict(recognizer, names, writer, options.window, hop)
    return 1 if broken else 0
