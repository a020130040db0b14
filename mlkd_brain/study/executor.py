"""Runs a study on Ray: here, or on a cluster that shares this folder.

Ray schedules, places and retries; what a run depends on is an argument of its task.

Authors
 * The MLKD team 2026
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import uuid

from mlkd_brain.errors import InputError
from mlkd_brain.optional import require
from mlkd_brain.study.options import read_study

#: Ray's own settings, unless they are set.
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # a run is as urgent as one by hand
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its default will change
}
QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
OBJECT_STORE = 100 * 2**20  # bytes; only names and settings pass through it
#: Set where the study is started, needed where its runs are.
CARRIED = ("PYTHONPATH", "HF_HOME", "HF_HUB_OFFLINE", "OMP_WAIT_POLICY")
STOP = 20  # s, for interrupted scripts to end


def run_study(argv):
    """Command line of ``run_folds.py``.

    Arguments
    ---------
    argv : list of str
        See ``mlkd_brain.study.options.parser``.

    Raises
    ------
    InputError
        If something given cannot be used; nothing was trained then.
    SystemExit
        With code 1 if a run failed, 130 after Ctrl-C.
    """
    study, options = read_study(argv)
    require("ray", "rich")
    # they load torch; --help does not wait for it
    from mlkd_brain.study.board import Board
    from mlkd_brain.study.content import Contents
    from mlkd_brain.study.plan import make_plan

    plan = make_plan(study.runs(), Contents(study), options.changed)
    failed = []
    with Board(plan) as board:
        if not all(step.finished for step in plan.values()):
            with Cluster(study, options.address) as cluster:
                board.max_concurrent = cluster.max_concurrent
                failed = cluster.run(plan, board)
    write_report(study.results)
    if failed:
        raise SystemExit(1)


class Cluster:
    """Ray, as a context: started here or joined, and left behind.

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

    def __init__(self, study, address=None):
        self.study, self.address = study, address
        self.name = uuid.uuid4().hex[:8]

    def __enter__(self):
        for name, value in RAY.items():
            os.environ.setdefault(name, value)
        import ray

        if self.address is None:
            ray.init(
                "local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE,
                **QUIET,
            )
        else:
            _join(self.address)
        # a scheduler's polite end is a Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._measure(ray.nodes())
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(self, *_):
        import ray

        ray.shutdown()

    def _measure(self, nodes):
        """How many runs go at once."""
        settings = self.study.settings
        offered = [node["Resources"] for node in nodes if node["Alive"]]
        if settings["gpus_per_run"] is None:
            settings["gpus_per_run"] = int(any("GPU" in o for o in offered))
        wanted = {
            "CPU": settings["cpus_per_run"],
            "GPU": settings["gpus_per_run"],
        }
        self.max_concurrent = sum(
            min(int(o.get(k, 0) / v) for k, v in wanted.items() if v)
            for o in offered
        )
        if not self.max_concurrent:
            most = {k: max(o.get(k, 0) for o in offered) for k in wanted}
            raise InputError(
                f"A run wants {wanted['CPU']} CPUs and {wanted['GPU']} GPUs, no "
                f"node has more than {most['CPU']:g} and {most['GPU']:g}. Change "
                "--cpus_per_run or --gpus_per_run."
            )

    def run(self, plan, board):
        """Execute what is not finished.

        Arguments
        ---------
        plan : dict
            See ``mlkd_brain.study.plan.make_plan``.
        board : mlkd_brain.study.board.Board
            Is told how it goes.

        Returns
        -------
        list of mlkd_brain.study.definition.Run
            Those that failed, or whose dependency did.
        """
        import ray

        refs = self._submit([s for s in plan.values() if not s.finished])
        pending, failed = {ref: run for run, ref in refs.items()}, []
        with self.interruptible(pending):
            while pending:
                ready, _ = ray.wait(list(pending), timeout=1)
                for ref in ready:
                    run = pending.pop(ref)
                    error = _error(ref)
                    if error:
                        failed.append(run)
                    board.ended(
                        run, error, dependency_failed=run.depends_on in failed
                    )
                board.refresh(pending.values(), self.name)
        return failed

    @contextlib.contextmanager
    def interruptible(self, pending=()):
        """On Ctrl-C, end what runs and say how to go on.

        Arguments
        ---------
        pending : collection
            Tasks to cancel.

        Raises
        ------
        SystemExit
            With code 130, after Ctrl-C.
        """
        import ray

        try:
            yield
        except KeyboardInterrupt:
            for ref in pending:
                ray.cancel(ref)
            if pending:
                count = len(pending)
                ray.wait(list(pending), num_returns=count, timeout=STOP)
            print("stopped; the same command goes on from the last checkpoints")
            raise SystemExit(130) from None

    def resources(self):
        """What a run takes, for Ray Tune."""
        settings = self.study.settings
        return {
            "cpu": settings["cpus_per_run"],
            "gpu": settings["gpus_per_run"],
        }

    def task(self, function):
        """A function as a task of Ray that takes what a run takes."""
        import ray

        from mlkd_brain.study.task import RunFailed

        settings = self.study.settings
        return ray.remote(function).options(
            num_cpus=settings["cpus_per_run"],
            num_gpus=settings["gpus_per_run"],
            max_retries=settings["retries"],
            retry_exceptions=[RunFailed],
            scheduling_strategy="SPREAD",
        )

    def shared(self):
        """What every job of ``mlkd_brain.study.task`` knows."""
        return {
            "recipe": self.study.recipe,
            "environment": self._environment(),
            "study": self.name,
        }

    def _submit(self, steps):
        from mlkd_brain.study.task import execute

        task, shared, refs = self.task(execute), self.shared(), {}
        for step in steps:
            needed = (
                [refs[step.run.depends_on]]
                if step.run.depends_on in refs
                else []
            )
            job = {"run": step.run, "content": step.content, "redo": step.redo}
            refs[step.run] = task.remote({**job, **shared}, *needed)
        return refs

    def _environment(self):
        """Variables of the scripts, wherever they run."""
        settings = self.study.settings
        own = {
            "OMP_NUM_THREADS": str(settings["cpus_per_run"]),
            "PYTHONUNBUFFERED": "1",  # the log is read while it is written
            "TQDM_MININTERVAL": "30",  # s; it is no terminal
        }
        if not settings["gpus_per_run"]:
            own["CUDA_VISIBLE_DEVICES"] = ""
        names = {*CARRIED, *self.study.variables()}
        carried = {n: os.environ[n] for n in names if n in os.environ}
        return {**carried, **own}


def _join(address):
    """Join a cluster that is there."""
    import ray

    host, colon, port = address.rpartition(":")
    try:
        if colon and port.isdigit():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=STOP).close()
        ray.init(address, **QUIET)
    except OSError as error:
        raise InputError(
            f"No Ray cluster at address '{address}' "
            f"({str(error).splitlines()[0]}). Start one with `ray start "
            "--head`, or leave --address out."
        ) from None


def _error(ref):
    """Why a task failed, in a line; None when it did not."""
    import ray

    try:
        ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        return str(error.cause or error).strip().splitlines()[-1]
    except ray.exceptions.RayError as error:
        return f"Ray: {str(error).strip().splitlines()[0]}"
    return None


def write_report(results):
    """Have the report made of everything that is there."""
    words = ["-m", "mlkd_brain", "report", results, "--out", results / "report"]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:]
        print(f"no report: {''.join(said)}", file=sys.stderr)
        return
    for line in done.stderr.splitlines():
        if line.startswith("warning: "):  # a leak, a run that lacks something
            print(line, file=sys.stderr)
    print(f"report: {results / 'report'}")
