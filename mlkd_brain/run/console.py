"""What a run shows: which it is, a line an epoch, and where it wrote.

Everything else that it, SpeechBrain and other libraries log is in its log.txt.

Authors
 * The MLKD team 2026
"""

import logging
import pathlib
import sys
from typing import Any

from mlkd_brain.errors import DEBUG
from mlkd_brain.run.epoch_clock import as_clock

from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)
#: Libraries that write to the screen themselves, past the log.
OWN_SCREEN = ("transformers", "torch")
#: For ``sb.create_experiment_directory``.
LOG_CONFIG = str(pathlib.Path(__file__).with_name("log_config.yaml"))


class Ours(logging.Filter):
    """Lets pass what this project logs, and every library's errors.

    With ``--debug`` everything.
    """

    def filter(self, record):
        if DEBUG in sys.argv:
            return True
        ours = record.name.partition(".")[0] == "mlkd_brain"
        level = logging.INFO if ours else logging.ERROR
        return record.levelno >= level


class Plain(logging.Formatter):
    """The message; a warning says that it is one."""

    def format(self, record):
        text = super().format(record)
        is_plain = record.levelno <= logging.INFO
        return text if is_plain else f"{record.levelname.lower()}: {text}"


def show_run(hparams: dict[str, Any]) -> None:
    """The first line: which run, and where; libraries log into its log.

    Arguments
    ---------
    hparams : dict
        Of the run, whose folder and log were made.
    """
    logging.captureWarnings(True)
    for name in OWN_SCREEN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    fold = f", fold {hparams['fold']}" if "fold" in hparams else ""
    logger.info(
        f"{hparams['output_folder']}: trains {hparams['system']}{fold}; its log "
        "is log.txt there"
    )


def show_epoch(epoch: int, epochs: int, figures: str, seconds: float) -> None:
    """The line of an epoch.

    Arguments
    ---------
    epoch, epochs : int
        Its number, and of how many.
    figures : str
        What it reached.
    seconds : float
        Estimate for the epochs that are left.
    """
    left = f", {as_clock(seconds)} left" if epoch < epochs else ""
    logger.info(f"epoch {epoch} of {epochs}: {figures}{left}")


def close_console(folder: Any, trained: str, was_done: bool) -> None:
    """The last lines: what was written, and what comes next.

    Arguments
    ---------
    folder : str or pathlib.Path
        Of the run.
    trained : str
        E.g. "10 of 10 epochs".
    was_done : bool
        Whether there was nothing left to train.
    """
    if was_done:
        logger.info(f"{folder}: already trained, {trained}")
    else:
        logger.info(f"wrote {folder}: {trained}")
    logger.info(f"next: python evaluate.py {folder}")


def show_progress() -> bool:
    """Whether someone looks: the main process, in a terminal."""
    return if_main_process() and sys.stderr.isatty()
