"""How much of an emotion a linear classifier finds in frozen features.

Authors
 * The MLKD team 2026
"""

import collections
import pathlib
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas
import torch
from mlkd_brain.audio import read_mono
from mlkd_brain.baseline.acoustic_features import OPENSMILE, AcousticFeatures
from mlkd_brain.baseline.svm import left_out_accuracy, standardised
from mlkd_brain.data.manifests import read_speakers
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import markdown_table
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.names import CLEAN
from mlkd_brain.report.formatting import number
from mlkd_brain.report.statistics import ACCURACIES, accuracy
from sklearn.svm import LinearSVC
from tqdm import tqdm

#: Of the classifier; chosen together with the block.
C_GRID = (0.001, 0.01, 0.1)


def pooled_states(
    encoder: SpeechEncoder, wavs: Iterable[str]
) -> dict[str, np.ndarray]:
    """Mean over frames of each block's output, and of the encoder's.

    Arguments
    ---------
    encoder : SpeechEncoder
        Put in eval mode.
    wavs : iterable of str
        Recordings.

    Returns
    -------
    dict
        "block 1" ... and "output" to arrays, (utterances, features).
    """
    encoder.eval()
    rows = []
    for wav in tqdm(wavs, unit="utt"):
        with torch.inference_mode():
            encoding = encoder(read_mono(wav)[None])
        states = [*encoding.blocks, encoding.last]
        rows.append(torch.cat(states).mean(1).numpy())
    names = [f"block {i}" for i in range(1, len(rows[0]))] + ["output"]
    return dict(zip(names, np.stack(rows, axis=1)))


def opensmile_functionals(
    features: AcousticFeatures, wavs: Iterable[str]
) -> dict[str, np.ndarray]:
    """The functionals of recordings, in the form of ``pooled_states``."""
    rows = [features(read_mono(wav)).numpy() for wav in tqdm(wavs, unit="utt")]
    return {features.kind: np.stack(rows)}


def probe(
    features: dict[str, np.ndarray], emotions: np.ndarray, speakers: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Classify each speaker's utterances from all the others'.

    A linear support vector machine with balanced classes on standardised
    features. For each test speaker the block and ``C`` are those that do best on
    the other speakers, each left out in turn: never on the test speaker.

    Arguments
    ---------
    features : dict
        Block to features, (utterances, features).
    emotions, speakers : numpy.ndarray
        Of each utterance.

    Returns
    -------
    predicted : numpy.ndarray
        Emotion of each utterance, when its speaker was left out.
    chosen : list of str
        Block for each test speaker, in sorted order.
    """
    predicted, chosen = emotions.copy(), []
    for speaker in tqdm(np.unique(speakers), unit="speaker"):
        others = speakers != speaker
        scores = {
            (block, C): left_out_accuracy(
                _classifier(C),
                values[others],
                emotions[others],
                speakers[others],
            )
            for block, values in features.items()
            for C in C_GRID
        }
        block, C = max(scores, key=lambda choice: scores[choice])
        classifier = _classifier(C)
        classifier.fit(features[block][others], emotions[others])
        predicted[~others] = classifier.predict(features[block][~others])
        chosen.append(block)
    return predicted, chosen


def _classifier(C):
    return standardised(LinearSVC(C=C, class_weight="balanced", random_state=0))


def probe_all(
    manifest_folder: str | pathlib.Path,
    data_folder: str,
    front_ends: list[str],
) -> pandas.DataFrame:
    """Probe each front end on clean speech, leave-one-speaker-out.

    Arguments
    ---------
    manifest_folder : str or pathlib.Path
        Of a prepared corpus, see ``mlkd_brain.data.manifests``.
    data_folder : str
        Root of the corpus.
    front_ends : list of str
        Encoders, or feature sets of ``OPENSMILE``.

    Raises
    ------
    InputError
        If the manifests or an encoder cannot be read.

    Returns
    -------
    pandas.DataFrame
        ``front_end, block, ID, spk_id, emo, predicted``: a row for each
        utterance and front end.
    """
    corpus = pandas.concat(read_speakers(manifest_folder).values())
    wavs = corpus["wav"].str.replace("$data_root", str(data_folder))
    emotions = corpus["emo"].to_numpy(dtype=str)
    speakers = corpus["spk_id"].to_numpy(dtype=str)
    tables = []
    # all are built before the first runs: a wrong name fails early
    for front_end, features in [(name, _reader(name)) for name in front_ends]:
        predicted, chosen = probe(features(wavs), emotions, speakers)
        blocks = dict(zip(np.unique(speakers), chosen))
        table = corpus[["ID", "spk_id", "emo"]].assign(predicted=predicted)
        table.insert(0, "block", corpus["spk_id"].map(blocks))
        table.insert(0, "front_end", front_end)
        tables.append(table)
    return pandas.concat(tables)


def _reader(front_end: str) -> Any:
    """What turns recordings into features, block by block."""
    if front_end in OPENSMILE:
        return partial(opensmile_functionals, AcousticFeatures(front_end))
    return partial(pooled_states, SpeechEncoder(front_end))


def probe_rows(predictions: pandas.DataFrame) -> list[list[str]]:
    """Clean accuracy of each front end.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of ``probe_all``.

    Returns
    -------
    list
        A row each: front end, the block that most test speakers got, UA and
        WA in percent, speakers pooled.
    """
    rows = []
    for front_end, part in predictions.groupby("front_end", sort=False):
        chosen = part.drop_duplicates("spk_id").sort_values("spk_id")["block"]
        # of blocks that tie, the one of the first speaker by name
        (block, _), *_ = collections.Counter(chosen).most_common(1)
        rows.append([front_end, block, *_accuracies(part)])
    return rows


def fine_tuned(
    predictions: pandas.DataFrame,
    systems: list[str],
    study: str | pathlib.Path,
) -> list[list[str]]:
    """Clean accuracy of systems of which every weight was trained.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of a study, see ``mlkd_brain.report.results``.
    systems : list of str
        With runs in it.
    study : str or pathlib.Path
        Its folder, which a refusal names.

    Raises
    ------
    InputError
        If a system has none.

    Returns
    -------
    list
        A row each: system, seeds, UA and WA in percent, folds and seeds pooled.
    """
    clean = predictions[predictions["noise"] == CLEAN]
    rows = []
    for system in systems:
        rated = clean[clean["system"] == system]
        if rated.empty:
            raise InputError(
                f"{study}: has no predictions of {system}; it has runs of "
                f"{', '.join(sorted(clean['system'].unique()))}."
            )
        seeds = ", ".join(map(str, sorted(rated["seed"].unique())))
        trained = f"fine-tuned, seeds {seeds}"
        rows.append([system, trained, *_accuracies(rated)])
    return rows


def _accuracies(predictions):
    return [number(accuracy(predictions, name)) for name in ACCURACIES]


def probe_table(rows: list[list[str]]) -> str:
    """Rows of ``probe_rows`` and ``fine_tuned`` as Markdown."""
    return markdown_table(["front end", "features", "UA %", "WA %"], rows)
