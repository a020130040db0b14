"""How much nearer to clean speech the enhancement brings a noisy utterance.

Leave-one-speaker-out: the atoms of speech know nothing of a test speaker, those
of noise nothing of the test range of a recording. White noise is added to the
recordings of the yaml, generated when the folder has none.

An SNR is the ratio of the mean squares of the whole utterance and the noise, so
that it is the signal-to-distortion ratio before the enhancement, too.

Authors
 * The MLKD team 2026
"""

import contextlib
import itertools
import pathlib
import tempfile

import numpy as np
import pandas
import soundfile
import torch
from hyperpyyaml import load_hyperpyyaml
from ruamel.yaml import YAML
from tqdm import tqdm

from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.baseline.distortion import sdr_db, si_sdr_db
from mlkd_brain.baseline.enhancement import KNOWLEDGE
from mlkd_brain.baseline.system import training_ranges
from mlkd_brain.data.folds import fold_speakers, read_groups
from mlkd_brain.data.manifests import read_speakers
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import markdown_table
from mlkd_brain.noise.bank import AUDIO_SUFFIXES
from mlkd_brain.noise.levels import gain_from_levels, noise_level
from mlkd_brain.noise.sampling import evaluation_sample
from mlkd_brain.run.experiment import load_hparams

WHITE = "white"
WHITE_SECONDS = 20


def gains(hparams, snrs_db):
    """Gain of every test utterance in every condition.

    Arguments
    ---------
    hparams : dict
        ``enhancement``, ``train_noise``, ``noise_bank`` (prepared), and what
        describes the folds of the corpus.
    snrs_db : list of float
        Signal-to-noise ratios, dB.

    Returns
    -------
    pandas.DataFrame
        ``spk_id, noise, snr_db, knowledge`` and the gains ``sdr`` and
        ``si_sdr``, dB.
    """
    manifests = read_speakers(hparams["manifest_folder"], hparams["emotions"])
    rows = []
    for fold in tqdm(range(1, len(manifests) + 1), unit="fold"):
        tested = learn_fold(hparams, manifests, fold)
        for utterance, clean in read_all(tested, hparams["data_folder"]):
            conditions = itertools.product(hparams["noise_bank"].types, snrs_db)
            for noise, snr_db in conditions:
                noisy = mixture(
                    clean, hparams["noise_bank"], utterance.ID, noise, snr_db
                )
                rows += [
                    {"spk_id": utterance.spk_id, "noise": noise, **row}
                    for row in _compare(
                        hparams["enhancement"], clean, noisy, noise, snr_db
                    )
                ]
    return pandas.DataFrame(rows)


def learn_fold(hparams, manifests, fold):
    """Learn the atoms of a fold; returns the manifest of its test speaker."""
    parts = fold_speakers(
        read_groups(manifests, hparams["fold_groups"]),
        fold,
        hparams["validates_on"],
    )
    train = pandas.concat([manifests[name] for name in parts["train"]])
    speech = (wav for _, wav in read_all(train, hparams["data_folder"]))
    hparams["train_noise"].resolve()
    ranges = training_ranges(hparams["train_noise"])
    hparams["enhancement"].learn(speech, ranges)
    return manifests[parts["test"][0]]


def read_all(manifest, data_folder):
    """Rows of a manifest, each with its waveform, (time,)."""
    for row in manifest.itertuples():
        yield row, read_mono(row.wav.replace("$data_root", str(data_folder)))


def mixture(clean, bank, utterance, noise, snr_db):
    """The utterance with unseen noise, (time,); no level is limited."""
    position = evaluation_sample(utterance, noise, snr_db).position
    segment = bank.segment(noise, "test", position, len(clean))
    levels = noise_level(clean.numpy()), noise_level(segment)
    gain = gain_from_levels(*levels, snr_db)
    return clean + gain * torch.from_numpy(np.array(segment))


def _compare(enhancement, clean, noisy, noise, snr_db):
    measures = {"sdr": sdr_db, "si_sdr": si_sdr_db}
    before = {name: of(clean, noisy) for name, of in measures.items()}
    for knowledge in KNOWLEDGE:
        enhancement.knowledge = knowledge
        enhanced = enhancement(noisy, noise)
        after = {name: of(clean, enhanced) for name, of in measures.items()}
        won = {name: after[name] - before[name] for name in measures}
        yield {"snr_db": snr_db, "knowledge": knowledge, **won}


def gain_table(results):
    """The gains as Markdown, one row a noise and SNR.

    Arguments
    ---------
    results : pandas.DataFrame
        Of ``gains``.

    Returns
    -------
    str
        Mean over utterances ± standard deviation over speakers, dB.
    """
    rows = [
        [f"{snr_db:g} dB", noise]
        + [_cell(part[part["knowledge"] == kind]) for kind in KNOWLEDGE]
        for (snr_db, noise), part in results.groupby(["snr_db", "noise"])
    ]
    return markdown_table(["SNR", "noise", *KNOWLEDGE], rows)


def _cell(part):
    speakers = part.groupby("spk_id")["sdr"].mean()
    return (
        f"{part['sdr'].mean():+.1f} ± {speakers.std(ddof=0):.1f} "
        f"({part['si_sdr'].mean():+.1f})"
    )


def examples(hparams, noises, snr_db):
    """Columns of the picture: the first utterance that fold 1 tests.

    Arguments
    ---------
    hparams : dict
        As in ``gains``.
    noises : list of str
        One for each column.
    snr_db : float
        Signal-to-noise ratio, dB.

    Returns
    -------
    dict
        Title of a column to its rows, see ``draw_enhancement``.
    """
    manifests = read_speakers(hparams["manifest_folder"], hparams["emotions"])
    tested = learn_fold(hparams, manifests, 1)
    utterance, clean = next(read_all(tested, hparams["data_folder"]))
    columns = {}
    for noise in noises:
        noisy = mixture(
            clean, hparams["noise_bank"], utterance.ID, noise, snr_db
        )
        enhanced = hparams["enhancement"](noisy, noise)
        how = hparams["enhancement"].knowledge
        columns[f"{utterance.ID} with {noise} noise"] = {
            "clean": clean,
            f"noisy: SDR {sdr_db(clean, noisy):.1f} dB": noisy,
            f"enhanced ({how}): SDR {sdr_db(clean, enhanced):.1f} dB": enhanced,
        }
    return columns


@contextlib.contextmanager
def white_noise_beside(noise_folder, seed):
    """A temporary folder with links to the recordings, and white noise."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for path in pathlib.Path(noise_folder).iterdir():
            if path.suffix.lower() in AUDIO_SUFFIXES:
                (folder / path.name).symlink_to(path.resolve())
        if not any(path.stem == WHITE for path in folder.iterdir()):
            random = np.random.default_rng(seed)
            samples = random.normal(0, 0.1, WHITE_SECONDS * SAMPLE_RATE)
            soundfile.write(folder / f"{WHITE}.wav", samples, SAMPLE_RATE)
        yield folder


@contextlib.contextmanager
def prepared(argv):
    """Hparams of a yaml and its options, with white noise among its noises."""
    path, hparams, _, overrides = load_hparams(argv)
    if hparams["enhancement"] is None:
        raise InputError("enhancement is null; there is no gain to measure.")
    read_speakers(hparams["manifest_folder"], hparams["emotions"])
    hparams["noise_bank"].prepare()  # says what is wrong with the folder
    types = [t for t in hparams["noise_bank"].types if t != WHITE] + [WHITE]
    given = YAML().load(overrides) or {}
    with white_noise_beside(hparams["noise_folder"], hparams["seed"]) as folder:
        given["noise_folder"] = str(folder)
        given["noise_cache"] = str(folder / "cache")
        given["noise_types"] = types
        with open(path, encoding="utf-8") as yaml:
            hparams = load_hyperpyyaml(yaml, given)
        hparams["noise_bank"].prepare()
        yield hparams
