"""The table on top of a report: data, folds, leaks, noise, versions.

Authors
 * The MLKD team 2026
"""

import statistics
from collections.abc import Iterable

from mlkd_brain.markdown import markdown_table
from mlkd_brain.names import CLEAN, SAMPLE_RATE
from mlkd_brain.report.formatting import listed, ranges
from mlkd_brain.report.leakage import COMPLETENESS, NOISE, SPEAKERS, Problem
from mlkd_brain.report.results import Results
from mlkd_brain.report.statistics import RESAMPLES
from mlkd_brain.report.systems import (
    corpora,
    for_system,
    in_order,
    left_out,
    plural,
    systems_of,
    unseen_noises,
)

UNKNOWN = "not recorded"
FOLDS = 10  # of the paper, where no protocol.json names speakers
SHARED = "shared between training, validation and test"


def protocol_table(results: Results, problems: Iterable[Problem]) -> str:
    """What the numbers of a report rest on, as a Markdown table.

    Arguments
    ---------
    results : mlkd_brain.report.results.Results
        What is reported.
    problems : list of mlkd_brain.report.leakage.Problem
        What the leakage check found.
    """
    predictions, protocols = results.predictions, results.protocols
    found = {
        kind: _found([p.text for p in problems if p.kind == kind])
        for kind in (SPEAKERS, NOISE, COMPLETENESS)
    }
    rows = {
        "corpus": listed(corpora(protocols)) or UNKNOWN,
        "scored": _scored(predictions),
        "folds": _folds(predictions, protocols),
        "seeds": listed(sorted(predictions["seed"].unique())),
        f"speakers {SHARED}, teachers included": found[SPEAKERS],
        f"noise segments {SHARED}": found[NOISE],
        "missing, doubled or altered predictions": found[COMPLETENESS],
        "noise in training": _training_noise(predictions, protocols),
        "noise of the tests": _test_noise(protocols),
        "an SNR compares": "active speech level (ITU-T P.56) and the segment's "
        f"mean level, weighting {_values('weighting', protocols)}",
        "epoch chosen by": _epochs(protocols),
        "encoder": _encoders(protocols),
        "a number of a table": "mean over runs (folds and seeds) of each run's "
        "own accuracy",
        "intervals": _intervals(results),
        "versions": _versions(protocols),
    }
    return markdown_table(["protocol", ""], [[k, v] for k, v in rows.items()])


def _found(texts):
    if not texts:
        return "none"
    more = f" (and {len(texts) - 3} more)" if len(texts) > 3 else ""
    return f"**{len(texts)}**: {'; '.join(texts[:3])}{more}"


def _scored(predictions):
    conditions = predictions[["noise", "snr_db"]].drop_duplicates()
    counts = predictions.groupby("ID")["emo"].first().value_counts()
    classes = listed(f"{name} {n}" for name, n in counts.sort_index().items())
    return (
        f"{predictions['ID'].nunique()} utterances ({classes}) of "
        f"{predictions['spk_id'].nunique()} speakers in {len(conditions)} "
        f"conditions by {predictions['system'].nunique()} systems: "
        f"{len(predictions)} predictions"
    )


def _folds(predictions, protocols):
    """Folds of each system and seed; missing ones stand out in bold."""
    # each speaker of the corpus, or group of speakers, is tested once
    counts = [
        p.get("fold_groups") or len(set().union(*p["speakers"].values()))
        for p in protocols
        if "speakers" in p
    ]
    wanted = max(counts, default=FOLDS)
    done = {
        f"{system} (seed {seed})": ranges(own["fold"].unique())
        for (system, seed), own in predictions.groupby(["system", "seed"])
    }
    texts = [
        f"all {wanted} of {names}"
        if folds == ranges(range(1, wanted + 1))
        else f"**{folds}** of {wanted} of {names}"
        for folds, names in _grouped(done, "every system and seed").items()
    ]
    runs = len(predictions.groupby(["system", "seed", "fold"]))
    return (
        f"leave one {left_out(protocols)} out, {runs} runs: {'; '.join(texts)}"
    )


def _grouped(texts, everyone):
    """Each text and the names that share it; ``everyone`` if all do."""
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text, []).append(name)
    if len(names) == 1:
        return dict.fromkeys(names, everyone)
    return {text: listed(own) for text, own in names.items()}


def _training_noise(predictions, protocols):
    """Noise in the training of each system, and what stays unseen."""
    texts = {
        system: _seen(
            for_system(system, predictions)["noise"].unique(),
            [p for p in protocols if p["system"] == system],
        )
        for system in systems_of(predictions)
    }
    grouped = _grouped(texts, "every system")
    return "; ".join(f"{names}: {text}" for text, names in grouped.items())


def _seen(evaluated, protocols):
    trained = [p["noise_heard"] for p in protocols if "noise_heard" in p]
    if not trained:
        return "none, clean speech"
    noises = [name for name in evaluated if name != CLEAN]
    unseen = unseen_noises(protocols[0]["system"], noises, protocols)
    note = f"unseen: {listed(unseen)}" if unseen else "none unseen"
    where = protocols[0].get("noise_heard_in")
    return f"{listed(trained[0])}{f' in {where}' if where else ''} ({note})"


def _test_noise(protocols):
    """Seconds of each recording that the tests use."""
    segments = {
        name: tuple(edge / SAMPLE_RATE for edge in edges)
        for protocol in protocols
        for name, edges in protocol.get("noise_ranges_evaluated", {}).items()
    }
    texts = [f"{n} {a:.1f}–{b:.1f} s" for n, (a, b) in segments.items()]
    return listed(texts) or UNKNOWN


def _intervals(results):
    units = plural(left_out(results.protocols))
    if results.predictions["fold"].nunique() < 2:
        return f"none: they need two {units}"
    seeds = results.predictions["seed"].nunique()
    return (
        f"95 %, bootstrap over {units} and seeds ({RESAMPLES:,} resamples), "
        "widened as Student's t is for their number"
        + ("; one seed, whose luck is not in them" if seeds == 1 else "")
    )


def _values(key, protocols):
    return listed(sorted({protocol[key] for protocol in protocols}))


def _epochs(protocols):
    chosen = [
        protocol
        for protocol in protocols
        # the baseline has one "epoch", and nothing to choose
        if protocol.get("best_epoch") and protocol.get("encoder_hub")
    ]
    text = f"UA on the validation {left_out(protocols)}"
    if not chosen:
        return text
    best = [protocol["best_epoch"]["epoch"] for protocol in chosen]
    median = statistics.median(best)
    ties = sorted({p.get("epochs_that_tie", "not recorded") for p in chosen})
    return (
        f"{text}: {min(best)} to {max(best)}, median {median:g}; of equal ones: "
        f"{listed(ties)}"
    )


def _encoders(protocols):
    """Encoders, and the systems that have none."""
    known = {
        (protocol["encoder_hub"], protocol["system"])
        for protocol in protocols
        if "encoder_hub" in protocol
    }
    texts = sorted({hub for hub, _ in known if hub is not None})
    without = in_order({system for hub, system in known if hub is None})
    texts += [f"none in {listed(without)}"] if without else []
    return "; ".join(texts) or UNKNOWN


def _versions(protocols):
    found: dict[str, set[str]] = {}
    for protocol in protocols:
        for package, version in protocol.get("versions", {}).items():
            found.setdefault(package, set()).add(str(version))
    texts = [f"{name} {listed(sorted(own))}" for name, own in found.items()]
    return "; ".join(texts) or UNKNOWN
