"""Tables in Markdown, and their place in a README.

Authors
 * The MLKD team 2026
"""

import html
import pathlib

from mlkd_brain.errors import InputError
from mlkd_brain.files import write_text


def escape(text):
    """Text from outside, in which Markdown finds no HTML, link or column.

    Emphasis (``**``) stays what it is.

    Example
    -------
    >>> print(escape("<script> a|b [c](d)"))
    &lt;script&gt; a\\|b [c]\\(d)
    """
    text = html.escape(" ".join(text.split()), quote=False)
    return text.replace("|", r"\|").replace("](", r"]\(")


def markdown_table(header, rows):
    """A Markdown table; its cells are escaped.

    Example
    -------
    >>> print(markdown_table(["system", "0 dB"], [["teacher", "41.0"]]))
    | system | 0 dB |
    |---|---|
    | teacher | 41.0 |
    """
    lines = ([escape(cell) for cell in row] for row in (header, *rows))
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
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
        If the file or the markers are not there.
    """
    head, tail = around(path, marker)
    write_text(f"{head}\n{text}\n{tail}", path)


def around(path, marker):
    """A Markdown file up to and from two markers, both included.

    To be called before the work whose result goes there.

    Arguments
    ---------
    path, marker
        As for ``write_into``.

    Raises
    ------
    InputError
        If the file or the markers are not there.

    Returns
    -------
    head, tail : str
        Without what stands between the markers.
    """
    begin, end = f"<!-- begin {marker} -->", f"<!-- end {marker} -->"
    try:
        whole = pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); name a file with "
            f"lines '{begin}' and '{end}'."
        ) from None
    if begin not in whole or end not in whole:
        raise InputError(
            f"{path}: has no lines '{begin}' and '{end}'; add them."
        )
    return whole.split(begin)[0] + begin, end + whole.split(end)[1]
