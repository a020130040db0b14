"""Runs a study on Ray: on this machine, or a cluster that shares this folder.

Ray schedules and retries the runs. The run that a run depends on is an argument
of its task, so Ray starts it afterwards.

Authors
 * The MLKD team 2026
"""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Any

import ray
from mlkd_brain.errors import STOPPED, InputError
from mlkd_brain.study.board import Board
from mlkd_brain.study.definition import Run, Study
from mlkd_brain.study.plan import Step
from mlkd_brain.study.task import RunFailed, execute

#: Ray's own settings, unless they are set.
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # a run is as urgent as one by hand
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its default will change
}
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
OBJECT_STORE = 100 * 2**20  # bytes; only names and settings pass through it
#: Variables of this process that the runs need on every node.
FORWARDED = ("PYTHONPATH", "HF_HOME", "HF_HUB_OFFLINE", "OMP_WAIT_POLICY")
#: Bytes of a socket's path: all that Linux takes, and what Ray adds to a folder.
SOCKET_PATH, RAY_PATH = 107, 72
SHORT_FOLDER = "/tmp"  # for sockets, where the usual folder's name is too long
TIMEOUT = 20  # s, for a cluster to answer and for interrupted scripts to end


class Cluster:
    """A Ray cluster, started here or joined; a context manager.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        Its ``cpus_per_run``, ``gpus_per_run`` and ``retries`` are used.
    address : str, optional
        Of a cluster, or "auto"; without it one is made on this machine.

    Raises
    ------
    InputError
        If there is no cluster, or a run fits on none of its nodes.
    """

    def __init__(self, study: Study, address: str | None = None):
        self.study, self.address = study, address
        self.name = uuid.uuid4().hex[:8]
        self.status = 130  # of Ctrl-C, in a shell
        self.opened = contextlib.ExitStack()

    def __enter__(self):
        for name, value in RAY.items():
            os.environ.setdefault(name, value)
        try:
            if self.address is None:
                self._start()
            else:
                _join(self.address)
            # SIGTERM, which a scheduler such as Slurm sends, acts as Ctrl-C does
            signal.signal(signal.SIGTERM, self._stop)
            self._count_slots()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        ray.shutdown()
        self.opened.close()

    def _start(self) -> None:
        """Start a cluster on this machine."""
        place = self.opened.enter_context(_socket_folder())
        ray.init(
            "local",
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            **place,
            **QUIET,
        )

    def _stop(self, *_):
        self.status = STOPPED
        raise KeyboardInterrupt

    def _count_slots(self) -> None:
        """Work out how many runs fit on the nodes at the same time."""
        settings = self.study.settings
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if settings["gpus_per_run"] is None:
            settings["gpus_per_run"] = int(any("GPU" in n for n in nodes))
        needs = {name.upper(): need for name, need in self.resources().items()}
        self.max_concurrent = sum(
            min(int(n.get(k, 0) / need) for k, need in needs.items() if need)
            for n in nodes
        )
        if not self.max_concurrent:
            most = {k: max(n.get(k, 0) for n in nodes) for k in needs}
            raise InputError(
                f"A run wants {needs['CPU']} CPUs and {needs['GPU']} GPUs, no "
                f"node has more than {most['CPU']:g} and {most['GPU']:g}. Change "
                "--cpus_per_run or --gpus_per_run."
            )

    def run(self, plan: dict[Run, Step], board: Board) -> list[Run]:
        """Execute what is not finished.

        Arguments
        ---------
        plan : dict
            See ``mlkd_brain.study.plan.make_plan``.
        board : mlkd_brain.study.board.Board
            Shows the progress.

        Returns
        -------
        list of mlkd_brain.study.definition.Run
            Those that failed, or whose dependency did.
        """
        board.max_concurrent = self.max_concurrent
        pending, failed = self._submit(plan), []
        with self.interruptible(pending):
            while pending:
                ready, _ = ray.wait(list(pending), timeout=1)
                for ref in ready:
                    run, error = pending.pop(ref), _error(ref)
                    failed += [run] if error else []
                    board.ended(run, error)
                board.refresh(pending.values(), self.name)
        return failed

    @contextlib.contextmanager
    def interruptible(self, pending: Collection = ()) -> Iterator[None]:
        """On Ctrl-C, cancel pending tasks and exit with code 130.

        After SIGTERM the code is ``STOPPED``: a scheduler is to start it again.
        """
        try:
            yield
        except KeyboardInterrupt:
            refs = list(pending)
            for ref in refs:
                ray.cancel(ref)
            if refs:
                ray.wait(refs, num_returns=len(refs), timeout=TIMEOUT)
            print("stopped; the same command goes on from the last checkpoints")
            raise SystemExit(self.status) from None

    def resources(self) -> dict[str, float]:
        """``cpu`` and ``gpu`` that a run takes."""
        settings = self.study.settings
        return {name: settings[f"{name}s_per_run"] for name in ("cpu", "gpu")}

    def task(self, function: Callable) -> Any:
        """A function as a task of Ray with the resources of a run."""
        settings = self.study.settings
        return ray.remote(function).options(
            num_cpus=settings["cpus_per_run"],
            num_gpus=settings["gpus_per_run"],
            max_retries=settings["retries"],
            retry_exceptions=[RunFailed],
            scheduling_strategy="SPREAD",
        )

    def shared(self) -> dict[str, Any]:
        """The part that is equal in every job of ``mlkd_brain.study.task``."""
        own = {"study": self.name, "environment": self._environment()}
        return {"recipe": self.study.recipe, **own}

    def _submit(self, plan: dict[Run, Step]) -> dict[Any, Run]:
        """Submit every unfinished run; task of Ray to run."""
        task, shared = self.task(execute), self.shared()
        refs: dict[Run, Any] = {}
        for run, step in plan.items():
            if step.finished:
                continue
            dependency = [refs[d] for d in (run.depends_on,) if d in refs]
            job = {"run": run, "content": step.content, "redo": step.redo}
            refs[run] = task.remote({**job, **shared}, *dependency)
        return {ref: run for run, ref in refs.items()}

    def _environment(self) -> dict[str, str]:
        """Variables of the scripts, on whichever node they run."""
        settings = self.study.settings
        names = {*FORWARDED, *self.study.variables()}
        own = {
            "OMP_NUM_THREADS": str(settings["cpus_per_run"]),
            "PYTHONUNBUFFERED": "1",  # the log can be read while it grows
            "TQDM_MININTERVAL": "30",  # s; the log is no terminal
        }
        if not settings["gpus_per_run"]:
            own["CUDA_VISIBLE_DEVICES"] = ""
        return {**{n: os.environ[n] for n in names if n in os.environ}, **own}


@contextlib.contextmanager
def _socket_folder() -> Iterator[dict[str, Any]]:
    """Ray's option for where its sockets are, if the usual place is too long.

    A scheduler's TMPDIR often is. Only Ray's own files go elsewhere.
    """
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(os.fsencode(usual)) + RAY_PATH <= SOCKET_PATH:
        yield {}
        return
    try:
        folder = tempfile.mkdtemp(prefix="mlkd-", dir=SHORT_FOLDER)
    except OSError as error:
        raise InputError(
            f"TMPDIR is '{usual}', too long for Ray's sockets, and in "
            f"{SHORT_FOLDER} no folder can be made ({error.strerror}). Set "
            f"TMPDIR to a folder of at most {SOCKET_PATH - RAY_PATH} letters."
        ) from None
    try:
        yield {"_temp_dir": folder}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _join(address: str) -> None:
    """Join a running cluster."""
    host, colon, port = address.rpartition(":")
    try:
        if colon and port.isdigit():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=TIMEOUT).close()
        ray.init(address, **QUIET)
    except OSError as error:
        raise InputError(
            f"No Ray cluster at address '{address}' "
            f"({str(error).splitlines()[0]}). Start one with `ray start "
            "--head`, or leave --address out."
        ) from None


def _error(ref: Any) -> str | None:
    """Why a task failed, in a line; None when it did not."""
    try:
        ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        return str(error.cause or error).strip().splitlines()[-1]
    except ray.exceptions.RayError as error:
        return f"Ray: {str(error).strip().splitlines()[0]}"
    return None
