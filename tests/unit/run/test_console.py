"""The screen has our lines alone, the log has all; a bug keeps its traceback."""

import io
import logging
import sys

import pytest
from mlkd_brain.errors import InputError, cli_errors
from mlkd_brain.run.console import (
    LOG_CONFIG,
    OWN_SCREEN,
    close_console,
    show_run,
)

import speechbrain as sb
from speechbrain.utils.logger import TqdmCompatibleStreamHandler

RUN = {"output_folder": "results/teacher/1986/fold_3", "system": "teacher"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run that logs; logging is as before afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    for name in OWN_SCREEN:
        library = logging.getLogger(name)
        monkeypatch.setattr(library, "handlers", library.handlers[:])
        monkeypatch.setattr(library, "propagate", library.propagate)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    sb.create_experiment_directory(str(tmp_path), log_config=LOG_CONFIG)
    yield tmp_path
    logging.captureWarnings(False)
    root.handlers, root.level = before


def test_the_screen_is_calm_and_the_log_complete(run):
    screen = io.StringIO()
    (console,) = (
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, TqdmCompatibleStreamHandler)
    )
    console.setStream(screen)
    show_run({**RUN, "fold": 3})
    logging.getLogger("transformers").warning("weights are tied")
    logging.getLogger("mlkd_brain.noise").warning("babble is short")
    logging.getLogger("torch").error("out of memory")
    close_console(RUN["output_folder"], "10 of 10 epochs", True)
    lines = screen.getvalue().splitlines()
    assert lines == [
        "results/teacher/1986/fold_3: trains teacher, fold 3; its log is "
        "log.txt there",
        "warning: babble is short",
        "error: out of memory",
        "results/teacher/1986/fold_3: already trained, 10 of 10 epochs",
        "next: python evaluate.py results/teacher/1986/fold_3",
    ]
    log = (run / "log.txt").read_text()
    assert "Beginning experiment" in log and "weights are tied" in log


@pytest.mark.parametrize("debug", [False, True])
def test_a_refusal_is_one_line_and_its_traceback_in_the_log(
    run, capsys, monkeypatch, debug
):
    monkeypatch.setattr(sys, "argv", ["x.py"] + ["--debug"] * debug)
    with pytest.raises(SystemExit, match="2"), cli_errors():
        raise InputError("fold is 11; folds go from 1 to 10.")
    shown = capsys.readouterr().err
    assert shown.endswith("error: fold is 11; folds go from 1 to 10.\n")
    assert ("Traceback" in shown) == debug
    assert "Traceback" in (run / "log.txt").read_text()


def test_a_bug_is_no_refusal():
    with pytest.raises(ValueError, match="could not convert"), cli_errors():
        float("a bug")
