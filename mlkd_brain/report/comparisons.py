"""Systems against one another, and what they cost.

Authors
 * The MLKD team 2026
"""

import itertools
import math

import pandas

from mlkd_brain.names import CLEAN
from mlkd_brain.report import paper
from mlkd_brain.report.cells import NOTHING, number, p_value, signed
from mlkd_brain.report.statistics import (
    accuracy,
    compare,
    crossings,
)
from mlkd_brain.report.tables import column, conditions, of
from mlkd_brain.report.titles import in_order, rests_on, runs_of

MEBIBYTE = 2**20


def pairs_of(predictions):
    """Every two systems, the later one of the order first."""
    systems = in_order(predictions["system"].unique())
    return [(b, a) for a, b in itertools.combinations(systems, 2)]


def tests_frame(predictions, noises):
    """Differences in UA between systems, their intervals, McNemar's p.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    pandas.DataFrame
        Text; one row for each two systems, one column for each condition and
        one for all SNRs together, clean speech left aside.
    """
    heard = conditions(predictions, noises)
    columns = {column(key): own for key, own in heard.items()}
    noisy = [own for key, own in heard.items() if key != CLEAN]
    columns["all SNRs"] = pandas.concat(noisy)
    titled = runs_of(predictions)
    return pandas.DataFrame(
        {
            "UA, points": f"{first} − {second}"
            + rests_on(common_runs(first, second, predictions), titled),
            **{
                name: _test(compare(of(first, own), of(second, own)))
                for name, own in columns.items()
            },
        }
        for first, second in pairs_of(predictions)
    )


def common_runs(first, second, predictions):
    """Seeds and folds that two systems both have, see ``runs_of``."""
    return runs_of(of(first, predictions)) & runs_of(of(second, predictions))


def _test(comparison):
    if comparison is None:
        return NOTHING
    p = p_value(comparison.p_value)
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    if math.isnan(comparison.low):  # one speaker
        return f"{signed(comparison.difference)}, {p}"
    return (
        f"{signed(comparison.difference)} [{signed(comparison.low)}, "
        f"{signed(comparison.high)}], {p}"
    )


def all_tests(predictions):
    """McNemar's test of every two systems in every condition, as numbers.

    Returns
    -------
    pandas.DataFrame
        ``first, second, noise, snr_db`` and the fields of ``Comparison``.
    """
    rows = []
    groups = predictions.groupby(["noise", "snr_db"], dropna=False, sort=False)
    for (noise, snr_db), own in groups:
        for first, second in pairs_of(predictions):
            tested = compare(of(first, own), of(second, own))
            if tested is not None:
                names = {"first": first, "second": second, "noise": noise}
                rows.append({**names, "snr_db": snr_db, **tested._asdict()})
    return pandas.DataFrame(rows).round({"difference": 2, "low": 2, "high": 2})


def crossing_words(predictions, noises):
    """Where each student meets its teacher, as sentences.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    list of str
        One for each other system; none without a teacher.
    """
    systems = in_order(predictions["system"].unique())
    if "teacher" not in systems:
        return []
    systems.remove("teacher")
    titled, sentences = runs_of(predictions), []
    for system in systems:
        common = common_runs(system, "teacher", predictions)
        curve, teacher = (
            _curve(of(name, predictions), noises, common)
            for name in (system, "teacher")
        )
        if curve.keys() & teacher.keys():
            runs = rests_on(common, titled)
            sentences.append(_crossing(system, curve, teacher) + runs)
    return sentences


def _curve(predictions, noises, runs):
    """UA by SNR in some runs."""
    places = zip(predictions["seed"], predictions["fold"])
    own = predictions[[place in runs for place in places]]
    heard = conditions(own, noises).items()
    return {snr: accuracy(part) for snr, part in heard if snr != CLEAN}


def _crossing(system, curve, teacher):
    snrs = sorted(curve.keys() & teacher.keys())
    gaps = {snr: curve[snr] - teacher[snr] for snr in snrs}
    leads = next((gap > 0 for gap in gaps.values() if gap), None)
    if leads is None:
        return f"{system} equals the teacher at every SNR"
    better, worse = ("better", "worse") if leads else ("worse", "better")
    met = crossings(snrs, gaps.values(), [0] * len(snrs))
    if not met:
        return f"{system} is nowhere {worse} than the teacher"
    if len(met) == 1:
        return f"{system} is {better} than the teacher below {met[0]:.1f} dB"
    places = " and ".join(f"{snr:.1f}" for snr in met)
    return f"{system} and the teacher cross at {places} dB"


def costs_frame(costs):
    """Table 3: size, operations and time of each system, beside the paper's.

    Arguments
    ---------
    costs : pandas.DataFrame
        One row a run: ``system`` and what ``mlkd_brain.evaluation.complexity`` counts.

    Returns
    -------
    pandas.DataFrame
        Text; the time is the median over runs.
    """
    known = costs.dropna(subset=["parameters"])
    table = known.groupby("system").median(numeric_only=True)
    teacher = table["milliseconds"].get("teacher")
    rows = []
    for system in in_order(table.index):
        row = table.loc[system]
        share = (
            NOTHING
            if teacher is None
            else f"{row['milliseconds'] / teacher:.2f}"
        )
        rows.append(
            {
                "system": system,
                "parameters, M": f"{row['parameters'] / 1e6:.2f}",
                "MiB": number(row["bytes"] / MEBIBYTE),
                "paper, MiB": str(paper.SIZE_MIB.get(system, NOTHING)),
                "GMAC": f"{row['macs'] / 1e9:.2f}",
                "ms": number(row["milliseconds"]),
                "of teacher's time": share,
                "paper": _hundredths(paper.RELATIVE_TIME.get(system)),
            }
        )
    return pandas.DataFrame(rows)


def _hundredths(value):
    return NOTHING if value is None else f"{value:.2f}"


def costs_title(costs):
    """What Table 3 rests on, in words."""
    known = costs.dropna(subset=["parameters"])
    machines = "; ".join(
        f"{machine}, {threads:g} threads"
        for machine, threads in sorted(
            set(zip(known["machine"], known["threads"]))
        )
    )
    seconds = known["seconds"].iloc[0]
    return (
        f"Table 3. One utterance of {seconds:g} s: size, multiply-accumulates and "
        f"time, the median over a system's runs ({machines}); "
        "paper: wav2vec 2.0 base, another machine"
    )
