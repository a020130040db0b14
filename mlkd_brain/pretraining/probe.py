"""How much of an emotion a linear classifier finds in frozen features.

    mlkd probe results/manifests --data_folder DIR embedded

Encoders are named as ``wav2vec2_hub`` names them; opensmile's feature sets
(``IS09``, ``eGeMAPSv02`` ...; an optional package) stand beside them. With
``--results`` come the ``--systems`` that were fine-tuned on all of it.

Authors
 * The MLKD team 2026
"""

import argparse
import collections
from functools import partial

import numpy as np
import pandas
import torch
from sklearn.svm import LinearSVC
from tqdm import tqdm

from mlkd_brain.audio import read_mono
from mlkd_brain.baseline.acoustic_features import OPENSMILE, AcousticFeatures
from mlkd_brain.baseline.svm import left_out_accuracy, standardised
from mlkd_brain.data.manifests import read_speakers
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import around, markdown_table, write_into
from mlkd_brain.method.lobes import SpeechEncoder
from mlkd_brain.names import CLEAN
from mlkd_brain.report.cells import pooled
from mlkd_brain.report.results import read_predictions
from mlkd_brain.report.statistics import ACCURACIES

#: What regularises the classifier; chosen together with the block.
STRENGTHS = (0.001, 0.01, 0.1)


def pooled_states(encoder, wavs):
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


def opensmile_functionals(features, wavs):
    """Functionals of an ``AcousticFeatures``, as ``pooled_states`` gives its."""
    rows = [features(read_mono(wav)).numpy() for wav in tqdm(wavs, unit="utt")]
    return {features.kind: np.stack(rows)}


def probe(features, emotions, speakers):
    """Classify each speaker's utterances from all the others'.

    A linear support vector machine with balanced classes on standardised
    features. For each test speaker the block and the strength of the
    regularisation are those that do best on the other speakers, each left out
    in turn: never on the test speaker.

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
            (block, strength): left_out_accuracy(
                _classifier(strength),
                values[others],
                emotions[others],
                speakers[others],
            )
            for block, values in features.items()
            for strength in STRENGTHS
        }
        block, strength = max(scores, key=scores.get)
        classifier = _classifier(strength)
        classifier.fit(features[block][others], emotions[others])
        predicted[~others] = classifier.predict(features[block][~others])
        chosen.append(block)
    return predicted, chosen


def _classifier(strength):
    return standardised(
        LinearSVC(C=strength, class_weight="balanced", random_state=0)
    )


def probe_rows(manifest_folder, data_folder, front_ends):
    """Clean accuracy of each front end, leave-one-speaker-out.

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
    list
        A row each: front end, block chosen most often, pooled UA and WA in
        percent.
    """
    corpus = pandas.concat(read_speakers(manifest_folder).values())
    wavs = corpus["wav"].str.replace("$data_root", str(data_folder))
    emotions = corpus["emo"].to_numpy(dtype=str)
    speakers = corpus["spk_id"].to_numpy(dtype=str)
    rows = []
    # all are built before the first is asked
    for front_end, features in [(name, _reader(name)) for name in front_ends]:
        predicted, chosen = probe(features(wavs), emotions, speakers)
        (block, _), *_ = collections.Counter(chosen).most_common(1)
        scored = _accuracies(corpus.assign(predicted=predicted))
        rows.append([front_end, block, *scored])
    return rows


def _reader(front_end):
    """What turns recordings into features, block by block."""
    if front_end in OPENSMILE:
        return partial(opensmile_functionals, AcousticFeatures(front_end))
    return partial(pooled_states, SpeechEncoder(front_end))


def fine_tuned(results_folder, systems):
    """Clean accuracy of systems that learned all of their weights.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Of a study, see ``run_folds.py``.
    systems : list of str
        With runs in it.

    Raises
    ------
    InputError
        If a system has none.

    Returns
    -------
    list
        A row each: system, seeds, UA and WA in percent, folds and seeds pooled.
    """
    predictions = read_predictions(results_folder)
    clean = predictions[predictions["noise"] == CLEAN]
    rows = []
    for system in systems:
        heard = clean[clean["system"] == system]
        if heard.empty:
            raise InputError(
                f"{results_folder}: has no predictions of {system}; it has runs "
                f"of {', '.join(sorted(clean['system'].unique()))}."
            )
        seeds = ", ".join(map(str, sorted(heard["seed"].unique())))
        learned = f"fine-tuned, seeds {seeds}"
        rows.append([system, learned, *_accuracies(heard)])
    return rows


def _accuracies(predictions):
    return [pooled(predictions, name) for name in ACCURACIES]


def main(argv):
    """Print the table, and write it where it is wanted.

    Arguments
    ---------
    argv : list of str
        Options of the command.
    """
    parser = argparse.ArgumentParser(
        prog="mlkd probe", description=__doc__.splitlines()[0]
    )
    parser.add_argument("manifest_folder")
    parser.add_argument("front_ends", nargs="+")
    parser.add_argument("--data_folder", required=True)
    parser.add_argument("--results", help="folder of a study")
    parser.add_argument("--systems", nargs="+", default=["teacher"])
    parser.add_argument("--into", help="Markdown file with a marker")
    parser.add_argument("--marker", default="probe")
    options = parser.parse_args(argv)
    if options.into:
        around(options.into, options.marker)
    tuned = (
        fine_tuned(options.results, options.systems) if options.results else []
    )
    rows = probe_rows(
        options.manifest_folder, options.data_folder, options.front_ends
    )
    table = markdown_table(
        ["front end", "features", "UA %", "WA %"], rows + tuned
    )
    print(table)
    if options.into:
        write_into(options.into, options.marker, table)
