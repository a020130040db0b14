#!/usr/bin/env python3
"""Links of a README that lead to no file of the tree.

> python tools/speechbrain/links.py recipes/IEMOCAP/MLKD/README.md

Authors
 * The MLKD team 2026
"""

import pathlib
import re
import sys


def dead_links(path):
    """Targets of relative links in a Markdown file that do not exist.

    Arguments
    ---------
    path : pathlib.Path
        The file.

    Returns
    -------
    list of str
        As they stand there.
    """
    targets = re.findall(r"\]\(([^)#]+)", path.read_text("utf-8"))
    return [
        target
        for target in targets
        if "://" not in target and not (path.parent / target).exists()
    ]


if __name__ == "__main__":
    dead = dead_links(pathlib.Path(sys.argv[1]))
    print("\n".join(dead))
    sys.exit(bool(dead))
