"""What a study's numbers rest on, on top of its report.

Authors
 * The MLKD team 2026
"""

import statistics

from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.markdown import markdown_table
from mlkd_brain.names import CLEAN
from mlkd_brain.report.leakage import COMPLETENESS, NOISE, SPEAKERS
from mlkd_brain.report.paper import corpora
from mlkd_brain.report.statistics import RESAMPLES
from mlkd_brain.report.titles import (
    in_order,
    number_of_folds,
    unseen_noises,
)

SHARED = "shared between training, validation and test"


def protocol_card(study, problems):
    """A table of two columns, as Markdown.

    Arguments
    ---------
    study : mlkd_brain.report.results.Study
        What is reported.
    problems : list of mlkd_brain.report.leakage.Problem
        What the leakage check found.

    Returns
    -------
    str
        Markdown.
    """
    predictions, protocols = study.predictions, study.protocols
    rows = {
        "corpus": ", ".join(corpora(protocols)) or "not recorded",
        "scored": _scored(predictions),
        "folds": _folds(predictions, protocols),
        "seeds": _list(sorted(predictions["seed"].unique())),
        f"speakers {SHARED}, teachers included": _found(problems, SPEAKERS),
        f"noise segments {SHARED}": _found(problems, NOISE),
        "missing or doubled predictions": _found(problems, COMPLETENESS),
        "noise heard in training": _noise_heard(predictions, protocols),
        "noise of the tests": _test_noise(protocols),
        "an SNR compares": _weightings(protocols),
        "epoch chosen by": _epochs(protocols),
        "encoder": "; ".join(_encoders(protocols)),
        "intervals": _intervals(predictions),
        "versions": _versions(protocols),
    }
    return markdown_table(["protocol", ""], [[k, v] for k, v in rows.items()])


def _found(problems, kind):
    texts = [problem.text for problem in problems if problem.kind == kind]
    if not texts:
        return "none"
    more = f" (and {len(texts) - 3} more)" if len(texts) > 3 else ""
    return f"**{len(texts)}**: {'; '.join(texts[:3])}{more}"


def _scored(predictions):
    conditions = predictions[["noise", "snr_db"]].drop_duplicates()
    systems = in_order(predictions["system"].unique())
    counts = predictions.groupby("ID")["emo"].first().value_counts()
    classes = ", ".join(
        f"{name} {n}" for name, n in counts.sort_index().items()
    )
    return (
        f"{predictions['ID'].nunique()} utterances ({classes}) of "
        f"{predictions['spk_id'].nunique()} speakers in {len(conditions)} "
        f"conditions by {len(systems)} systems: {len(predictions)} predictions"
    )


def _folds(predictions, protocols):
    """Folds of each system and seed; those that are missing are told."""
    wanted = number_of_folds(protocols)
    done = {
        f"{system} (seed {seed})": _list(sorted(own["fold"].unique()))
        for (system, seed), own in predictions.groupby(["system", "seed"])
    }
    whole = _list(range(1, wanted + 1))
    words = [
        f"all {wanted} of {names}"
        if folds == whole
        else f"**{folds}** of {wanted} of {names}"
        for folds, names in _grouped(done, "every system and seed").items()
    ]
    runs = len(predictions.groupby(["system", "seed", "fold"]))
    return f"leave one speaker out, {runs} runs: {'; '.join(words)}"


def _grouped(said, everyone):
    """Names of those of whom the same is said; or that it is said of all."""
    names = {}
    for name, words in said.items():
        names.setdefault(words, []).append(name)
    if len(names) == 1:
        return dict.fromkeys(names, everyone)
    return {words: ", ".join(own) for words, own in names.items()}


def _noise_heard(predictions, protocols):
    """Seen or unseen noise, for each system."""
    said = {
        system: _seen(
            predictions[predictions["system"] == system]["noise"].unique(),
            [card for card in protocols if card["system"] == system],
        )
        for system in in_order(predictions["system"].unique())
    }
    grouped = _grouped(said, "every system")
    return "; ".join(f"{names}: {words}" for words, names in grouped.items())


def _seen(evaluated, cards):
    heard = [card["noise_heard"] for card in cards if "noise_heard" in card]
    if not heard:
        return "none, clean speech"
    noises = [name for name in evaluated if name != CLEAN]
    unseen = unseen_noises(cards[0]["system"], noises, cards)
    said = f"unseen: {_list(unseen)}" if unseen else "none unseen"
    where = cards[0].get("noise_heard_in")
    return f"{_list(heard[0])}{f' in {where}' if where else ''} ({said})"


def _test_noise(protocols):
    """Seconds of each recording that the tests hear."""
    ranges = {
        name: tuple(edges)
        for card in protocols
        for name, edges in card.get("noise_ranges_evaluated", {}).items()
    }
    if not ranges:
        return "not recorded"
    return ", ".join(
        f"{name} {start / SAMPLE_RATE:.1f}–{stop / SAMPLE_RATE:.1f} s"
        for name, (start, stop) in ranges.items()
    )


def _intervals(predictions):
    if predictions["spk_id"].nunique() < 2:
        return "none: they need two speakers"
    return (
        f"95 %, bootstrap over whole speakers ({RESAMPLES} resamples); few "
        "speakers make them narrow"
    )


def _weightings(protocols):
    names = sorted({card["weighting"] for card in protocols})
    return (
        f"active speech level (ITU-T P.56) and the segment's mean level, "
        f"weighting {_list(names)}"
    )


def _epochs(protocols):
    best = [
        card["best_epoch"]["epoch"]
        for card in protocols
        # the baseline has one "epoch", and nothing to choose
        if card.get("best_epoch") and card.get("wav2vec2_hub")
    ]
    said = "UA on the validation speaker"
    if not best:
        return said
    median = statistics.median(best)
    return f"{said}: {min(best)} to {max(best)}, median {median:g}"


def _encoders(protocols):
    """Encoders, and the systems that have none."""
    known = [card for card in protocols if "wav2vec2_hub" in card]
    hubs = {card["wav2vec2_hub"] for card in known}
    without = {c["system"] for c in known if c["wav2vec2_hub"] is None}
    words = sorted(hubs - {None})
    if without:
        words.append(f"none in {_list(in_order(without))}")
    return words or ["not recorded"]


def _versions(protocols):
    found = {}
    for card in protocols:
        for package, version in card.get("versions", {}).items():
            found.setdefault(package, set()).add(str(version))
    return (
        "; ".join(f"{name} {_list(sorted(v))}" for name, v in found.items())
        or "not recorded"
    )


def _list(items):
    return ", ".join(map(str, items))
