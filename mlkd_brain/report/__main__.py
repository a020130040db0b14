"""Command line: print tables, write a report, or check for leaks.

Authors
 * The MLKD team 2026
"""

import argparse
import sys

from mlkd_brain.errors import one_line
from mlkd_brain.markdown import write_into
from mlkd_brain.report import __doc__ as usage
from mlkd_brain.report.leakage import find_problems
from mlkd_brain.report.results import unpacked
from mlkd_brain.report.summary import report


def main(argv=None):
    """Read the command line and do what it asks for.

    Arguments
    ---------
    argv : list of str, optional
        Command line; that of the process by default.

    Raises
    ------
    SystemExit
        With code 1 after ``--check`` if it found something.
    """
    options = _parser().parse_args(argv)
    with unpacked(options.results) as folder:
        asked = {"evaluation": options.evaluation, "folds": options.folds}
        if options.check:
            sys.exit(_check(folder, asked))
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


def _check(folder, asked):
    """Print each problem; the exit status."""
    problems = find_problems(folder, **asked)
    for problem in problems:
        print(f"{problem.kind}: {problem.text}", file=sys.stderr)
    if not problems:
        print(
            "No test speaker and no second of test noise was heard in training, "
            "no prediction is missing or doubled."
        )
    return 1 if problems else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m mlkd_brain.report",
        description=usage.partition("\n\nAuthors")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "results", help="folder that holds the runs, or runs.tar.xz of a report"
    )
    add("--out", help="folder for a whole report: Markdown, HTML, LaTeX, png")
    add("--check", action="store_true", help="look for leaks; 1 if there are")
    add("--into", help="Markdown file to write the tables into")
    add("--marker", default="results", help="place in that file")
    add(
        "--evaluation",
        default=".",
        help="folder below fold_<k>, e.g. weighting_none",
    )
    add("--brief", action="store_true", help="without each system's noises")
    add("--folds", type=int, nargs="+", help="these alone, e.g. 1 2")
    return parser


if __name__ == "__main__":
    with one_line():
        main()
