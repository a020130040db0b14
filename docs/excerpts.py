"""The tables of README.md: rows of longer tables that commands have written.

    python docs/excerpts.py

Authors
 * The MLKD team 2026
"""

import pathlib

from mlkd_brain.markdown import write_into

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"

#: Marker in README.md to the file and marker of the long table, and the rows
#: that are shown, by their first cell; None shows the whole first table.
EXCERPTS = {
    "demo": ("docs/studies.md", "demo", None),
    "results": (
        "recipes/EmoDB/MLKD/README.md",
        "results",
        [
            "teacher",
            "vad_nmf",
            "vad_nmf_matched",
            "student_unsupervised",
            "student",
        ],
    ),
    "speed": (
        "docs/speed.md",
        "bench",
        [
            "runtimes: time, teacher, transformers",
            "runtimes: time, student, transformers",
            "runtimes: time, student, openvino, int8",
            "runtimes: size, teacher, transformers",
            "runtimes: size, student, transformers",
            "runtimes: size, student, openvino, int8",
            "training, 256 wide: reference",
            "training, 256 wide: this project",
            "noise: drawing and mixing, levels stored",
            "noise: SpeechBrain's AddNoise",
        ],
    ),
}


def marked(path, marker):
    """What stands between two markers of a Markdown file.

    Arguments
    ---------
    path : pathlib.Path
        The file.
    marker : str
        Name of the block.

    Returns
    -------
    str
        Without the markers.
    """
    text = path.read_text(encoding="utf-8")
    after = text.split(f"<!-- begin {marker} -->\n")[1]
    return after.split(f"<!-- end {marker} -->")[0]


def excerpt(text, rows=None):
    """A block up to the end of its first table, which may lose rows.

    Arguments
    ---------
    text : str
        Markdown.
    rows : list of str, optional
        First cells of the rows to keep; all by default.

    Raises
    ------
    ValueError
        If a row is not there, or is there twice.

    Returns
    -------
    str
        Markdown.

    Example
    -------
    >>> print(excerpt("| x |\\n|---|\\n| a |\\n| b |\\n\\n| y |", ["b"]))
    | x |
    |---|
    | b |
    """
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append(line)
    head, body = table[:2], table[2:]
    if rows is not None:
        first = [line.split("|")[1].strip() for line in body]
        wrong = [name for name in rows if first.count(name) != 1]
        if wrong:
            raise ValueError(f"{wrong} must each be one row of {first}.")
        body = [line for name, line in zip(first, body) if name in rows]
    return "\n".join([*lines[:start], *head, *body])


def excerpts():
    """Marker in README.md to what stands there."""
    return {
        target: excerpt(marked(REPOSITORY / path, marker), rows)
        for target, (path, marker, rows) in EXCERPTS.items()
    }


def main():
    """Write all of them."""
    for marker, text in excerpts().items():
        write_into(README, marker, text)


if __name__ == "__main__":
    main()
