"""Systems against one another: differences, intervals, tests, crossings.

Authors
 * The MLKD team 2026
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from mlkd_brain.names import CLEAN
from mlkd_brain.report.formatting import (
    MISSING,
    column,
    listed,
    number,
    p_text,
    signed,
    with_limits,
)
from mlkd_brain.report.statistics import (
    Comparison,
    by_run,
    compare,
    crossings,
    holm,
)
from mlkd_brain.report.systems import (
    REFERENCE,
    by_condition,
    folds_and_seeds,
    in_order,
    systems_of,
)
from pandas import DataFrame, Series

ALL = "all"  # of noises or SNRs, in numbers/tests.csv


def reference_of(systems: Sequence[str]) -> str:
    """The system that the others are compared with.

    Example
    -------
    >>> reference_of(["teacher", "student"]), reference_of(["teacher", "mine"])
    ('student', 'mine')
    """
    return REFERENCE if REFERENCE in systems else systems[-1]


def runs_by_condition(
    scores: DataFrame, noises: Sequence[str]
) -> Iterator[tuple[str, float | str, dict[str, Series]]]:
    """Every condition, alone and together: noise, SNR, each system's runs.

    Arguments
    ---------
    scores : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types that all systems have.

    Yields
    ------
    tuple
        Noise type, "clean" or "all"; SNR in dB or "all"; system to its runs.
    """
    noisy = scores[scores["noise"] != CLEAN]
    together = noisy[noisy["noise"].isin(noises)].assign(noise=ALL)
    for table in (
        noisy,
        scores.assign(snr_db=ALL),
        together,
        together.assign(snr_db=ALL),
    ):
        for key, own in table.groupby(["noise", "snr_db"], sort=False):
            systems = own.groupby("system")
            yield *key, {name: by_run(rows) for name, rows in systems}


def all_tests(scores: DataFrame, noises: Sequence[str]) -> DataFrame:
    """The ``Comparison`` of every two systems in every condition.

    Arguments are those of ``runs_by_condition``.

    Returns
    -------
    pandas.DataFrame
        ``p_holm`` corrects for the systems that the reference is compared
        with in one condition; the other pairs have none.
    """
    systems = systems_of(scores)
    reference = reference_of(systems)
    parts = []
    for noise, snr, runs in runs_by_condition(scores, noises):
        rows = []
        for first, second in _pairs(systems, reference):
            if not {first, second} <= runs.keys():
                continue
            tested = compare(runs[first], runs[second])
            if tested is not None:
                names = {"first": first, "second": second}
                names |= {"noise": noise, "snr_db": snr}
                rows.append({**names, **tested._asdict()})
        p_values = [
            row["p_value"] if row["first"] == reference else np.nan
            for row in rows
        ]
        for row, corrected in zip(rows, holm(p_values)):
            parts.append({**row, "p_holm": corrected})
    return DataFrame(parts)


def _pairs(systems, reference):
    """Every two systems, the reference or else the later one first."""
    for earlier, later in itertools.combinations(systems, 2):
        yield (earlier, later) if earlier == reference else (later, earlier)


def tests_frame(tests: DataFrame, noise: str, snr: float | str) -> DataFrame:
    """The reference against every other system in one condition.

    Arguments
    ---------
    tests : pandas.DataFrame
        From ``all_tests``.
    noise : str
        Its ``noise``.
    snr : float or str
        Its ``snr_db``: dB, or "all" (which clean speech is, too).

    Returns
    -------
    pandas.DataFrame
        Text, four narrow columns; Holm's correction is over its rows.
    """
    reference = reference_of(systems_in(tests))
    wanted = (tests["first"] == reference) & (tests["noise"] == noise)
    own = tests[wanted & (tests["snr_db"] == snr)]
    return DataFrame(
        {
            f"{reference} minus": row.second,
            "UA, points [95 %]": with_limits(
                row.difference, row.low, row.high, signed
            ),
            "p": p_text(row.p_value),
            "p, Holm": p_text(row.p_holm),
        }
        for row in own.itertuples()
    )


def systems_in(tests: DataFrame) -> list[str]:
    """The systems of ``all_tests``, in order."""
    return in_order({*tests["first"], *tests["second"]})


def pairs_frame(
    scores: DataFrame, noises: Sequence[str], pairs: Sequence[Sequence[str]]
) -> DataFrame:
    """Some pairs of systems in short: lowest SNR, all, by seed, clean.

    Arguments
    ---------
    scores, noises
        As for ``runs_by_condition``.
    pairs : list
        Two systems each; of the pairs without a common run there is no row.

    Returns
    -------
    pandas.DataFrame
        Text; differences in UA, points, with their 95 % intervals.
    """
    lowest = scores["snr_db"].min()
    columns: dict[tuple, str] = {(ALL, lowest): column(lowest)}
    factory = [(name, lowest) for name in noises if "factory" in name]
    columns |= {key: f"{key[0]}, {column(lowest)}" for key in factory}
    columns |= {(ALL, ALL): "all noises and SNRs", (CLEAN, ALL): CLEAN}
    runs = {
        (noise, snr): own
        for noise, snr, own in runs_by_condition(scores, noises)
    }
    rows = []
    for first, second in pairs:
        row = {"UA, points": f"{first} − {second}"}
        for key, name in columns.items():
            own = runs.get(key, {})
            if {first, second} <= own.keys():
                row[name] = _short(compare(own[first], own[second]))
            if key == (ALL, ALL):
                row["by seed"] = _by_seed(own, first, second)
        rows.append(row)
    return DataFrame(rows).fillna(MISSING)


def _short(tested: Comparison | None):
    if tested is None:
        return MISSING
    return with_limits(tested.difference, tested.low, tested.high, signed)


def _by_seed(runs, first, second):
    if not {first, second} <= runs.keys():
        return MISSING
    differences = (runs[first] - runs[second]).dropna()
    return listed(map(signed, differences.groupby("seed").mean()))


def crossings_frame(scores: DataFrame, noises: Sequence[str]) -> DataFrame:
    """Where each system's UA over SNR meets its teacher's, in common runs.

    "Better" and "worse" are said where the interval of the difference has no
    zero in it. Arguments are those of ``by_condition``. Without a teacher there
    are no rows.
    """
    rows = []
    systems = systems_of(scores)
    index = by_condition(scores, noises)
    for system in systems if "teacher" in systems else ():
        tested = {
            snr: compare(by_run(parts[system]), by_run(parts["teacher"]))
            for snr, parts in index.items()
            if snr != CLEAN and {system, "teacher"} <= parts.keys()
        }
        gaps = {snr: found for snr, found in tested.items() if found}
        if system == "teacher" or not gaps:
            continue
        values = [found.difference for found in gaps.values()]
        met = crossings(gaps, values, [0] * len(gaps))
        rows.append(
            {
                "system": system,
                **folds_and_seeds(_common_runs(scores, system)),
                "better at, dB": _snrs(gaps, lambda found: found.low > 0),
                "worse at, dB": _snrs(gaps, lambda found: found.high < 0),
                "crossing at, dB": listed(map(number, met)) or "none",
            }
        )
    return DataFrame(rows)


def _common_runs(scores, system):
    """Seeds and folds that a system and its teacher both have."""
    runs = scores[["system", "seed", "fold"]].drop_duplicates()
    own, teacher = (runs[runs["system"] == n] for n in (system, "teacher"))
    return own.merge(teacher, on=["seed", "fold"])


def _snrs(gaps, wanted):
    snrs = [f"{snr:g}" for snr, found in gaps.items() if wanted(found)]
    return listed(snrs) or "none"
