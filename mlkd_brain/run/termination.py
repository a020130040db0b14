"""How a training and its processes end: SIGTERM, and a kill.

Authors
 * The MLKD team 2026
"""

import ctypes
import multiprocessing
import os
import signal
import threading


class Termination:
    """Whether SIGTERM came while this context manager was entered.

    The signal does nothing else meanwhile: a training step is ended first.

    Example
    -------
    >>> termination = Termination()
    >>> with termination:
    ...     signal.raise_signal(signal.SIGTERM)
    >>> termination.requested
    True
    """

    def __init__(self) -> None:
        self.requested = False
        # Python sets handlers in the main thread alone
        self.settable = threading.current_thread() is threading.main_thread()

    def _request(self, *_):
        self.requested = True

    def __enter__(self):
        if self.settable:
            self.before = signal.signal(signal.SIGTERM, self._request)
        return self

    def __exit__(self, *_):
        if self.settable:
            signal.signal(signal.SIGTERM, self.before)


def live_with_main(worker: int) -> None:
    """Have a loader's worker end with its training; its ``worker_init_fn``.

    It ignores SIGTERM, which schedulers send to every process of a job: a worker
    that ends by it would have the training end with an error amid a step. And
    the kernel ends it when the training is killed; torch's workers look for
    that themselves, but one that is only starting then would stay for ever.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_with_parent()
    main = multiprocessing.parent_process()
    if main is not None and os.getppid() != main.pid:  # it was killed before
        os._exit(1)


_prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux alone has it


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends."""
    if _prctl is not None:
        pr_set_pdeathsig = 1
        _prctl(pr_set_pdeathsig, signal.SIGKILL)
