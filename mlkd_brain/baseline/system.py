"""The paper's baseline: a front end, functionals, a support vector machine.

Nothing is learned by gradient, but to the scripts it is a model like the
others: waveforms in, logits out, what was learned in its state.

Authors
 * The MLKD team 2026
"""

from collections import namedtuple

import numpy as np
import torch
from sklearn.metrics import accuracy_score, recall_score
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from mlkd_brain.method.padding import samples_of
from mlkd_brain.names import CLEAN

logger = get_logger(__name__)

Decision = namedtuple("Decision", "logits features")
Heard = namedtuple("Heard", "features labels speakers")


class Baseline(torch.nn.Module):
    """Emotions from the statistics of an utterance that was cleaned before.

    Every utterance is treated alone, so that batches change nothing.

    Source: Pandharipande, Chakraborty, Panda, Kopparapu, "Robust front-end
    processing for emotion recognition in noisy speech", ISCSLP 2018; what is
    not known of it is a switch here.

    Arguments
    ---------
    front_end : mlkd_brain.baseline.front_end.FrontEnd
        What is done to a waveform.
    features : mlkd_brain.baseline.acoustic_features.AcousticFeatures
        What is said of it.
    classifier : callable
        From the number of features to a
        ``mlkd_brain.baseline.svm.SupportVectorMachine``.
    cache : mlkd_brain.baseline.feature_cache.FeatureCache, optional
        Keeps the features of what it is told the noise of.
    """

    #: ``NoiseGrid`` tells it which noise it hears, which decides on nothing but
    #: what an oracle is to know, and on what is kept.
    takes_noise_label = True

    def __init__(self, front_end, features, classifier, cache=None):
        super().__init__()
        self.front_end, self.features = front_end, features
        self.classifier = classifier(features.size)
        self.cache = cache

    @property
    def learns_noise(self):
        """Whether the enhancement has atoms of recordings of noise."""
        enhancement = self.front_end.enhancement
        return enhancement is not None and enhancement.knowledge != "blind"

    def forward(self, wavs, wav_lens=None, noise=None):
        """Classify a batch.

        Arguments
        ---------
        wavs : torch.Tensor
            16 kHz waveforms, (batch, time), padded with anything.
        wav_lens : torch.Tensor, optional
            Relative lengths in (0, 1], (batch,). At least 0.1 s each.
        noise : str, optional
            The noise that is heard, or "clean". Untold, every feature is
            computed anew.

        Returns
        -------
        Decision
            ``logits``: unnormalised scores, (batch, classes); ``features``,
            (batch, features).
        """
        samples = samples_of(wav_lens, wavs.shape[1])
        if samples is None:
            samples = [wavs.shape[1]] * len(wavs)
        features = self.describe([w[:n] for w, n in zip(wavs, samples)], noise)
        return Decision(self.classifier(features), features)

    @torch.no_grad()
    def describe(self, waveforms, noise=None):
        """Features of some waveforms that are heard with the same noise.

        Arguments
        ---------
        waveforms : list of torch.Tensor
            16 kHz, (time,) each.
        noise : str, optional
            See ``forward``.

        Returns
        -------
        torch.Tensor
            (utterances, features), NaN where a statistic is not defined.
        """
        true_noise = None if noise == CLEAN else noise

        def compute(waveform):
            return self.features(self.front_end(waveform, true_noise))

        kept = None
        if self.cache is not None and noise is not None:
            kept = self.cache.of(self.front_end, self.features)
        if kept is None:
            return torch.stack([compute(w) for w in waveforms])
        return torch.stack([kept.get(w, noise, compute) for w in waveforms])


def fit_fold(hparams, datasets):
    """Learn one fold, unless that was done, and keep it as a checkpoint.

    Hparams: ``model``, ``train_noise``, ``valid_noise``, ``noisy_copies``,
    ``epoch_counter`` (of so many epochs), ``checkpointer`` and
    ``train_logger``. The training speakers are heard clean, then with the noise
    that students hear in epochs 1, 2 ... ``noisy_copies``. They choose
    everything; the validation speaker is only told about.

    Arguments
    ---------
    hparams : dict
        Of the run.
    datasets : dict
        "train" and "valid", see ``mlkd_brain.data.pipelines.dataio_prep``.
    """
    if hparams["checkpointer"].find_checkpoint() is not None:
        logger.info(f"{hparams['save_folder']}: is trained already.")
        return
    model, noise = hparams["model"], hparams["train_noise"]
    with datasets["train"].output_keys_as(["clean_sig"]):
        clean = (item["clean_sig"] for item in datasets["train"])
        model.front_end.learn(clean, training_ranges(noise))
    chosen = model.classifier.fit(*hear_training(hparams, datasets["train"]))
    valid = hear_validation(hparams, datasets["valid"])
    decided = model.classifier(torch.from_numpy(valid.features)).argmax(dim=-1)
    decided = decided.numpy()
    present = np.unique(valid.labels)  # what is only predicted has no recall
    score = {
        "UA": recall_score(
            valid.labels, decided, labels=present, average="macro"
        ),
        "WA": accuracy_score(valid.labels, decided),
    }
    hparams["train_logger"].log_stats(
        stats_meta={key: chosen[key] for key in ("C", "temperature")},
        train_stats={"left-out UA": chosen["UA"]},
        valid_stats=score,
    )
    hparams["checkpointer"].save_and_keep_only(
        meta={"UA": score["UA"], "epoch": 1}, max_keys=["UA"]
    )


def noise_facts(hparams):
    """What protocol.json says of the noise that a run learns from.

    Noise is heard in noisy copies of the training speech, and by an enhancement
    that learns noise atoms.

    Arguments
    ---------
    hparams : dict
        Of the run; its ``train_noise`` is settled.

    Returns
    -------
    dict
        Facts for ``mlkd_brain.run.protocol.write_protocol``; none if no noise is
        heard.
    """
    copies, learns = hparams["noisy_copies"], hparams["model"].learns_noise
    if not copies and not learns:
        return {}
    facts = {
        "noise_heard": hparams["train_noise"].recordings(),
        "noise_evaluated": hparams["noise_bank"].checksums,
    }
    return (
        facts
        if copies
        else {**facts, "noise_heard_in": "its noise atoms alone"}
    )


def training_ranges(noise):
    """The seconds of each recording that training may hear.

    Arguments
    ---------
    noise : mlkd_brain.noise.sampling.NoiseSampler
        Settled.

    Returns
    -------
    dict
        Noise type to waveform, (time,), 16 kHz, float32; a noise that is held
        out is not among them.
    """
    ranges = {name: noise.bank.range(name, noise.part) for name in noise.types}
    return {
        name: noise.bank.segment(name, noise.part, 0.0, stop - start)
        for name, (start, stop) in ranges.items()
    }


def hear_training(hparams, dataset):
    """Every utterance clean, then each noisy copy; see ``hear``."""
    parts = [hear(hparams["model"], dataset, "clean speech")]
    for epoch in hparams["epoch_counter"]:
        said = f"noisy copy {epoch} of {hparams['noisy_copies']}"
        parts.append(
            hear(hparams["model"], dataset, said, hparams["train_noise"])
        )
    return Heard(*(np.concatenate(part) for part in zip(*parts)))


def hear_validation(hparams, dataset):
    """As students hear it if training is noisy, else clean; see ``hear``."""
    noise = hparams["valid_noise"] if hparams["noisy_copies"] else None
    return hear(hparams["model"], dataset, "validation", noise)


def hear(model, dataset, said, noise=None):
    """Describe every utterance of a part.

    Arguments
    ---------
    model : Baseline
        Its front end has learned.
    dataset : DynamicItemDataset
        Has "clean_sig"; where there is a noise, "noisy_sig", too.
    said : str
        What the progress bar calls it.
    noise : mlkd_brain.noise.sampling.NoiseSampler, optional
        What it is heard with; clean speech by default.

    Returns
    -------
    Heard
        ``features``, float32, (utterances, features); ``labels``, int64, and
        ``speakers``, (utterances,).
    """
    wav = "clean_sig" if noise is None else "noisy_sig"
    rows = []
    with dataset.output_keys_as(["id", wav, "emo_encoded", "spk_id"]):
        for item in tqdm(dataset, desc=said, unit="utt"):
            true = CLEAN if noise is None else noise.sample(item["id"]).noise
            features = model.describe([item[wav]], true)[0].numpy()
            rows.append((features, int(item["emo_encoded"]), item["spk_id"]))
    return Heard(*(np.stack(column) for column in zip(*rows)))
