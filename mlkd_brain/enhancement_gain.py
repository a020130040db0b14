"""How much nearer to clean speech the enhancement brings a noisy utterance.

    python -m mlkd_brain.enhancement_gain hparams/vad_nmf.yaml --into README.md

Leave-one-speaker-out: the atoms of speech know nothing of a test speaker, those
of noise nothing of the test range of a recording. White noise is added to the
recordings of the yaml, generated when the folder has none.

An SNR is the ratio of the mean squares of the whole utterance and the noise, so
that it is the signal-to-distortion ratio before the enhancement, too.

Authors
 * The MLKD team 2026
"""

import argparse
import contextlib
import itertools
import pathlib
import tempfile

import numpy as np
import pandas
import soundfile
import torch
from speechbrain.nnet.losses import cal_si_snr
from tqdm import tqdm

from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.baseline import training_ranges
from mlkd_brain.draws import evaluation_draw
from mlkd_brain.enhancement import KNOWLEDGE
from mlkd_brain.enhancement_picture import draw_enhancement
from mlkd_brain.errors import InputError, one_line
from mlkd_brain.experiment import load_hparams
from mlkd_brain.folds import fold_speakers
from mlkd_brain.levels import gain_from_levels, noise_level
from mlkd_brain.manifests import read_speakers
from mlkd_brain.markdown import markdown_table, write_into
from mlkd_brain.noise_bank import AUDIO_SUFFIXES

WHITE = "white"
WHITE_SECONDS = 20


def sdr_db(clean, estimate):
    """Signal-to-distortion ratio, which a wrong scale lowers, too.

    Arguments
    ---------
    clean, estimate : torch.Tensor
        (time,)

    Returns
    -------
    float
        dB.

    Example
    -------
    >>> sdr_db(torch.ones(100), torch.full((100,), 0.9))  # a tenth is missing
    20.0
    """
    distortion = (clean - estimate).double().square().sum()
    ratio = clean.double().square().sum() / distortion
    return round(10 * torch.log10(ratio).item(), 5)


def si_sdr_db(clean, estimate):
    """The same for the best scale and without means, by SpeechBrain.

    Example
    -------
    >>> ramp = torch.linspace(-1, 1, 100)
    >>> si_sdr_db(ramp, 0.5 * ramp) > 60
    True
    """
    clean, estimate = clean.clone(), estimate.clone()  # are changed in place
    return -cal_si_snr(clean[:, None, None], estimate[:, None, None]).item()


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
    parts = fold_speakers(list(manifests), fold, hparams["validates_on"])
    train = pandas.concat([manifests[name] for name in parts["train"]])
    speech = (wav for _, wav in read_all(train, hparams["data_folder"]))
    hparams["train_noise"].settle()
    ranges = training_ranges(hparams["train_noise"])
    hparams["enhancement"].learn(speech, ranges)
    return manifests[parts["test"][0]]


def read_all(manifest, data_folder):
    """Rows of a manifest, each with its waveform, (time,)."""
    for row in manifest.itertuples():
        yield row, read_mono(row.wav.replace("$data_root", str(data_folder)))


def mixture(clean, bank, utterance, noise, snr_db):
    """The utterance with unseen noise, (time,); no level is limited."""
    position = evaluation_draw(utterance, noise, snr_db).position
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
    _, hparams, _, _ = load_hparams(argv)
    if hparams["enhancement"] is None:
        raise InputError("enhancement is null; there is no gain to measure.")
    read_speakers(hparams["manifest_folder"], hparams["emotions"])
    hparams["noise_bank"].prepare()  # says what is wrong with the folder
    types = [t for t in hparams["noise_bank"].types if t != WHITE] + [WHITE]
    folder, seed = hparams["noise_folder"], hparams["seed"]
    with white_noise_beside(folder, seed) as noise_folder:
        changed = {
            "noise_folder": noise_folder,
            "noise_cache": noise_folder / "cache",
            "noise_types": f"[{', '.join(types)}]",
        }
        options = [text for k, v in changed.items() for text in (f"--{k}", v)]
        _, hparams, _, _ = load_hparams([*argv, *map(str, options)])
        hparams["noise_bank"].prepare()
        yield hparams


def main(arguments=None):
    """Print the table, and write table and picture where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snrs", type=float, nargs="+", default=[0.0])
    parser.add_argument("--into", help="Markdown file with a marker")
    parser.add_argument("--marker", default="enhancement")
    parser.add_argument("--picture", help="of one utterance, e.g. gain.png")
    parser.add_argument("--example", default="volvo", help="noise shown there")
    options, rest = parser.parse_known_args(arguments)
    with one_line(), prepared(rest) as hparams:
        if options.picture:
            draw_enhancement(hparams, options.example, options.picture)
        table = gain_table(gains(hparams, options.snrs))
        print(table)
        if options.into:
            write_into(options.into, options.marker, table)


if __name__ == "__main__":
    main()
