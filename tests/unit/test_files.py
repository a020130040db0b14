"""Nothing half-written, and one process at a time."""

import multiprocessing
import time

import pytest
from mlkd_brain.files import locked, replaced_folder


def test_an_error_leaves_the_folder_as_it_was(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_text("whole")
    with pytest.raises(RuntimeError), replaced_folder(target) as folder:
        (folder / "new").write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert (target / "old").read_text() == "whole"


def make_once(folder):
    with locked(folder):
        if not folder.is_dir():
            with replaced_folder(folder) as unfinished:
                time.sleep(0.2)
                (unfinished / "made").write_text("x")
            with open(folder.parent / "makers", "a") as makers:
                makers.write("one\n")


def test_processes_that_start_together_make_a_folder_once(tmp_path):
    context = multiprocessing.get_context("fork")
    target = tmp_path / "target"
    together = [
        context.Process(target=make_once, args=(target,)) for _ in range(4)
    ]
    for process in together:
        process.start()
    for process in together:
        process.join()
    assert all(process.exitcode == 0 for process in together)
    assert (tmp_path / "makers").read_text() == "one\n"
    assert (target / "made").read_text() == "x"
