"""The command ``mlkd manifest``: a folder of recordings becomes a CSV.

    mlkd manifest DIR --pattern "{spk_id}_{_}_{emo}.wav" --out my.csv
    mlkd manifest DIR --pattern "{emo}/{spk_id}-{_}.flac"
    mlkd manifest DIR --pattern "{spk_id:2}{_:3}{emo:1}{_:1}.wav" --labels W=anger,F=joy

A field holds what stands in its place: spk_id, emo, and if you like ID, session,
gender, style, fold; {_} is anything. {emo:1} is one character; without a number a
field ends at the character that follows it. A pattern with "/" is of the path
below DIR, another of the file's name in any folder.

Authors
 * The MLKD team 2026
"""

import pathlib
import re
import string

import pandas
from mlkd_brain.commands import command_parser
from mlkd_brain.data.own_corpus import NEEDED, OPTIONAL, name_of, row_problems
from mlkd_brain.errors import InputError
from mlkd_brain.files import write_text

ANYTHING = "_"
FIELDS = (*NEEDED[1:], *OPTIONAL)


def main(argv: list[str]) -> None:
    """Write the CSV and print what is in it.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If the folder, the pattern or what it finds cannot be used.
    """
    parser = command_parser("manifest", __doc__)
    add = parser.add_argument
    add("folder", help="of the recordings, with all folders below")
    add("--pattern", required=True, help="of a recording's name, see above")
    add("--labels", help="letters in the names and their labels; others go")
    add("--out", default="corpus.csv", help="corpus.csv by default")
    options = parser.parse_args(argv)
    out = pathlib.Path(options.out)
    pattern = compile_pattern(options.pattern)
    table, left = list_folder(options.folder, pattern, options.labels)
    table["wav"] = [_seen_from(out.parent, wav) for wav in table["wav"]]
    for problem in row_problems(table):
        raise InputError(f"{options.folder}, as {out}, {problem}")
    _write(table, out)
    counts = table["emo"].value_counts().sort_index()
    print(
        f"{out}: {len(table)} utterances of {table['spk_id'].nunique()} speakers; "
        + ", ".join(f"{label} {count}" for label, count in counts.items())
    )
    if left:
        print(f"left out: {len(left)} other files, e.g. {left[0]}")
    print(f"next: mlkd check {out}")


def _write(table, out):
    text = table.to_csv(index=False)
    if out.exists() and out.read_text(encoding="utf-8") != text:
        raise InputError(
            f"{out}: exists and holds something else; give another --out, or "
            "delete it."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(text, out)


def _seen_from(folder, path):
    """Relative to the folder of the CSV where it lies below, else absolute."""
    path, folder = pathlib.Path(path).resolve(), folder.resolve()
    inside = path.is_relative_to(folder)
    return (path.relative_to(folder) if inside else path).as_posix()


def list_folder(
    folder: str | pathlib.Path,
    pattern: re.Pattern,
    labels: str | None = None,
) -> tuple[pandas.DataFrame, list[str]]:
    """Recordings whose names fit a pattern.

    Arguments
    ---------
    folder : str or pathlib.Path
        Root of the recordings.
    pattern : re.Pattern
        See ``compile_pattern``.
    labels : str, optional
        E.g. "A=anger,H=happiness": what ``emo`` of the pattern stands for;
        recordings with another one are left out.

    Raises
    ------
    InputError
        If no file fits.

    Returns
    -------
    table : pandas.DataFrame
        ``wav``, ``spk_id``, ``emo``, ``ID`` and the other fields; sorted.
    left : list of str
        Files that do not fit.
    """
    folder = pathlib.Path(folder)
    names = _labels(labels)
    rows, left = [], []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        inside = path.relative_to(folder).as_posix()
        found = pattern.fullmatch(inside)
        fields = found.groupdict() if found else {}
        if not found or names and fields["emo"] not in names:
            left.append(inside)
            continue
        fields["emo"] = names.get(fields["emo"], fields["emo"])
        rows.append({"wav": str(path), "ID": name_of(inside), **fields})
    if not rows:
        example = f", e.g. {left[0]}" if left else ""
        raise InputError(
            f"{folder}: none of {len(left)} files{example} fits the pattern; "
            "compare --pattern, and --labels if given, with their names."
        )
    table = pandas.DataFrame(rows)
    first = [*NEEDED, "ID"]
    return table[[*first, *(n for n in table if n not in first)]], left


def _labels(text):
    """ "A=anger,H=joy" as a dictionary."""
    pairs = [part.split("=") for part in (text or "").split(",") if part]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise InputError(
            f"--labels {text}: is a list such as A=anger,H=happiness."
        )
    return dict(pairs)


def compile_pattern(pattern: str) -> re.Pattern:
    """A pattern of names as a regular expression.

    Arguments
    ---------
    pattern : str
        Text with fields in braces, see the module.

    Raises
    ------
    InputError
        If it names no speaker or label, a field that there is not, or one twice.

    Example
    -------
    >>> names = compile_pattern("{spk_id}_{_}_{emo}.wav")
    >>> names.fullmatch("a/anna_07_b_joy.wav").groupdict()
    {'spk_id': 'anna', 'emo': 'joy'}
    """
    try:
        parts = [*string.Formatter().parse(pattern)]
    except ValueError as error:
        raise InputError(f"--pattern {pattern}: {error}.") from None
    named = [name for _, name, _, _ in parts if name not in (None, ANYTHING)]
    _refuse_fields(pattern, named)
    for _, name, width, _ in parts:
        if width and not width.isdecimal():
            raise InputError(
                f"--pattern {pattern}: {{{name}:{width}}}: a width is a number "
                "of characters."
            )
    text = "" if "/" in pattern else "(?:.*/)?"
    for index, (literal, name, width, _) in enumerate(parts):
        text += re.escape(literal)
        if name is not None:
            after = parts[index + 1][0][:1] if index + 1 < len(parts) else ""
            text += _field(name, width, literal[-1:] + after)
    return re.compile(text)


def _field(name, width, around):
    """A field; without a width it has none of the characters around it."""
    if width:
        content = f"[^/]{{{int(width)}}}"
    elif name == ANYTHING:
        content = "[^/]*?"
    else:
        content = f"[^/{re.escape(around)}]+"
    return content if name == ANYTHING else f"(?P<{name}>{content})"


def _refuse_fields(pattern, named):
    unknown = [name for name in named if name not in FIELDS]
    missing = [name for name in NEEDED[1:] if name not in named]
    twice = [name for name in named if named.count(name) > 1]
    for names, what in (
        (unknown, "no field is called"),
        (missing, "it lacks"),
        (twice, "it has twice"),
    ):
        if names:
            raise InputError(
                f"--pattern {pattern}: {what} {{{names[0]}}}; fields are "
                f"{', '.join(FIELDS)} and {ANYTHING} for anything, spk_id and "
                "emo are needed."
            )
