"""Predictions and accuracies on clean speech and on every noise x SNR.

Authors
 * The MLKD team 2026
"""

import itertools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.names import CLEAN
from mlkd_brain.noise.levels import WEIGHTINGS
from mlkd_brain.noise.sampling import evaluation_sample
from pandas import DataFrame
from sklearn.metrics import accuracy_score, recall_score
from tqdm import tqdm


class NoiseGrid:
    """Scores a classifier on clean speech and on every noise x SNR.

    Each recording is read once for all conditions. The mixtures are those of
    ``evaluation_sample``: every system gets the same.

    Arguments
    ---------
    bank : mlkd_brain.noise.bank.NoiseBank
        To be prepared before ``predict``.
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

    Raises
    ------
    InputError
        If the weighting is unknown.
    """

    def __init__(
        self,
        bank: Any,
        snrs_db: Sequence[float],
        weighting: str,
        emotions: Sequence[str],
        batch_size: int = 8,
        mixtures_folder: str | pathlib.Path | None = None,
    ):
        if weighting not in WEIGHTINGS:
            raise InputError(
                f"Bad value '{weighting}' for weighting, expected one of "
                f"{list(WEIGHTINGS)}."
            )
        self.bank = bank
        self.snrs_db = list(snrs_db)
        self.weighting = weighting
        self.emotions = emotions
        self.batch_size = batch_size
        self.mixtures_folder = mixtures_folder

    @property
    def conditions(self) -> list[tuple[str, float | None]]:
        """Noise and SNR of each, clean speech first."""
        noisy = itertools.product(self.bank.types, self.snrs_db)
        return [(CLEAN, None), *noisy]

    def predict(
        self,
        model: Any,
        manifest: DataFrame,
        data_folder: str,
        device: str = "cpu",
        part: str = "test",
    ) -> DataFrame:
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
            Whose range of the noise recordings is used: train, valid or test.

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
                    inputs = self._mix(batch, clean, part, *condition)
                    rows += self._classify(
                        model, batch, inputs, condition, device
                    )
                    progress.update(len(batch))
        return self._sorted(DataFrame(rows))

    def _mix(self, batch, clean, part, noise, snr_db):
        if noise == CLEAN:
            return clean
        mixtures = []
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
            mixtures.append(torch.from_numpy(mixture))
        return mixtures

    def _save(self, mixture, name):
        if self.mixtures_folder is not None:
            folder = pathlib.Path(self.mixtures_folder)
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / name, mixture, SAMPLE_RATE, "PCM_16")

    def _classify(self, model, batch, inputs, condition, device):
        samples = torch.tensor([len(waveform) for waveform in inputs])
        wavs = torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True)
        lengths = samples / wavs.shape[1]  # on the CPU, as in training
        # only a baseline with noise atoms may need the noise's name
        takes_label = getattr(model, "takes_noise_label", False)
        label = {"noise": condition[0]} if takes_label else {}
        logits = model(wavs.to(device), lengths, **label)[0]
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
        index = [
            order[noise, None if pandas.isna(snr) else snr]
            for noise, snr in zip(predictions["noise"], predictions["snr_db"])
        ]
        table = predictions.assign(index=index).sort_values(["index", "ID"])
        return table.drop(columns="index").reset_index(drop=True)


def noise_grid(predictions: DataFrame) -> DataFrame:
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
    >>> columns = ["noise", "snr_db", "emo", "predicted"]
    >>> clean = [("clean", None, "ang", "ang"), ("clean", None, "sad", "ang")]
    >>> rows = [*clean, ("volvo", 5, "sad", "sad")]
    >>> noise_grid(pandas.DataFrame(rows, columns=columns))["ua"].tolist()
    [0.5, 1.0]
    """
    groups = predictions.groupby(["noise", "snr_db"], sort=False, dropna=False)
    return DataFrame(
        {
            "noise": noise,
            "snr_db": snr_db,
            "utterances": len(group),
            "ua": _unweighted_accuracy(group["emo"], group["predicted"]),
            "wa": accuracy_score(group["emo"], group["predicted"]),
        }
        for (noise, snr_db), group in groups
    )


def _unweighted_accuracy(emotions, predicted):
    # balanced_accuracy_score is the same, but warns where a speaker lacks an
    # emotion that the model predicts
    return recall_score(
        emotions, predicted, labels=np.unique(emotions), average="macro"
    )
