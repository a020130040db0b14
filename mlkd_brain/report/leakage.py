"""Whether anything that is tested was heard before, and nothing is missing.

Authors
 * The MLKD team 2026
"""

import itertools
import json
from typing import NamedTuple

import pandas

from mlkd_brain.names import CLEAN, PREDICTIONS, PROTOCOL
from mlkd_brain.report.results import (
    MANIFEST,
    Run,
    evaluated_runs,
    find_runs,
    read_table,
)
from mlkd_brain.report.tables import column
from mlkd_brain.run.protocol import read_protocol

SPEAKERS, NOISE, COMPLETENESS = "speakers", "noise", "predictions"
PLACE = ["ID", "noise", "snr_db"]


class Problem(NamedTuple):
    """One line, and what kind of trouble it is."""

    kind: str
    text: str


class Evaluated(NamedTuple):
    """A run with what it says of itself and what it predicted."""

    run: Run
    card: dict
    table: pandas.DataFrame


def find_problems(results_folder, evaluation=".", folds=None):
    """Everything that forbids to believe the numbers of a study.

    A test speaker in the training or validation of a model or of its teacher, a
    validation speaker in the training; seconds of noise that are both learned from and tested with; predictions
    that are missing or doubled; systems that did not hear the same. What a
    protocol.json does not tell counts as a problem too.

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
    asked = (results_folder, evaluation, folds)
    study = [
        Evaluated(
            run,
            read_protocol(run.evaluated),
            read_table(run.evaluated / PREDICTIONS),
        )
        for run in evaluated_runs(*asked)
    ]
    return [
        *itertools.chain.from_iterable(
            check(item)
            for item in study
            for check in (_shared_speakers, _taught_by, _shared_noise)
        ),
        *_missing_runs(study, find_runs(*asked)),
        *_other_mixtures(study),
        *_incomplete(study),
    ]


# ------------------------------------------------------------- speakers


def _shared_speakers(item):
    """Speakers in two parts of one run."""
    parts = item.card.get("speakers")
    if not parts:
        yield _speakers(item, f"{PROTOCOL} does not say who trained it")
        return
    # the protocol's test speakers, and whoever was scored
    parts = {**parts, "test": [*parts["test"], *item.table["spk_id"].unique()]}
    for one, other in itertools.combinations(parts, 2):
        for speaker in sorted(set(parts[one]) & set(parts[other])):
            yield _speakers(
                item, f"speaker {speaker} is in its {one} and its {other} part"
            )


def _taught_by(item):
    """Held-out speakers that the run's teacher has learned from."""
    if not item.card.get("teacher"):
        return
    heard = item.card.get("teacher_speakers") or _speakers_of_teacher(item.run)
    if heard is None:
        yield _speakers(
            item, f"{PROTOCOL} does not say who trained its teacher"
        )
        return
    tested = set(item.table["spk_id"])
    validated = set(item.card.get("speakers", {}).get("valid", ()))
    for own, speakers, part in (
        ("test", tested, "train"),
        ("test", tested, "valid"),
        ("validation", validated, "train"),
    ):
        for speaker in sorted(speakers & set(heard[part])):
            yield _speakers(
                item,
                f"{own} speaker {speaker} is in the {part} part of its teacher",
            )


def _speakers_of_teacher(run):
    """Of the teacher of the same seed and fold, where it still is."""
    path = run.folder.parents[2].joinpath("teacher", *run.folder.parts[-2:])
    if not (path / PROTOCOL).is_file():
        return None
    return read_protocol(path).get("speakers")


def _speakers(item, text):
    return Problem(SPEAKERS, f"{item.run.name}: {text}")


# ---------------------------------------------------------------- noise


def _shared_noise(item):
    """Seconds of a recording that are learned from and tested with."""
    card = item.card
    tested = card.get("noise_evaluated", {})
    known = "noise_ranges" in card and "noise_ranges_evaluated" in card
    for name, heard in itertools.product(tested, card.get("noise_heard", ())):
        if tested[name] != card["noise_heard"][heard]:
            continue  # another recording
        if not known:
            text = f"{PROTOCOL} does not say which part of {heard} it has heard"
            yield Problem(
                NOISE,
                f"{item.run.name}: {text}; give its training script, which only "
                "writes that down if all epochs are done, and evaluate.py again",
            )
            return
        start, stop = card["noise_ranges_evaluated"][name]
        for part in ("train", "valid"):
            first, last = card["noise_ranges"][heard][part]
            if max(start, first) < min(stop, last):
                yield Problem(
                    NOISE,
                    f"{item.run.name}: {name} is tested with samples {start} to "
                    f"{stop}, its {part} part has heard {first} to {last}",
                )


# --------------------------------------------------------- completeness


def _missing_runs(study, runs):
    """Folds that others have, and trained runs without predictions."""
    folds = {item.run.key[2] for item in study}
    done = {item.run.key for item in study}
    expected = {(*key[:2], fold) for key in done for fold in folds}
    trained = {
        run.key
        for run in runs
        if run.evaluation == "." and (run.folder / PROTOCOL).is_file()
    }
    for system, seed, fold in sorted((expected | trained) - done):
        yield Problem(
            COMPLETENESS,
            f"{system}/{seed}/fold_{fold}: has no {PREDICTIONS}; evaluate it",
        )


def _other_mixtures(study):
    """Systems that heard something else under the same name."""
    for key in ("weighting", "noise_evaluated"):
        said = {}
        for item in study:
            value = json.dumps(item.card.get(key), sort_keys=True)
            said.setdefault(value, item.run.name)
        for value, name in list(said.items())[1:]:
            first = next(iter(said.values()))
            yield Problem(
                COMPLETENESS,
                f"{name}: was evaluated with another {key} than {first} "
                f"({_shortened(value)})",
            )


def _shortened(text, longest=60):
    return text if len(text) <= longest else f"{text[:longest]}…"


def _incomplete(study):
    """Each utterance of a fold in each condition, exactly once in each run."""
    heard = pandas.concat([item.table[PLACE[1:]] for item in study])
    conditions = heard.drop_duplicates()
    for (seed, fold), items in _by_fold(study).items():
        utterances = sorted(set().union(*map(_utterances, items)))
        expected = pandas.DataFrame({"ID": utterances}).merge(
            conditions, how="cross"
        )
        for item in items:
            yield from _against(item, expected)


def _by_fold(study):
    folds = {}
    for item in study:
        folds.setdefault(item.run.key[1:], []).append(item)
    return folds


def _utterances(item):
    """Test utterances, by the manifest and by the predictions."""
    path = item.run.folder / MANIFEST
    known = set(item.table["ID"])
    if path.is_file():
        known |= set(pandas.read_csv(path, dtype={"ID": str})["ID"])
    return known


def _against(item, expected):
    places = item.table[PLACE]
    twice = places[places.duplicated()].drop_duplicates()
    both = expected.merge(places.drop_duplicates(), how="left", indicator=True)
    missing = both[both["_merge"] == "left_only"]
    for rows, what in ((missing, "missing"), (twice, "doubled")):
        if len(rows):
            yield Problem(
                COMPLETENESS,
                f"{item.run.name}: {len(rows)} of {len(expected)} predictions "
                f"are {what}, e.g. {_place(rows.iloc[0])}",
            )


def _place(row):
    if row["noise"] == CLEAN:
        return f"{row['ID']}, {CLEAN}"
    return f"{row['ID']} in {row['noise']} at {column(row['snr_db'])}"
