"""The parser that the subcommands of ``mlkd`` have in common.

Authors
 * The MLKD team 2026
"""

import argparse


def command_parser(name: str, about: str) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of the command's module.

    Arguments
    ---------
    name : str
        Of the command, e.g. "watch".
    about : str
        The docstring; its authors are left out.

    Example
    -------
    >>> parser = command_parser("watch", "Curves.\\n\\nAuthors\\n * A")
    >>> print(parser.format_usage().split(" [")[0], "-", parser.description)
    usage: mlkd watch - Curves.
    """
    return argparse.ArgumentParser(
        prog=f"mlkd {name}",
        description=about.partition("\n\nAuthors")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
