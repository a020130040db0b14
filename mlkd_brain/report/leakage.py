"""The command ``mlkd check``: can the numbers of a study be trusted?

    mlkd check results
    mlkd check my.csv

It compares the files of the runs with one another: what protocol.json records
of training and test, the labels of test.csv, the predictions. It cannot know
what all of these agree on: a study whose every file was altered alike. A
CSV is an own corpus, see ``mlkd_brain.data.corpus_check``.

Authors
 * The MLKD team 2026
"""

import argparse
import itertools
import json
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas
from mlkd_brain.data.corpus_check import main as check_corpus
from mlkd_brain.names import CLEAN, PREDICTIONS, PROTOCOL, SAMPLE_RATE
from mlkd_brain.report.command import add_runs
from mlkd_brain.report.formatting import column
from mlkd_brain.report.results import (
    MANIFEST,
    RunFiles,
    evaluated_runs,
    find_runs,
    unpacked,
)
from mlkd_brain.report.systems import copies_heard
from mlkd_brain.run.protocol import read_protocol
from pandas import DataFrame

SPEAKERS, NOISE, COMPLETENESS = "speakers", "noise", "predictions"
KEYS = ["ID", "noise", "snr_db"]


class Problem(NamedTuple):
    """What kind of problem it is, and one line about it."""

    kind: str
    text: str


def main(argv: list[str]) -> int:
    """Print each problem.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Returns
    -------
    int
        Exit status: 1 if there are problems.
    """
    if any(word.lower().endswith(".csv") for word in argv):
        return check_corpus(argv)
    parser = argparse.ArgumentParser(
        prog="mlkd check",
        description="Look for leaks between training and test, and for missing, "
        "doubled or altered predictions; exit status 1 if there are any. A CSV is an own "
        "corpus: what it holds and lacks; see mlkd check my.csv --help.",
    )
    add_runs(parser)
    options = parser.parse_args(argv)
    with unpacked(options.results) as folder:
        problems = find_problems(folder, options.evaluation, options.folds)
    for problem in problems:
        print(f"{problem.kind}: {problem.text}", file=sys.stderr)
    if not problems:
        print(
            "No test speaker and no second of test noise was used in training, "
            "no prediction is missing, doubled or altered."
        )
    return 1 if problems else 0


def find_problems(
    results_folder: str | pathlib.Path,
    evaluation: str = ".",
    folds: Sequence[int] | None = None,
) -> list[Problem]:
    """Everything because of which the numbers of a study cannot be trusted.

    A test speaker in the training or validation of a model or of its teacher; a
    validation speaker in the training; seconds of noise in two parts, also of a
    copy in another format; predictions that are missing or doubled, have other
    labels than the manifest or another class than the most probable one;
    systems with different test inputs. What a protocol.json does not record is
    a problem too.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds the runs.
    evaluation, folds
        See ``mlkd_brain.report.results.find_runs``.

    Raises
    ------
    InputError
        If there are no predictions at all, or a file is damaged.

    Returns
    -------
    list of Problem
        Empty if all is well.
    """
    runs = evaluated_runs(results_folder, evaluation, folds)
    return problems_of(runs, find_runs(results_folder, evaluation, folds))


def problems_of(
    runs: Sequence[RunFiles], all_runs: Sequence[RunFiles]
) -> list[Problem]:
    """As ``find_problems``, of the runs with predictions among all runs."""
    checks = (
        _shared_speakers,
        _teachers_speakers,
        _shared_noise,
        _copied_noise,
        _other_labels,
        _other_winners,
    )
    return [
        *(item for run in runs for check in checks for item in check(run)),
        *_missing_runs(runs, all_runs),
        *_other_mixtures(runs),
        *_labels_that_change(runs),
        *_incomplete(runs),
    ]


def _shared_speakers(run: RunFiles) -> Iterator[Problem]:
    """Speakers in two parts of one run."""
    parts = run.protocol.get("speakers")
    if not parts:
        yield _speakers(run, f"{PROTOCOL} does not say who trained it")
        return
    # the protocol's test speakers, and whoever was scored
    parts = {**parts, "test": [*parts["test"], *run.table["spk_id"].unique()]}
    for one, other in itertools.combinations(parts, 2):
        for speaker in sorted(set(parts[one]) & set(parts[other])):
            yield _speakers(
                run, f"speaker {speaker} is in its {one} and its {other} part"
            )


def _teachers_speakers(run: RunFiles) -> Iterator[Problem]:
    """Held-out speakers from whom the run's teacher has learned."""
    if not run.protocol.get("teacher"):
        return
    teacher = run.protocol.get("teacher_speakers") or _speakers_of_teacher(run)
    if teacher is None:
        yield _speakers(run, f"{PROTOCOL} does not say who trained its teacher")
        return
    tested = set(run.table["spk_id"])
    validated = set(run.protocol.get("speakers", {}).get("valid", ()))
    for name, speakers, part in (
        ("test", tested, "train"),
        ("test", tested, "valid"),
        ("validation", validated, "train"),
    ):
        for speaker in sorted(speakers & set(teacher[part])):
            text = f"speaker {speaker} is in the {part} part of its teacher"
            yield _speakers(run, f"{name} {text}")


def _speakers_of_teacher(run):
    """Of the teacher of the same seed and fold, where it still is."""
    path = run.folder.parents[2].joinpath("teacher", *run.folder.parts[-2:])
    if not (path / PROTOCOL).is_file():
        return None
    return read_protocol(path).get("speakers")


def _speakers(run, text):
    return Problem(SPEAKERS, f"{run.name}: {text}")


def _shared_noise(run: RunFiles) -> Iterator[Problem]:
    """Seconds of a recording in two parts: training, validation, test."""
    protocol = run.protocol
    known = {"noise_ranges", "noise_ranges_evaluated"} <= protocol.keys()
    for name in protocol.get("noise_evaluated", {}):
        for other, (_, later) in copies_heard(protocol, name).items():
            if not known:
                text = (
                    f"{run.name}: {PROTOCOL} does not say which part of {other} "
                    "was used in training; give its training script, which only "
                    "writes that down if all epochs are done, and evaluate.py "
                    "again"
                )
                yield Problem(NOISE, text)
                return
            tested = protocol["noise_ranges_evaluated"][name]
            # in samples of the training's recording, of which it is a copy
            moved = [edge - round(later * SAMPLE_RATE) for edge in tested]
            for part, used in _learned_from(protocol, other).items():
                if _overlap(moved, used):
                    yield Problem(
                        NOISE,
                        f"{run.name}: {name} is tested with {_samples(tested)}, "
                        f"its {part} part uses {_samples(used)}",
                    )
    for name in protocol.get("noise_ranges", {}):
        parts = _learned_from(protocol, name)
        if len(parts) == 2 and _overlap(*parts.values()):
            yield Problem(
                NOISE,
                f"{run.name}: {name} has {_samples(parts['valid'])} in its valid "
                f"part and {_samples(parts['train'])} in its train part",
            )


def _learned_from(protocol, noise):
    """Range of a recording in each part that decides on the model."""
    parts = protocol["noise_ranges"][noise]
    return {part: parts[part] for part in ("train", "valid") if part in parts}


def _overlap(one, other):
    return max(one[0], other[0]) < min(one[1], other[1])


def _samples(edges):
    return f"samples {edges[0]} to {edges[1]}"


def _copied_noise(run: RunFiles) -> Iterator[Problem]:
    """A recording of the training that the test has in another form."""
    heard = run.protocol.get("noise_heard", {})
    for name, tested in run.protocol.get("noise_evaluated", {}).items():
        for other, (share, later) in copies_heard(run.protocol, name).items():
            if tested != heard[other]:
                yield Problem(
                    NOISE,
                    f"{run.name}: {name} of the test is a copy of {other} of the "
                    f"training in another form, {share:.0%} of their acoustic "
                    f"fingerprints agree with {later:+.1f} s between them; it is "
                    "not unseen",
                )


def _other_labels(run: RunFiles) -> Iterator[Problem]:
    """Labels and speakers of predictions that the manifest has not."""
    if run.manifest is None:
        return
    both = run.table.merge(run.manifest, on="ID", suffixes=("", "_of_manifest"))
    for name in ("emo", "spk_id"):
        wrong = both[both[name] != both[f"{name}_of_manifest"]]
        if len(wrong):
            first = wrong.iloc[0]
            yield Problem(
                COMPLETENESS,
                f"{run.name}: {len(wrong)} of {len(both)} predictions have "
                f"another {name} than {MANIFEST}, e.g. {_condition(first)}: "
                f"{first[name]} instead of {first[f'{name}_of_manifest']}",
            )


def _labels_that_change(runs) -> Iterator[Problem]:
    """An utterance has one label in all conditions, runs and systems."""
    known: dict[str, str] = {}
    for run in runs:
        labels = run.table[["ID", "emo"]].drop_duplicates()
        usual = labels["ID"].map(known)
        other = labels[usual.notna() & (labels["emo"] != usual)]
        twice = labels[labels["ID"].duplicated()]
        for wrong in (twice, other):
            if len(wrong):
                first = wrong.iloc[0]
                yield Problem(
                    COMPLETENESS,
                    f"{run.name}: the label changes of {len(wrong)} utterances, "
                    f"e.g. {first['ID']}, which is also {first['emo']}",
                )
                break
        known = {**labels.set_index("ID")["emo"].to_dict(), **known}


def _other_winners(run: RunFiles) -> Iterator[Problem]:
    """Predicted classes that are not the most probable one."""
    probabilities = run.table.filter(regex="^p_")
    if probabilities.empty:
        return
    named = "p_" + run.table["predicted"]
    column_of = probabilities.columns.get_indexer(named)
    values = probabilities.to_numpy()
    chosen = values[range(len(values)), column_of]
    # probabilities are rounded: equal ones may be the winner
    wrong = run.table[(column_of < 0) | (chosen < values.max(axis=1))]
    if len(wrong):
        yield Problem(
            COMPLETENESS,
            f"{run.name}: {len(wrong)} of {len(run.table)} predictions are not "
            f"the most probable class, e.g. {_condition(wrong.iloc[0])}",
        )


def _missing_runs(runs, all_runs):
    """Folds that others have, and trained runs without predictions."""
    done = {run.key for run in runs}
    folds = {fold for _, _, fold in done}
    expected = {(*key[:2], fold) for key in done for fold in folds}
    trained = {
        run.key
        for run in all_runs
        if run.evaluation == "." and (run.folder / PROTOCOL).is_file()
    }
    for system, seed, fold in sorted((expected | trained) - done):
        yield Problem(
            COMPLETENESS,
            f"{system}/{seed}/fold_{fold}: has no {PREDICTIONS}; evaluate it",
        )


def _other_mixtures(runs):
    """Systems with other test inputs under the same name."""
    for key in ("weighting", "noise_evaluated"):
        found: dict[str, str] = {}
        for run in runs:
            value = json.dumps(run.protocol.get(key), sort_keys=True)
            found.setdefault(value, run.name)
        (_, first), *others = found.items()
        for value, name in others:
            value = value if len(value) <= 60 else f"{value[:60]}…"
            yield Problem(
                COMPLETENESS,
                f"{name}: was evaluated with another {key} than {first} "
                f"({value})",
            )


def _incomplete(runs):
    """Each utterance of a fold in each condition, exactly once in each run."""
    found = [run.table[KEYS].assign(run=run.name) for run in runs]
    keys = pandas.concat(found, ignore_index=True)
    conditions = _conditions(runs, keys)
    utterances: dict[tuple, set[str]] = {}
    for run in runs:
        utterances.setdefault(run.key[1:], set()).update(_utterances(run))
        yield from _fewer_than_recorded(run)
    wanted = DataFrame(
        ((name, run.name) for run in runs for name in utterances[run.key[1:]]),
        columns=["ID", "run"],
    )
    wanted = wanted.sort_values("ID").merge(conditions, how="cross")
    both = wanted.merge(keys.drop_duplicates(), how="left", indicator=True)
    missing = dict(iter(both[both["_merge"] == "left_only"].groupby("run")))
    twice = keys[keys.duplicated()].drop_duplicates()
    doubled = dict(iter(twice.groupby("run")))
    for run in runs:
        expected = len(utterances[run.key[1:]]) * len(conditions)
        for what, rows in (("missing", missing), ("doubled", doubled)):
            if run.name in rows:
                yield Problem(
                    COMPLETENESS,
                    f"{run.name}: {len(rows[run.name])} of {expected} predictions "
                    f"are {what}, e.g. {_condition(rows[run.name].iloc[0])}",
                )


def _conditions(runs, keys):
    """Conditions that any run has, and those that the protocols promise."""
    promised = {(CLEAN, math.nan)}
    for run in runs:
        noises = run.protocol.get("noise_evaluated", {})
        snrs = run.protocol.get("snrs_db", [])
        promised |= {*itertools.product(noises, map(float, snrs))}
    named = DataFrame(sorted(promised), columns=KEYS[1:])
    return pandas.concat([keys[KEYS[1:]], named]).drop_duplicates()


def _fewer_than_recorded(run):
    """Utterances that neither the predictions nor the manifest have any more."""
    recorded = run.protocol.get("utterances", {}).get("test")
    found = len(_utterances(run))
    if recorded is not None and recorded != found:
        yield Problem(
            COMPLETENESS,
            f"{run.name}: {found} test utterances are there, {PROTOCOL} has "
            f"{recorded}",
        )


def _utterances(run):
    """Test utterances, by the manifest and by the predictions."""
    known = set(run.table["ID"])
    return known if run.manifest is None else known | set(run.manifest["ID"])


def _condition(row):
    if row["noise"] == CLEAN:
        return f"{row['ID']}, {CLEAN}"
    return f"{row['ID']} in {row['noise']} at {column(row['snr_db'])}"
