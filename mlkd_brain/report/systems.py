"""Which systems, runs and noises a report has, in which order and colour.

Authors
 * The MLKD team 2026
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlkd_brain.names import CLEAN
from mlkd_brain.noise.copies import copy_of
from mlkd_brain.report.formatting import listed, ranges
from pandas import DataFrame

#: Known systems in the order of a table, each with its colour and marker.
#: Okabe and Ito's colours, which colour-blind readers can tell apart; of the
#: baselines those trained on noise have the darker shade.
LOOKS = {
    "teacher": ("#000000", "o"),
    "teacher_noisy": ("#4D4D4D", "*"),
    "no_front_end": ("#A6A6A6", "p"),
    "vad": ("#56B4E9", ">"),
    "nmf": ("#B48EDB", "<"),
    "vad_nmf": ("#E69F00", "X"),
    "no_front_end_matched": ("#5C5C5C", "p"),
    "vad_matched": ("#1B6CA8", ">"),
    "nmf_matched": ("#6A3D9A", "<"),
    "vad_nmf_matched": ("#8C5A00", "X"),
    "student_unsupervised": ("#D55E00", "^"),
    "student_from_teacher": ("#009E73", "s"),
    "student_pretrained": ("#56B4E9", "P"),
    "student": ("#0072B2", "D"),
    "student_scaled": ("#CC79A7", "v"),
    "student_searched": ("#882255", "h"),
    "student_balanced_pretrained": ("#E69F00", "<"),
    "student_balanced": ("#CC79A7", "v"),
    "student_of_noisy": ("#882255", "h"),
    "student_plain": ("#637939", ">"),
}
SYSTEMS = tuple(LOOKS)
OTHERS = ("#56B4E9", "#8C6D31", "#7B4173", "#637939")
#: The paper's system, with which the others are compared.
REFERENCE = "student"


def in_order(systems: Iterable[str]) -> list[str]:
    """Known systems first, then the others by name.

    Example
    -------
    >>> in_order({"student", "another", "teacher"})
    ['teacher', 'student', 'another']
    """
    names = set(systems)
    known = [name for name in SYSTEMS if name in names]
    return known + sorted(names.difference(SYSTEMS))


def colours(systems: Sequence[str]) -> dict[str, str]:
    """Colour of each system, the same in every figure.

    Example
    -------
    >>> colours(["student", "mine"])
    {'student': '#0072B2', 'mine': '#56B4E9'}
    """
    others = [name for name in in_order(systems) if name not in LOOKS]
    more = {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)}
    return {
        name: LOOKS[name][0] if name in LOOKS else more[name]
        for name in systems
    }


def marker(system: str) -> str:
    """Marker of a system."""
    return LOOKS[system][1] if system in LOOKS else "P"


def systems_of(table: DataFrame) -> list[str]:
    """Systems of a table of predictions, scores or logs, in order."""
    return in_order(table["system"].unique())


def for_system(system: str, table: DataFrame) -> DataFrame:
    """The rows of one system."""
    return table[table["system"] == system]


def left_out(protocols: Iterable[dict[str, Any]]) -> str:
    """What a fold leaves out, in words: a speaker, or a group of them."""
    grouped = any(protocol.get("fold_groups") for protocol in protocols)
    return "group of speakers" if grouped else "speaker"


def plural(unit: str) -> str:
    """More than one of ``left_out``.

    Example
    -------
    >>> plural("speaker"), plural("group of speakers")
    ('speakers', 'groups of speakers')
    """
    first, *rest = unit.split(" ", 1)
    return " ".join([f"{first}s", *rest])


def corpora(protocols: Iterable[dict]) -> list[str]:
    """Names of the corpora, sorted; none if no protocol.json has one."""
    return sorted({p["corpus"] for p in protocols if p.get("corpus")})


def by_condition(
    table: DataFrame, noises: Sequence[str]
) -> dict[Any, dict[str, DataFrame]]:
    """Rows of each system at each SNR under some noises, and clean.

    Arguments
    ---------
    table : pandas.DataFrame
        Predictions or scores of several systems.
    noises : list of str
        Noise types to take together.

    Returns
    -------
    dict
        SNR in dB (rising), or "clean" (last), to system to its rows.
    """
    used = table[table["noise"].isin([*noises, CLEAN])]
    index: dict[Any, dict[str, DataFrame]] = {}
    groups = used.groupby(["snr_db", "system"], dropna=False)
    for (snr_db, system), own in groups:
        key = CLEAN if math.isnan(snr_db) else snr_db
        index.setdefault(key, {})[system] = own
    return index


def heads(table: DataFrame, heading: str) -> Iterator[tuple[str, dict]]:
    """Each system and the columns that begin its row: name, folds, seeds."""
    runs = table[["system", "seed", "fold"]].drop_duplicates()
    for system in systems_of(runs):
        own = folds_and_seeds(for_system(system, runs))
        yield system, {heading: system, **own}


def folds_and_seeds(runs: DataFrame) -> dict[str, str]:
    """The columns ``folds`` and ``seeds`` of a row.

    Arguments
    ---------
    runs : pandas.DataFrame
        ``seed`` and ``fold``, e.g. predictions.

    Returns
    -------
    dict
        Seeds with other folds stand apart, in the same order in both.

    Example
    -------
    >>> runs = DataFrame({"seed": [1, 1, 2], "fold": [1, 2, 2]})
    >>> folds_and_seeds(runs)
    {'folds': '1–2 / 2', 'seeds': '1 / 2'}
    """
    seeds: dict[str, list[int]] = {}
    for seed, folds in runs.groupby("seed")["fold"]:
        seeds.setdefault(ranges(folds.unique()), []).append(seed)
    return {
        "folds": " / ".join(seeds),
        "seeds": " / ".join(map(ranges, seeds.values())),
    }


def common_noises(table: DataFrame) -> list[str]:
    """Noise types that every system was scored on, in order."""
    noisy = table[table["noise"] != CLEAN]
    systems = noisy.groupby("noise", sort=False)["system"].nunique()
    return list(systems[systems == table["system"].nunique()].index)


def unseen_noises(
    system: str, noises: Iterable[str], protocols: Iterable[dict]
) -> list[str]:
    """Noise types that a system was never trained on; none for a teacher.

    Recordings are told apart by what they hold, not by their names: a copy in
    another format is the same recording.
    """
    unseen = {
        noise
        for protocol in protocols
        if protocol["system"] == system and "noise_heard" in protocol
        for noise in noises
        if not copies_heard(protocol, noise)
    }
    return [noise for noise in noises if noise in unseen]


def copies_heard(protocol: dict, noise: str) -> dict[str, tuple[float, float]]:
    """Recordings of a training that are the same as one of the test.

    Arguments
    ---------
    protocol : dict
        Of a run with noise in its training.
    noise : str
        Noise type of the test.

    Returns
    -------
    dict
        Noise type in the training to what ``copy_of`` gives.
    """
    tested = protocol.get("noise_evaluated", {}).get(noise)
    fingerprints = protocol.get("noise_fingerprints", {})
    found = {
        name: copy_of(tested, heard, fingerprints)
        for name, heard in protocol.get("noise_heard", {}).items()
    }
    return {name: copy for name, copy in found.items() if copy}


def unseen_note(noises: Sequence[str], protocols: Sequence[dict]) -> str:
    """Which noises are unseen by which systems, to end a title; or nothing."""
    systems: dict[str, list[str]] = {}
    for system in in_order(protocol["system"] for protocol in protocols):
        if unseen := unseen_noises(system, noises, protocols):
            systems.setdefault(listed(unseen), []).append(system)
    notes = [
        f"{names} unseen by {listed(own)}" for names, own in systems.items()
    ]
    return f" ({'; '.join(notes)})" if notes else ""
