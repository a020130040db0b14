"""Table 3: what each system costs.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.report.formatting import MISSING, number
from mlkd_brain.report.systems import systems_of
from pandas import DataFrame

MEBIBYTE = 2**20
SHARED_MARK = " *"
ALONE = 0.25  # cores that others may keep busy while a time is taken


def costs_frame(costs: DataFrame) -> DataFrame:
    """Size, operations and time of each system.

    Arguments
    ---------
    costs : pandas.DataFrame
        One row a run: ``system``, and what
        ``mlkd_brain.evaluation.complexity`` counts.
        Medians over a system's runs are shown.
    """
    known = costs.dropna(subset=["parameters"])
    medians = known.groupby("system").median(numeric_only=True)
    rows = []
    for system in systems_of(known):
        row = medians.loc[system]
        values = {
            "system": system,
            "parameters, M": f"{row['parameters'] / 1e6:.2f}",
            "MiB": number(row["bytes"] / MEBIBYTE),
            "GMAC": f"{row['macs'] / 1e9:.2f}",
            "ms": number(row["milliseconds"])
            + SHARED_MARK * measured_beside_others(known, system),
            "of teacher's time": MISSING,
        }
        if "teacher" in medians.index:
            ratio = row["milliseconds"] / medians["milliseconds"]["teacher"]
            values["of teacher's time"] = f"{ratio:.2f}"
        rows.append(values)
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
        "no property of the model"
    )
