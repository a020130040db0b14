"""The command ``mlkd watch``: the curves of a training, redrawn as it goes on.

    mlkd watch results/student/1986/fold_3
    mlkd watch results/student/1986/fold_3 --out curves.png

In the terminal, a row for each term that train_log.txt has, or a picture with a
panel for each. Ctrl-C ends it, or the last epoch; --once draws and ends.

Authors
 * The MLKD team 2026
"""

import argparse
import contextlib
import math
import pathlib
import shutil
import sys
import time
from collections.abc import Sequence

from mlkd_brain.commands import command_parser
from mlkd_brain.errors import InputError
from mlkd_brain.names import HPARAMS, TRAIN_LOG
from mlkd_brain.report.results import RunFiles
from mlkd_brain.run.plain_yaml import plain_values
from pandas import DataFrame

BLOCKS = "▁▂▃▄▅▆▇█"
CLEAR = "\x1b[2J\x1b[H"


def main(argv: list[str]) -> None:
    """Draw a run's log until it ends.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If the folder is that of no run, or has no epoch in its log.
    """
    parser = command_parser("watch", __doc__)
    add = parser.add_argument
    add("run", type=pathlib.Path, help="<results>/<system>/<seed>/fold_<k>")
    add("--out", type=pathlib.Path, help="a picture, e.g. curves.png")
    add("--seconds", type=float, default=10, help="between two looks; 10")
    add("--once", action="store_true", help="draw and end")
    options = parser.parse_args(argv)
    with contextlib.suppress(KeyboardInterrupt):
        watch(options)


def watch(options: argparse.Namespace) -> None:
    """Draw whenever there is another epoch; arguments and errors of ``main``."""
    run, last = open_run(options.run), None
    while True:
        curves = run.log()
        epoch = 0 if curves.empty else int(curves["epoch"].max())
        if options.once and not epoch:
            raise InputError(
                f"{options.run / TRAIN_LOG}: has no epoch yet; it gets a line "
                "at the end of each."
            )
        if epoch and epoch != last:
            _show(curves, options.out)
        finished = epoch >= epochs_wanted(options.run)
        if options.once or finished:
            return
        last = epoch
        time.sleep(options.seconds)


def open_run(folder: pathlib.Path) -> RunFiles:
    """The files of a run; InputError if the folder is not that of one."""
    folder = folder.resolve()
    number = folder.name.removeprefix("fold_")
    if not (folder / HPARAMS).is_file() or not number.isdigit():
        raise InputError(
            f"{folder}: is no run; give <results>/<system>/<seed>/fold_<k>, "
            f"which holds {HPARAMS} as soon as it trains."
        )
    return RunFiles(folder)


def epochs_wanted(folder: pathlib.Path) -> float:
    """How many epochs a run is to have; infinity if its yaml has no number."""
    text = (folder / HPARAMS).read_text("utf-8")
    return plain_values(text).get("number_of_epochs", math.inf)


def _show(curves, out):
    if out is None:
        clear = CLEAR if sys.stdout.isatty() else ""
        print(clear + as_text(curves, shutil.get_terminal_size().columns))
        return
    # here, because the terminal needs no matplotlib
    from mlkd_brain.report.figures import training
    from mlkd_brain.report.style import save_png

    save_png(training(curves, every=True), out)
    print(out, flush=True)


def as_text(curves: DataFrame, width: int = 80) -> str:
    """A row for each logged term: first and last value, and its course.

    Arguments
    ---------
    curves : pandas.DataFrame
        Of one run, see ``RunFiles.log``.
    width : int
        Of the terminal, characters.

    Example
    -------
    >>> rows = [("s", "1", 1, e, "valid", "UA", e / 4) for e in (1, 2, 3)]
    >>> from mlkd_brain.report.results import LOG_COLUMNS
    >>> print(as_text(DataFrame(rows, columns=LOG_COLUMNS)))
    s/1/fold_1, epoch 3
    valid UA      0.25     0.75  ▁▅█
    """
    first = curves.iloc[0]
    groups = curves.groupby(["part", "term"], sort=False)["value"]
    names = {key: " ".join(key) for key in groups.groups}
    longest = max(map(len, names.values()))
    room = max(8, width - longest - 22)
    lines = [
        f"{first['system']}/{first['seed']}/fold_{first['fold']}, "
        f"epoch {curves['epoch'].max()}"
    ]
    for key, values in groups:
        course = sparkline(values.tolist()[-room:])
        start, end = values.iloc[0], values.iloc[-1]
        name = f"{names[key]:{longest}}"
        lines.append(f"{name}  {start:8.4g} {end:8.4g}  {course}")
    return "\n".join(lines)


def sparkline(values: Sequence[float]) -> str:
    """Numbers as blocks from low to high; a blank for what is no number.

    Example
    -------
    >>> sparkline([0, 7, float("nan"), 14]), sparkline([3, 3])
    ('▁▅ █', '▁▁')
    """
    finite = [v for v in values if math.isfinite(v)]
    low = min(finite, default=0.0)
    span = (max(finite, default=0.0) - low) or 1.0
    return "".join(
        BLOCKS[round((v - low) / span * (len(BLOCKS) - 1))]
        if math.isfinite(v)
        else " "
        for v in values
    )
