"""Systems against one another and against the paper, and what they cost.

Source of the paper's numbers: "Multi-Level Knowledge Distillation for Speech
Emotion Recognition in Noisy Conditions", Interspeech 2023,
https://arxiv.org/abs/2312.13556; those of Table 1, two means of Table 2, and
the cost of the student beside its teacher's.

Authors
 * The MLKD team 2026
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import pandas
from pandas import DataFrame

from mlkd_brain.names import CLEAN
from mlkd_brain.report.statistics import Pairs, accuracy, crossings
from mlkd_brain.report.tables import (
    MISSING,
    cell_means,
    column,
    folds_and_seeds,
    for_system,
    index_by_condition,
    listed,
    number,
    rows_by_system,
    runs_of,
    signed,
    systems_frame,
    systems_of,
)

MEBIBYTE = 2**20
SHARED_MARK = " *"
ALONE = 0.25  # cores that others may keep busy while a time is taken
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
    "the paper's Table 2 repeats the baseline's 10 dB row as its mean; the mean "
    "of its cells is 49.0, so that the student gains 18.51 points on average, "
    "not 18.23"
)
SIZE_MIB = {
    "teacher": "360.17",
    "student": "197.91",
    "student_unsupervised": "197.91",
}
#: The paper's time of a forward pass, teacher = 1.
TIME = {"teacher": "1.00", "student": "0.48", "student_unsupervised": "0.48"}


def paper_note(protocols: Iterable[dict]) -> str:
    """How the paper's numbers may be read beside those of a study.

    Example
    -------
    >>> paper_note([{"corpus": "IEMOCAP"}])
    'paper: IEMOCAP, 10 folds'
    """
    own = listed(corpora(protocols)) or "a corpus that no protocol.json names"
    note = "paper: IEMOCAP, 10 folds"
    if own == "IEMOCAP":
        return note
    return f"{note}; here: {own}, so the difference is no comparison of methods"


def corpora(protocols: Iterable[dict]) -> list[str]:
    """Names of the corpora, sorted; none if no protocol.json has one."""
    return sorted({p["corpus"] for p in protocols if p.get("corpus")})


def frame_beside_paper(
    predictions: DataFrame, noises: Sequence[str], cell: Callable[..., str]
) -> DataFrame:
    """Table 1 with the paper's numbers, and the differences, below each system.

    Arguments are those of ``systems_frame``; differences are in points.
    """
    frame = systems_frame(predictions, noises, cell)
    index = index_by_condition(predictions, noises)
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
    difference = accuracy(parts[system]) - known[condition]
    return number(known[condition]), signed(difference)


def means_frame(predictions: DataFrame) -> DataFrame:
    """Mean UA of each system over all noises and SNRs, beside the paper's."""
    rows = []
    for system, head in rows_by_system(predictions, "UA %"):
        mean = cell_means(for_system(system, predictions)).mean(axis=None)
        row = {**head, "mean": number(mean)}
        row |= {"paper": MISSING, "difference": MISSING}
        if system in MEAN:
            row["paper"] = number(MEAN[system])
            row["difference"] = signed(mean - MEAN[system])
        rows.append(row)
    return DataFrame(rows)


def costs_frame(costs: DataFrame) -> DataFrame:
    """Table 3: size, operations and time of each system, beside the paper's.

    Arguments
    ---------
    costs : pandas.DataFrame
        One row a run: ``system``, and what
        ``mlkd_brain.evaluation.complexity`` counts.
        Medians over a system's runs are shown.
    """
    known = costs.dropna(subset=["parameters"])
    medians = known.groupby("system").median(numeric_only=True)
    teacher = medians["milliseconds"].get("teacher", math.nan)
    rows = []
    for system in systems_of(known):
        row = medians.loc[system]
        ratio = row["milliseconds"] / teacher
        rows.append(
            {
                "system": system,
                "parameters, M": f"{row['parameters'] / 1e6:.2f}",
                "MiB": number(row["bytes"] / MEBIBYTE),
                "paper, MiB": SIZE_MIB.get(system, MISSING),
                "GMAC": f"{row['macs'] / 1e9:.2f}",
                "ms": number(row["milliseconds"])
                + SHARED_MARK * measured_beside_others(known, system),
                "of teacher's time": MISSING
                if math.isnan(ratio)
                else f"{ratio:.2f}",
                "paper": TIME.get(system, MISSING),
            }
        )
    return DataFrame(rows)


def measured_beside_others(costs: DataFrame, system: str) -> bool:
    """Whether a time of a system was taken while other processes computed.

    So it is where the run did not record it, too: studies run side by side.

    Example
    -------
    >>> costs = DataFrame({"system": ["a", "b"], "others": [0.01, 0.9]})
    >>> [measured_beside_others(costs, system) for system in "ab"]
    [False, True]
    """
    if "others" not in costs:
        return True
    load = costs["others"][costs["system"] == system]
    return not (load <= ALONE).all()


def costs_title(costs: DataFrame) -> str:
    """Heading of Table 3: the utterance, the machines."""
    known = costs.dropna(subset=["parameters"])
    machines = sorted(set(zip(known["machine"], known["threads"])))
    named = "; ".join(f"{name}, {n:g} threads" for name, n in machines)
    return (
        f"Table 3. One utterance of {known['seconds'].iloc[0]:g} s: size, "
        "multiply-accumulates and time, the median over a system's runs "
        f"({named}); {SHARED_MARK.strip()} not known to be alone on its machine: "
        "no property of the model; paper: wav2vec 2.0 base, another machine"
    )


def pairs_of(predictions: DataFrame) -> list[tuple[str, str]]:
    """Every two systems, the later one of the order first."""
    systems = systems_of(predictions)
    return [(b, a) for a, b in itertools.combinations(systems, 2)]


def comparison_frame(
    predictions: DataFrame, noises: Sequence[str]
) -> DataFrame:
    """Differences in UA between systems, their intervals, McNemar's p.

    Arguments are those of ``index_by_condition``.

    Returns
    -------
    pandas.DataFrame
        Text; one row for each two systems, one column for each condition and
        one for all SNRs together, without clean speech.
    """
    pairs, runs = Pairs(predictions), runs_of(predictions)
    noisy = pairs.rows[pairs.rows["noise"].isin(noises)]
    clean = pairs.rows[pairs.rows["noise"] == CLEAN]
    columns = {column(key): own for key, own in noisy.groupby("snr_db")}
    columns |= {} if clean.empty else {CLEAN: clean}
    columns["all SNRs"] = noisy
    return DataFrame(
        {
            "UA, points": f"{first} − {second}",
            **folds_and_seeds(_common_runs(first, second, runs)),
            **{
                name: _test(pairs.compare(first, second, own.index))
                for name, own in columns.items()
            },
        }
        for first, second in pairs_of(predictions)
    )


def _common_runs(first, second, runs):
    """Seeds and folds that two systems both have."""
    both = (for_system(name, runs) for name in (first, second))
    return pandas.merge(*both, on=["seed", "fold"])[["seed", "fold"]]


def _test(comparison):
    if comparison is None:
        return MISSING
    p = comparison.p_value
    p = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    difference = signed(comparison.difference)
    if math.isnan(comparison.low):  # one speaker
        return f"{difference}, {p}"
    low, high = signed(comparison.low), signed(comparison.high)
    return f"{difference} [{low}, {high}], {p}"


def all_tests(predictions: DataFrame) -> DataFrame:
    """The ``Comparison`` of every two systems in every condition."""
    pairs, rows = Pairs(predictions), []
    systems = pairs_of(predictions)
    keys = ["noise", "snr_db"]
    groups = pairs.rows.groupby(keys, dropna=False, sort=False)
    for (noise, snr_db), own in groups:
        for first, second in systems:
            tested = pairs.compare(first, second, own.index)
            if tested is not None:
                names = {"first": first, "second": second, "noise": noise}
                rows.append({**names, "snr_db": snr_db, **tested._asdict()})
    return DataFrame(rows).round({"difference": 2, "low": 2, "high": 2})


def crossings_frame(predictions: DataFrame, noises: Sequence[str]) -> DataFrame:
    """Where each system's UA over SNR meets its teacher's, in common runs.

    Arguments are those of ``index_by_condition``. Without a teacher there are
    no rows.
    """
    rows, all_runs = [], runs_of(predictions)
    systems = systems_of(all_runs)
    for system in systems if "teacher" in systems else ():
        runs = _common_runs(system, "teacher", all_runs)
        if system == "teacher" or runs.empty:
            continue
        both = predictions[predictions["system"].isin([system, "teacher"])]
        own = both.merge(runs, on=["seed", "fold"])
        index = index_by_condition(own, noises)
        gaps = {
            snr: accuracy(parts[system]) - accuracy(parts["teacher"])
            for snr, parts in index.items()
            if snr != CLEAN and {system, "teacher"} <= parts.keys()
        }
        met = crossings(gaps, gaps.values(), [0] * len(gaps))
        rows.append(
            {
                "system": system,
                **folds_and_seeds(runs),
                "better at, dB": _snrs(gaps, lambda gap: gap > 0),
                "worse at, dB": _snrs(gaps, lambda gap: gap < 0),
                "crossing at, dB": listed(map(number, met)) or "none",
            }
        )
    return DataFrame(rows)


def _snrs(gaps, wanted):
    snrs = [f"{snr:g}" for snr, gap in gaps.items() if wanted(gap)]
    return listed(snrs) or "none"
