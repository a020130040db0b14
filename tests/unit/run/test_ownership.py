"""Who may work in the folder of a run."""

import os
import signal

import pytest
from mlkd_brain.errors import InputError
from mlkd_brain.run.ownership import OWNER, owned


def in_a_child(function):
    """Exit status of a forked process: 0, 2 for an InputError."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            function()
            status = 0
        except InputError:
            status = 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def claim(folder):
    with owned(folder):
        pass


def test_one_process_at_a_time(tmp_path):
    folder = tmp_path / "fold_1"
    with owned(folder):
        before = (folder / OWNER).read_text()
        assert in_a_child(lambda: claim(folder)) == 2
        assert (folder / OWNER).read_text() == before
        assert before.split()[:2] == [str(os.getpid()), os.uname().nodename]
        (folder / "train.csv").write_text("")
    assert in_a_child(lambda: claim(folder)) == 0
    assert [path.name for path in folder.iterdir()] == ["train.csv"]


def test_a_process_that_died_owns_nothing(tmp_path):
    def die():
        with owned(tmp_path / "fold_1"):
            os._exit(9)

    assert in_a_child(die) == 9
    assert (tmp_path / "fold_1" / OWNER).is_file()
    claim(tmp_path / "fold_1")


def test_a_child_of_the_owner_is_not_the_owner(tmp_path):
    """A loader's worker lives on for seconds when its training is killed."""
    with owned(tmp_path / "fold_1"):
        pid = os.fork()
        if not pid:
            signal.pause()
    claim(tmp_path / "fold_1")
    assert in_a_child(lambda: claim(tmp_path / "fold_1")) == 0
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_refused_command_leaves_no_folder(tmp_path):
    with pytest.raises(InputError), owned(tmp_path / "1986" / "fold_1"):
        raise InputError("fold is 11")
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_a_warning(
    tmp_path, monkeypatch, caplog
):
    def flock(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    claim(tmp_path / "fold_1")
    assert "has no locks" in caplog.text
