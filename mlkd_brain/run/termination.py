"""SIGTERM, which a scheduler sends before it kills.

Authors
 * The MLKD team 2026
"""

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


def leave_termination_to_main(worker: int) -> None:
    """Have a loader's worker ignore SIGTERM; its ``worker_init_fn``.

    Schedulers send it to every process of a job. A worker that ends by it would
    have the training end with an error in the middle of a step.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
