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
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas
import soundfile
import torch
from hyperpyyaml import load_hyperpyyaml
from mlkd_brain.audio import SAMPLE_RATE, find_recordings, read_mono
from mlkd_brain.baseline.enhancement import KNOWLEDGE
from mlkd_brain.baseline.system import training_ranges
from mlkd_brain.data.folds import fold_speakers, read_groups
from mlkd_brain.data.manifests import read_speakers
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import markdown_table
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import gain_from_levels, noise_level
from mlkd_brain.noise.sampling import evaluation_sample
from mlkd_brain.run.experiment import load_hparams
from ruamel.yaml import YAML
from tqdm import tqdm

from speechbrain.nnet.losses import cal_si_snr

WHITE = "white"
WHITE_SECONDS = 20


def sdr_db(clean: torch.Tensor, estimate: torch.Tensor) -> float:
    """Signal-to-distortion ratio, dB; a wrong scale counts as distortion.

    Example
    -------
    A tenth of the amplitude is missing, a hundredth of the power:

    >>> round(sdr_db(torch.ones(100), torch.full((100,), 0.9)), 4)
    20.0
    """
    distortion = (clean - estimate).double().square().sum()
    return 10 * (clean.double().square().sum() / distortion).log10().item()


def si_sdr_db(clean: torch.Tensor, estimate: torch.Tensor) -> float:
    """The same for the best scale and without the means, by SpeechBrain."""
    clean, estimate = clean.clone(), estimate.clone()  # are changed in place
    return -cal_si_snr(clean[:, None, None], estimate[:, None, None]).item()


def gains(hparams: dict, snrs_db: list[float]) -> pandas.DataFrame:
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
        ``si_sdr``, dB, to a thousandth.
    """
    manifests = read_speakers(hparams["manifest_folder"], hparams["emotions"])
    bank, enhancement = hparams["noise_bank"], hparams["enhancement"]
    rows = []
    for fold in tqdm(range(1, len(manifests) + 1), unit="fold"):
        tested = learn_fold(hparams, manifests, fold)
        for utterance, clean in read_all(tested, hparams["data_folder"]):
            for noise, snr_db in itertools.product(bank.types, snrs_db):
                noisy = mixture(clean, bank, utterance.ID, noise, snr_db)
                before = _ratios(clean, noisy)
                for enhancement.knowledge in KNOWLEDGE:
                    gain = _ratios(clean, enhancement(noisy, noise)) - before
                    known = noise, snr_db, enhancement.knowledge
                    rows.append((utterance.spk_id, *known, *gain))
    columns = ["spk_id", "noise", "snr_db", "knowledge", "sdr", "si_sdr"]
    return pandas.DataFrame(rows, columns=columns).round(3)


def _ratios(clean, estimate):
    return np.array([sdr_db(clean, estimate), si_sdr_db(clean, estimate)])


def learn_fold(
    hparams: dict, manifests: dict[str, pandas.DataFrame], fold: int
) -> pandas.DataFrame:
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


def read_all(
    manifest: pandas.DataFrame, data_folder: str
) -> Iterator[tuple[Any, torch.Tensor]]:
    """Rows of a manifest, each with its waveform, (time,)."""
    for row in manifest.itertuples():
        yield row, read_mono(row.wav.replace("$data_root", str(data_folder)))


def mixture(
    clean: torch.Tensor,
    bank: NoiseBank,
    utterance: str,
    noise: str,
    snr_db: float,
) -> torch.Tensor:
    """The utterance with unseen noise, (time,); no level is limited."""
    position = evaluation_sample(utterance, noise, snr_db).position
    segment = bank.segment(noise, "test", position, len(clean))
    levels = noise_level(clean.numpy()), noise_level(segment)
    gain = gain_from_levels(*levels, snr_db)
    return clean + gain * torch.from_numpy(np.array(segment))


def gain_table(results: pandas.DataFrame) -> str:
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
    spread = part.groupby("spk_id")["sdr"].mean().std(ddof=0)
    sdr, si_sdr = part[["sdr", "si_sdr"]].mean()
    return f"{sdr:+.1f} ± {spread:.1f} ({si_sdr:+.1f})"


def examples(
    hparams: dict, noises: list[str], snr_db: float
) -> dict[str, dict[str, torch.Tensor]]:
    """Columns of ``draw_enhancement``: the first utterance that fold 1 tests.

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
        Title of a column to its rows.
    """
    manifests = read_speakers(hparams["manifest_folder"], hparams["emotions"])
    tested = learn_fold(hparams, manifests, 1)
    utterance, clean = next(read_all(tested, hparams["data_folder"]))
    bank, enhancement = hparams["noise_bank"], hparams["enhancement"]
    columns = {}
    for noise in noises:
        noisy = mixture(clean, bank, utterance.ID, noise, snr_db)
        enhanced = enhancement(noisy, noise)
        after = f"SDR {sdr_db(clean, enhanced):.1f} dB"
        columns[f"{utterance.ID} with {noise} noise"] = {
            "clean": clean,
            f"noisy: SDR {sdr_db(clean, noisy):.1f} dB": noisy,
            f"enhanced ({enhancement.knowledge}): {after}": enhanced,
        }
    return columns


@contextlib.contextmanager
def prepared(argv: list[str]) -> Iterator[dict]:
    """Hparams of a yaml and its options, with white noise among its noises.

    Arguments
    ---------
    argv : list of str
        As for a training script.

    Raises
    ------
    InputError
        If the yaml has no enhancement, or its data cannot be used.
    """
    path, hparams, _, overrides = load_hparams(argv)
    if hparams["enhancement"] is None:
        raise InputError("enhancement is null; there is no gain to measure.")
    read_speakers(hparams["manifest_folder"], hparams["emotions"])
    hparams["noise_bank"].prepare()  # raises what is wrong with the folder
    types = [t for t in hparams["noise_bank"].types if t != WHITE] + [WHITE]
    given = YAML().load(overrides) or {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _link_recordings(hparams["noise_folder"], folder, hparams["seed"])
        given["noise_folder"] = str(folder)
        given["noise_cache"] = str(folder / "cache")
        given["noise_types"] = types
        with open(path, encoding="utf-8") as yaml:
            hparams = load_hyperpyyaml(yaml, given)
        hparams["noise_bank"].prepare()
        yield hparams


def _link_recordings(noise_folder, folder, seed):
    """Links to the recordings; white noise beside them, if they have none."""
    for path in find_recordings(noise_folder)[0]:
        (folder / path.name).symlink_to(path.resolve())
    if not any(path.stem == WHITE for path in folder.iterdir()):
        random = np.random.default_rng(seed)
        samples = random.normal(0, 0.1, WHITE_SECONDS * SAMPLE_RATE)
        soundfile.write(folder / f"{WHITE}.wav", samples, SAMPLE_RATE)
