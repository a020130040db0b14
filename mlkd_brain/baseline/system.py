"""The paper's baseline: a front end, functionals, a support vector machine.

Nothing is learned by gradient, but to the scripts it is a model like the
others: waveforms in, logits out, what was learned in its state.

Authors
 * The MLKD team 2026
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mlkd_brain.baseline.feature_cache import FeatureCache, cached
from mlkd_brain.method.padding import samples_of
from mlkd_brain.names import CLEAN, SELECTION
from mlkd_brain.run.console import close_console
from sklearn.metrics import accuracy_score, recall_score
from tqdm import tqdm

Decision = namedtuple("Decision", "logits features")


class Baseline(torch.nn.Module):
    """Emotions from the statistics of an enhanced utterance.

    Every utterance is treated alone, so that batches change nothing.

    Source: Pandharipande, Chakraborty, Panda, Kopparapu, "Robust front-end
    processing for emotion recognition in noisy speech", ISCSLP 2018; what is
    not known of it is an option here.

    Arguments
    ---------
    front_end : mlkd_brain.baseline.front_end.FrontEnd
        Enhancement and voice activity detection.
    features : mlkd_brain.baseline.acoustic_features.AcousticFeatures
        Statistics of a waveform.
    classifier : mlkd_brain.baseline.svm.SupportVectorMachine
        From features to logits.
    cache : FeatureCache, optional
        Keeps features of waveforms that come with a label of their condition.
    """

    #: ``NoiseGrid`` passes the label of the condition. It changes nothing but
    #: what an oracle enhancement removes, and whether features are cached.
    takes_noise_label = True

    def __init__(
        self,
        front_end: Any,
        features: Any,
        classifier: Any,
        cache: FeatureCache | None = None,
    ):
        super().__init__()
        self.front_end, self.features = front_end, features
        self.classifier, self.cache = classifier, cache

    @property
    def learns_noise(self) -> bool:
        """Whether the enhancement has atoms of recordings of noise."""
        enhancement = self.front_end.enhancement
        return enhancement is not None and enhancement.knowledge != "blind"

    def forward(
        self,
        wavs: torch.Tensor,
        wav_lens: torch.Tensor | None = None,
        noise: str | None = None,
    ) -> Decision:
        """Classify a batch.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time), padded with anything.
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,). At least 0.1 s each.
        noise : str, optional
            Label of the condition: a noise type, or "clean". Without it,
            nothing is cached.

        Returns
        -------
        Decision
            ``logits``, (batch, classes); ``features``, (batch, features).
        """
        valid = samples_of(wav_lens, wavs.shape[1])
        samples = [wavs.shape[1]] * len(wavs) if valid is None else valid
        features = self.describe([w[:n] for w, n in zip(wavs, samples)], noise)
        return Decision(self.classifier(features), features)

    @torch.no_grad()
    def describe(
        self, waveforms: Sequence[torch.Tensor], noise: str | None = None
    ) -> torch.Tensor:
        """Features of some waveforms in one condition.

        Arguments
        ---------
        waveforms : list of torch.Tensor
            16 kHz, (time,) each.
        noise : str, optional
            As in ``forward``.

        Returns
        -------
        torch.Tensor
            (utterances, features), NaN where a statistic is not defined.
        """
        true_noise = None if noise == CLEAN else noise

        def compute(waveform):
            return self.features(self.front_end(waveform, true_noise))

        if self.cache is None or noise is None:
            return torch.stack([compute(w) for w in waveforms])
        store = self.cache.store_for(self.front_end, self.features)
        return torch.stack(
            [cached(store, w, noise, compute) for w in waveforms]
        )

    def learned_values(self) -> list[torch.Tensor]:
        """Atoms and the classifier's values, to count the size of the model."""
        atoms = self.front_end.state_dict().values()
        return [*atoms, *self.classifier.learned_values()]


def fit_fold(
    hparams: dict,
    datasets: dict,
    noises: dict[str, Any],
    checkpointer: Any,
    train_logger: Any,
) -> None:
    """Learn one fold, unless that was done, and save it as a checkpoint.

    The training speech comes clean, then in ``noisy_copies``: with the noise of
    the students' epochs 1, 2 ... It alone decides on everything that is
    learned; the validation speaker is only logged.

    Arguments
    ---------
    hparams : dict
        ``model``, ``noisy_copies``, ``epoch_counter`` (of so many epochs) and
        ``output_folder``.
    datasets : dict
        "train" and "valid", see ``mlkd_brain.data.pipelines.dataio_prep``.
    noises : dict
        The ``NoiseSampler`` of each of them, resolved.
    checkpointer : speechbrain.utils.checkpoints.Checkpointer
        Keeps what was learned.
    train_logger : speechbrain.utils.train_logger.TrainLogger
        Gets one line.

    Raises
    ------
    InputError
        If the corpus does not suffice to learn from.
    """
    if checkpointer.find_checkpoint() is not None:
        close_console(hparams["output_folder"], "its classifier", True)
        return
    model, noise = hparams["model"], noises["train"]
    with datasets["train"].output_keys_as(["clean_sig"]):
        clean = (item["clean_sig"] for item in datasets["train"])
        model.front_end.learn(clean, training_ranges(noise))
    parts = [_describe(model, datasets["train"], "clean speech")]
    for epoch in hparams["epoch_counter"]:
        name = f"noisy copy {epoch} of {hparams['noisy_copies']}"
        parts.append(_describe(model, datasets["train"], name, noise))
    chosen = model.classifier.fit(*map(np.concatenate, zip(*parts)))
    # in noise only if training is, as for the students
    valid_noise = noises["valid"] if hparams["noisy_copies"] else None
    features, labels, _ = _describe(
        model, datasets["valid"], "validation", valid_noise
    )
    decided = model.classifier(torch.from_numpy(features)).argmax(dim=-1)
    classes = np.unique(labels)
    score = {
        "UA": recall_score(labels, decided, labels=classes, average="macro"),
        "WA": accuracy_score(labels, decided),
    }
    train_logger.log_stats(
        stats_meta={key: chosen[key] for key in ("C", "temperature")},
        train_stats={"left-out UA": chosen["UA"]},
        valid_stats=score,
    )
    checkpointer.save_and_keep_only(
        meta={"UA": score["UA"], "epoch": 1, SELECTION: [score["UA"], 0.0]},
        max_keys=[SELECTION],
    )
    trained = f"validation UA {100 * score['UA']:.1f} %"
    close_console(hparams["output_folder"], trained, False)


def noise_facts(model: Baseline, noise: Any, noisy_copies: int) -> dict:
    """Facts for ``write_protocol`` on the noise that a run learns from.

    It is in noisy copies of the training speech, or in atoms of noise.

    Arguments
    ---------
    model : Baseline
        Of the run.
    noise : mlkd_brain.noise.sampling.NoiseSampler
        Of the training, resolved.
    noisy_copies : int
        Of the training speech.

    Returns
    -------
    dict
        Empty if there is no noise in training.
    """
    if not noisy_copies and not model.learns_noise:
        return {}
    facts = {"noise_heard": noise.recordings()}
    if not noisy_copies:
        facts["noise_heard_in"] = "its noise atoms alone"
    return facts


def training_ranges(noise: Any) -> dict[str, np.ndarray]:
    """The part of each recording that is for training.

    Arguments
    ---------
    noise : mlkd_brain.noise.sampling.NoiseSampler
        Resolved.

    Returns
    -------
    dict
        Noise type to waveform, (time,), 16 kHz, float32; a noise that is held
        out is not among them.
    """
    bank, part = noise.bank, noise.part
    ranges = {name: bank.part_range(name, part) for name in noise.types}
    return {
        name: bank.segment(name, part, 0.0, stop - start)
        for name, (start, stop) in ranges.items()
    }


def _describe(model, dataset, name, noise=None):
    """Features, labels and speakers of a part, clean or with a noise."""
    wav = "clean_sig" if noise is None else "noisy_sig"
    rows = []
    with dataset.output_keys_as(["id", wav, "emo_encoded", "spk_id"]):
        for item in tqdm(dataset, desc=name, unit="utt"):
            label = CLEAN if noise is None else noise.sample(item["id"]).noise
            features = model.describe([item[wav]], label)[0].numpy()
            rows.append((features, int(item["emo_encoded"]), item["spk_id"]))
    return [np.stack(column) for column in zip(*rows)]
