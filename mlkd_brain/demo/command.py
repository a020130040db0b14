"""The command ``mlkd demo``: compare trained systems in the browser.

    mlkd demo results/demo
    mlkd demo results --seed 1986 --fold 3 --systems teacher student

Speech is recorded, uploaded or picked, noise is added at an SNR, and the systems
of one fold decide side by side. The page listens on this machine alone and
needs no network. Run it in the recipe's folder, where the paths of the run's
yaml lead to the corpus and the noise, or name them.

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
import tempfile

from mlkd_brain.commands import command_parser
from mlkd_brain.optional import require

LOOPBACK = "127.0.0.1"


def main(argv: list[str]) -> None:
    """Load the systems and serve the page until it is interrupted.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If there is no trained model, Gradio is missing, or the port is taken.
    """
    options = parser().parse_args(argv)
    require("gradio")
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.demo.serving import serve

    with tempfile.TemporaryDirectory(prefix="mlkd-demo-") as folder:
        blocks = serve(options, pathlib.Path(folder))
        print(f"{blocks.local_url}\nCtrl-C ends it.", flush=True)
        blocks.block_thread()


def parser() -> argparse.ArgumentParser:
    """What reads the command line."""
    parser = command_parser("demo", __doc__)
    add = parser.add_argument
    add(
        "results",
        nargs="?",
        type=pathlib.Path,
        default=pathlib.Path("results"),
        help="folder of <system>/<seed>/fold_<k>; results by default",
    )
    add("--systems", nargs="+", help="all that are trained, by default")
    add("--seed", help="the first that has all systems, by default")
    add("--fold", type=int, help="the same")
    add("--data_folder", help="corpus, for samples; the run's by default")
    add("--noise_folder", help="recordings of noise; the run's by default")
    add("--report", type=pathlib.Path, help="RESULTS/report by default")
    add("--host", default=LOOPBACK, help=f"to listen on; {LOOPBACK} by default")
    add("--port", type=int, default=7860, help="7860 by default")
    add("--device", help="e.g. cpu; the GPU if there is one")
    return parser
