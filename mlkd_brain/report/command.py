"""The command ``mlkd report``: print tables, or write a whole report.

    mlkd report results --out report
    mlkd report results --into README.md --marker demo

Authors
 * The MLKD team 2026
"""

import argparse

from mlkd_brain.markdown import write_into
from mlkd_brain.report.results import unpacked
from mlkd_brain.report.summary import report


def main(argv):
    """Read the command line and do what it asks for.

    Arguments
    ---------
    argv : list of str
        Options of the command.
    """
    options = _parser().parse_args(argv)
    with unpacked(options.results) as folder:
        asked = {"evaluation": options.evaluation, "folds": options.folds}
        if options.out:
            # here, because drawing needs matplotlib, printing does not
            from mlkd_brain.report.pages import PAGE, write_report

            write_report(folder, options.out, **asked)
            print(f"{options.out}/{PAGE}")
        if options.into or not options.out:
            text = report(folder, brief=options.brief, **asked)
            print(text)
        if options.into:
            write_into(options.into, options.marker, text)


def _parser():
    parser = argparse.ArgumentParser(
        prog="mlkd report",
        description=__doc__.partition("\n\nAuthors")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_runs(parser)
    add("--out", help="folder for a whole report: Markdown, HTML, LaTeX, png")
    add("--into", help="Markdown file to write the tables into")
    add("--marker", default="results", help="place in that file")
    add("--brief", action="store_true", help="without each system's noises")
    return parser


def add_runs(parser):
    """Options that say which runs, as ``mlkd check`` has them too.

    Arguments
    ---------
    parser : argparse.ArgumentParser
        Gets them.
    """
    add = parser.add_argument
    add(
        "results", help="folder that holds the runs, or runs.tar.xz of a report"
    )
    add(
        "--evaluation",
        default=".",
        help="folder below fold_<k>, e.g. weighting_none",
    )
    add("--folds", type=int, nargs="+", help="these alone, e.g. 1 2")
