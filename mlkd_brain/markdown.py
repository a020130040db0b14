"""Tables in Markdown, and their place in a README.

Authors
 * The MLKD team 2026
"""

import pathlib

from mlkd_brain.errors import InputError
from mlkd_brain.files import write_text


def markdown_table(header, rows):
    """A Markdown table.

    Example
    -------
    >>> print(markdown_table(["system", "0 dB"], [["teacher", "41.0"]]))
    | system | 0 dB |
    |---|---|
    | teacher | 41.0 |
    """
    head, *body = (f"| {' | '.join(row)} |" for row in (header, *rows))
    return "\n".join([head, "|" + "---|" * len(header), *body])


def write_into(path, marker, text):
    """Replace what stands between two markers of a Markdown file.

    Arguments
    ---------
    path : str or pathlib.Path
        Holds ``<!-- begin MARKER -->`` and ``<!-- end MARKER -->``.
    marker : str
        Name of the place.
    text : str
        What shall stand there.

    Raises
    ------
    InputError
        If the markers are not there.
    """
    path = pathlib.Path(path)
    begin, end = f"<!-- begin {marker} -->", f"<!-- end {marker} -->"
    whole = path.read_text(encoding="utf-8")
    if begin not in whole or end not in whole:
        raise InputError(
            f"{path}: has no lines '{begin}' and '{end}'; add them."
        )
    head, tail = whole.split(begin)[0], whole.split(end)[1]
    write_text(f"{head}{begin}\n{text}\n{end}{tail}", path)
