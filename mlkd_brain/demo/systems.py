"""The trained systems that the page compares.

Authors
 * The MLKD team 2026
"""

import pathlib
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.files import has_checkpoint
from mlkd_brain.inference.recognizer import EmotionRecognizer
from mlkd_brain.report.results import RunFiles, find_runs
from mlkd_brain.report.systems import in_order
from mlkd_brain.run.protocol import read_protocol


class Decision(NamedTuple):
    """What a system makes of a waveform."""

    probabilities: dict[str, float]  # emotion to [0, 1], in the model's order
    seconds: float  # that it took

    @property
    def emotion(self) -> str:
        """The most probable one."""
        return max(self.probabilities, key=lambda e: self.probabilities[e])


class System:
    """A trained run, loaded.

    Arguments
    ---------
    name : str
        E.g. "student".
    folder : pathlib.Path
        Of the run.
    device : str, optional
        Where to compute; the GPU if there is one, by default.

    Raises
    ------
    InputError
        If the run cannot be loaded.
    """

    def __init__(
        self, name: str, folder: pathlib.Path, device: str | None = None
    ):
        self.name, self.folder = name, folder
        run_opts = {"device": device} if device else None
        self.recognizer = EmotionRecognizer.from_run(folder, run_opts=run_opts)
        self.decide(torch.zeros(SAMPLE_RATE))  # the first call is slow

    def decide(self, wav: torch.Tensor) -> Decision:
        """Classify one waveform, (time,), 16 kHz."""
        began = time.perf_counter()
        probabilities = self.recognizer.classify_batch(wav)[0][0]
        seconds = time.perf_counter() - began
        named = zip(self.recognizer.emotions, probabilities.tolist())
        return Decision(dict(named), seconds)


def choose_runs(
    results: pathlib.Path,
    seed: str | None = None,
    fold: int | None = None,
    systems: Sequence[str] | None = None,
) -> list[RunFiles]:
    """The runs to compare: one seed, one fold, every system trained there.

    Of several seeds and folds the first that has the most systems.

    Arguments
    ---------
    results : pathlib.Path
        Holds ``<system>/<seed>/fold_<k>``.
    seed, fold : optional
        Only these.
    systems : list of str, optional
        Only these; all by default.

    Raises
    ------
    InputError
        If none is trained there.

    Returns
    -------
    list of RunFiles
        In the order of the reports.
    """
    found: dict[tuple, dict[str, RunFiles]] = defaultdict(dict)
    for run in find_runs(results, folds=None if fold is None else [fold]):
        system, *place = run.key
        wanted = not systems or system in systems
        if wanted and seed in (None, place[0]) and _is_neural(run):
            found[tuple(place)][system] = run
    if not found:
        raise InputError(
            f"{results}: holds no trained model of the systems, seed and fold "
            "asked for; give the results folder of a recipe whose "
            "train_teacher.py has run, e.g. that of `make demo`, "
            "recipes/IEMOCAP/MLKD/results/demo."
        )
    best = max(found.values(), key=len)  # of equals the first
    return [best[name] for name in in_order(best)]


def _is_neural(run):
    """Whether a neural model was kept; a baseline's protocol has no encoder."""
    if not has_checkpoint(run.folder):
        return False
    return read_protocol(run.folder).get("encoder_hub") is not None
