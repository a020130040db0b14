"""One trained system over clean speech and every noise x SNR.

Authors
 * The MLKD team 2026
"""

import hashlib
import itertools
import pathlib

import numpy as np
import pandas
import soundfile
import torch
from tqdm import tqdm

from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.complexity import complexity
from mlkd_brain.files import write_csv, write_json
from mlkd_brain.method.metrics import unweighted_accuracy, weighted_accuracy
from mlkd_brain.method.teachers import recover_best, training_command
from mlkd_brain.names import CLEAN, COMPLEXITY, PREDICTIONS, PROTOCOL
from mlkd_brain.noise.levels import WEIGHTINGS
from mlkd_brain.noise.sampling import evaluation_sample
from mlkd_brain.run.protocol import noise_ranges, read_protocol

#: Keys of a run that an evaluation may change.
TEST_OPTIONS = {"weighting", "snrs_db", "noise_types", "batch_size"}


class NoiseGrid:
    """Scores a classifier on clean speech and on every noise x SNR.

    Each recording is read once and heard in every condition. The mixtures are
    those of ``evaluation_sample``: every system hears the same.

    Arguments
    ---------
    bank : mlkd_brain.noise.bank.NoiseBank
        Prepared.
    snrs_db : list of float
        Signal-to-noise ratios, dB.
    weighting : str
        What defines the SNR, one of ``mlkd_brain.noise.levels.WEIGHTINGS``.
    emotions : list of str
        Names of the classes, in the order of the logits.
    batch_size : int
        Utterances in a forward pass.
    mixtures_folder : str or pathlib.Path, optional
        Where the mixtures are written as 16-bit wav, for listening.
    """

    def __init__(
        self,
        bank,
        snrs_db,
        weighting,
        emotions,
        batch_size=8,
        mixtures_folder=None,
    ):
        if weighting not in WEIGHTINGS:
            raise InputError(
                f"Bad value '{weighting}' for weighting, expected one of "
                f"{list(WEIGHTINGS)}."
            )
        self.bank = bank
        self.weighting = weighting
        self.emotions = emotions
        self.batch_size = batch_size
        self.mixtures_folder = mixtures_folder
        self.conditions = [(CLEAN, None)] + list(
            itertools.product(bank.types, snrs_db)
        )

    def predict(self, model, manifest, data_folder, device="cpu", part="test"):
        """Classify every utterance in every condition.

        Arguments
        ---------
        model : mlkd_brain.method.lobes.EmotionClassifier
            Trained; put in eval mode.
        manifest : pandas.DataFrame
            Of that part, see ``mlkd_brain.data.manifests``.
        data_folder : str
            Root of the corpus.
        device : str
            Where to compute.
        part : str
            Whose range of the noise recordings is heard.

        Returns
        -------
        pandas.DataFrame
            ``ID, spk_id, noise, snr_db, emo, predicted`` and one probability
            for each emotion, ``p_<emotion>``; sorted by condition and ID.
        """
        model = model.to(device).eval()
        # neighbours in length share a batch, so that little is padded
        utterances = manifest.sort_values(["duration", "ID"]).to_dict("records")
        total = len(utterances) * len(self.conditions)
        rows = []
        with torch.inference_mode(), tqdm(total=total, unit="utt") as progress:
            for start in range(0, len(utterances), self.batch_size):
                batch = utterances[start : start + self.batch_size]
                clean = [
                    read_mono(u["wav"].replace("$data_root", str(data_folder)))
                    for u in batch
                ]
                for condition in self.conditions:
                    heard = self._mix(batch, clean, part, *condition)
                    rows += self._classify(
                        model, batch, heard, condition, device
                    )
                    progress.update(len(batch))
        return self._sorted(pandas.DataFrame(rows))

    def _mix(self, batch, clean, part, noise, snr_db):
        if noise == CLEAN:
            return clean
        heard = []
        for utterance, speech in zip(batch, clean):
            mixture = self.bank.mix(
                speech.numpy(),
                utterance[f"level_{self.weighting}"],
                evaluation_sample(utterance["ID"], noise, snr_db),
                part,
                self.weighting,
                name=utterance["ID"],
            )
            self._save(mixture, f"{utterance['ID']}_{noise}_{snr_db}dB.wav")
            heard.append(torch.from_numpy(mixture))
        return heard

    def _save(self, mixture, name):
        if self.mixtures_folder is not None:
            folder = pathlib.Path(self.mixtures_folder)
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / name, mixture, SAMPLE_RATE, "PCM_16")

    def _classify(self, model, batch, heard, condition, device):
        samples = torch.tensor([len(waveform) for waveform in heard])
        wavs = torch.nn.utils.rnn.pad_sequence(heard, batch_first=True)
        lengths = (samples / wavs.shape[1]).to(device)
        # an oracle asks for it, and a model that keeps what it heard
        told = {"noise": condition[0]} if _is_told(model) else {}
        logits = model(wavs.to(device), lengths, **told)[0]
        probabilities = torch.softmax(logits, dim=-1).cpu().numpy()
        return [
            {
                "ID": utterance["ID"],
                "spk_id": utterance["spk_id"],
                "noise": condition[0],
                "snr_db": condition[1],
                "emo": utterance["emo"],
                "predicted": self.emotions[int(np.argmax(row))],
                **{f"p_{e}": p for e, p in zip(self.emotions, row)},
            }
            for utterance, row in zip(batch, probabilities)
        ]

    def _sorted(self, predictions):
        order = {c: i for i, c in enumerate(self.conditions)}
        place = [
            order[noise, None if pandas.isna(snr) else snr]
            for noise, snr in zip(predictions["noise"], predictions["snr_db"])
        ]
        table = predictions.assign(place=place).sort_values(["place", "ID"])
        return table.drop(columns="place").reset_index(drop=True)


def _is_told(model):
    """Whether a model is told the noise it hears; neural systems are not."""
    return getattr(model, "takes_noise_label", False)


def noise_grid(predictions):
    """Accuracy of each condition, from the predictions alone.

    Arguments
    ---------
    predictions : pandas.DataFrame
        What ``NoiseGrid.predict`` returns, or predictions.csv.

    Returns
    -------
    pandas.DataFrame
        ``noise, snr_db, utterances, ua, wa``, accuracies in [0, 1].

    Example
    -------
    >>> predictions = pandas.DataFrame(
    ...     {
    ...         "noise": ["clean", "clean", "volvo"],
    ...         "snr_db": [None, None, 5],
    ...         "emo": ["ang", "sad", "sad"],
    ...         "predicted": ["ang", "ang", "sad"],
    ...     }
    ... )
    >>> noise_grid(predictions)["ua"].tolist()
    [0.5, 1.0]
    """
    groups = predictions.groupby(["noise", "snr_db"], sort=False, dropna=False)
    return pandas.DataFrame(
        {
            "noise": noise,
            "snr_db": snr_db,
            "utterances": len(group),
            "ua": unweighted_accuracy(group["emo"], group["predicted"]),
            "wa": weighted_accuracy(group["emo"], group["predicted"]),
        }
        for (noise, snr_db), group in groups
    )


def evaluate_run(hparams, device="cpu"):
    """Score a trained run: predictions.csv, noise_grid.csv, complexity.json.

    What the run's first evaluation hears is the run's own. Other recordings,
    another weighting or other SNRs go to a folder below it, with a
    protocol.json. Of a noise folder with none of the yaml's noise types every
    recording is heard.

    Arguments
    ---------
    hparams : dict
        Of the run.
    device : str
        Where to compute.

    Raises
    ------
    InputError
        If the run was not trained, or its data or noise cannot be used.

    Returns
    -------
    pathlib.Path
        Where the files are, beside a protocol.json.
    """
    run = pathlib.Path(hparams["output_folder"])
    remedy = training_command(hparams["system"], hparams)
    best = recover_best(hparams["model"], hparams["save_folder"], remedy)
    manifest = read_manifest(run / "test.csv", hparams["emotions"])
    _refuse_missing_corpus(manifest, hparams["data_folder"])
    bank = hparams["noise_bank"]
    if bank.holds_none_of_its_types():
        bank.noise_types = None
    bank.prepare()
    folder = _folder_of(run, hparams, bank, best)
    grid = hparams["noise_grid"](bank)
    predictions = grid.predict(
        hparams["model"], manifest, hparams["data_folder"], device
    )
    for place, key in enumerate(("system", "seed", "fold")):
        predictions.insert(place, key, hparams[key])
    write_csv(predictions, folder / PREDICTIONS)
    write_csv(noise_grid(predictions), folder / "noise_grid.csv")
    write_json(complexity(hparams["model"], device), folder / COMPLEXITY)
    return folder


def _folder_of(run, hparams, bank, best_epoch):
    """The run's folder, or one below it for what is heard in another way."""
    protocol = read_protocol(run)
    now = {
        "noise_evaluated": bank.checksums,
        "weighting": hparams["weighting"],
        "snrs_db": list(hparams["snrs_db"]),
    }
    changed = {
        key: value for key, value in now.items() if protocol.get(key) != value
    }
    if "noise_evaluated" not in protocol:
        changed.pop("noise_evaluated")
    folder = run / "_".join(
        _words(key, value, hparams["noise_folder"])
        for key, value in changed.items()
    )
    folder.mkdir(exist_ok=True)
    now["noise_ranges_evaluated"] = {
        name: ranges["test"] for name, ranges in noise_ranges(bank).items()
    }
    now["best_epoch"] = best_epoch
    write_json({**protocol, **now}, folder / PROTOCOL)
    return folder


def _words(key, value, noise_folder):
    """Name of a folder, e.g. noise_kitchen_1f2e3d_weighting_none."""
    if key == "noise_evaluated":
        digest = hashlib.sha256(str(sorted(value.items())).encode())
        name = pathlib.Path(noise_folder).resolve().name
        return f"noise_{name}_{digest.hexdigest()[:6]}"
    if key == "snrs_db":
        return "snr_" + "_".join(str(snr) for snr in value)
    return f"weighting_{value}"


def _refuse_missing_corpus(manifest, data_folder):
    """Say which option is missing rather than which wav."""
    wavs = manifest["wav"].str.replace("$data_root", str(data_folder))
    missing = [wav for wav in wavs if not pathlib.Path(wav).is_file()]
    if missing:
        raise InputError(
            f"data_folder '{data_folder}' has not the {len(missing)} of "
            f"{len(wavs)} test utterances such as {missing[0]}; give the corpus "
            "that the run was trained on with --data_folder."
        )
