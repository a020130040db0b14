"""The paper's numbers, beside those of a study of the paper's corpus.

Source: "Multi-Level Knowledge Distillation for Speech Emotion Recognition in
Noisy Conditions", Interspeech 2023, https://arxiv.org/abs/2312.13556; those of
Table 1, two means of Table 2, and the cost of the student beside its teacher's.

Authors
 * The MLKD team 2026
"""

from collections.abc import Iterable, Sequence

from mlkd_brain.names import CLEAN
from mlkd_brain.report.formatting import (
    MISSING,
    mean_with_interval,
    number,
    signed,
)
from mlkd_brain.report.statistics import by_run
from mlkd_brain.report.systems import by_condition, corpora, for_system, heads
from mlkd_brain.report.tables import cell_means, systems_frame
from pandas import DataFrame

CORPUS = "IEMOCAP"
SNRS_DB = (0, 5, 10, 15, 20, CLEAN)
#: The paper's UA in percent under factory noise, at ``SNRS_DB``.
FACTORY = {
    "teacher": dict(zip(SNRS_DB, (41.0, 54.0, 65.0, 71.6, 75.8, 77.8))),
    "student_unsupervised": dict(
        zip(SNRS_DB, (57.9, 61.7, 65.1, 67.8, 68.0, 72.2))
    ),
    "student": dict(zip(SNRS_DB, (64.0, 66.1, 68.5, 69.1, 69.6, 73.9))),
}
#: The paper's mean UA in percent over five noises and five SNRs.
MEAN = {"vad_nmf": 49.0, "student": 67.5}
MEAN_NOTE = (
    "The paper's Table 2 repeats the baseline's 10 dB row as its mean; the mean "
    "of its cells is 49.0, so that the student gains 18.51 points on average, "
    "not 18.23."
)
SIZE_MIB = {
    "teacher": "360.17",
    "student": "197.91",
    "student_unsupervised": "197.91",
}
#: The paper's time of a forward pass, teacher = 1.
TIME = {"teacher": "1.00", "student": "0.48", "student_unsupervised": "0.48"}


def is_comparable(protocols: Iterable[dict]) -> bool:
    """Whether the paper's numbers are of the same corpus as a study's.

    Example
    -------
    >>> is_comparable([{"corpus": "IEMOCAP"}]), is_comparable([{}])
    (True, False)
    """
    return corpora(protocols) == [CORPUS]


def frame_beside_paper(scores: DataFrame, noises: Sequence[str]) -> DataFrame:
    """Table 1, the paper's numbers and the differences below each system.

    Both are means over folds; differences are in points. Arguments are those
    of ``tables.systems_frame``.
    """
    frame = systems_frame(scores, noises, mean_with_interval)
    index = by_condition(scores, noises)
    rows = []
    for row in frame.to_numpy().tolist():
        rows.append(row)
        known = FACTORY.get(row[0])
        if known:
            values = [_beside(known, row[0], *item) for item in index.items()]
            for name, texts in zip(("paper", "difference"), zip(*values)):
                rows.append([name, "", "", *texts])
    return DataFrame(rows, columns=frame.columns)


def _beside(known, system, condition, parts):
    """The paper's number in a condition, and the difference from it."""
    if condition not in known:
        return MISSING, MISSING
    if system not in parts:
        return number(known[condition]), MISSING
    difference = by_run(parts[system]).mean() - known[condition]
    return number(known[condition]), signed(difference)


def means_frame(scores: DataFrame) -> DataFrame:
    """Mean UA of each system over all noises and SNRs, beside the paper's."""
    rows = []
    for system, head in heads(scores, "UA %"):
        mean = cell_means(for_system(system, scores)).mean(axis=None)
        row = {**head, "mean": number(mean)}
        row |= {"paper": MISSING, "difference": MISSING}
        if system in MEAN:
            row["paper"] = number(MEAN[system])
            row["difference"] = signed(mean - MEAN[system])
        rows.append(row)
    return DataFrame(rows)


def costs_beside_paper(frame: DataFrame) -> DataFrame:
    """Table 3 with the paper's sizes and times; from ``costs.costs_frame``."""
    size, time = (
        [known.get(system, MISSING) for system in frame["system"]]
        for known in (SIZE_MIB, TIME)
    )
    return frame.assign(
        **{"paper, MiB": size, "paper, of teacher's time": time}
    )
