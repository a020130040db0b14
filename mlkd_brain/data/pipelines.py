"""From the manifests of a fold to what a Brain is fed.

Authors
 * The MLKD team 2026
"""

import pathlib

import torch
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import provides, takes

from mlkd_brain.audio import read_mono


@takes("wav")
@provides("clean_sig")
def clean_speech(wav):
    """The utterance as it was recorded, (time,), 16 kHz."""
    return read_mono(wav)


def noisy_speech(noise):
    """Pipeline for the utterance with its drawn noise.

    Arguments
    ---------
    noise : mlkd_brain.noise.sampling.NoiseSampler
        Prepared.

    Returns
    -------
    DynamicItem
        Provides "noisy_sig", (time,), 16 kHz.
    """

    @takes("id", "clean_sig", f"level_{noise.weighting}")
    @provides("noisy_sig")
    def pipeline(utterance, clean_sig, level):
        mixture = noise(utterance, clean_sig.numpy(), float(level))
        return torch.from_numpy(mixture)

    return pipeline


def emotion_label(label_encoder):
    """Pipeline for the class index of the utterance's emotion.

    Arguments
    ---------
    label_encoder : speechbrain.dataio.encoder.CategoricalEncoder
        Knows the emotions.

    Returns
    -------
    DynamicItem
        Provides "emo_encoded", int64, (1,).
    """

    @takes("emo")
    @provides("emo_encoded")
    def pipeline(emo):
        return label_encoder.encode_label_torch(emo)

    return pipeline


def dataio_prep(hparams, label_encoder, noises=None):
    """Datasets of one fold.

    Arguments
    ---------
    hparams : dict
        ``output_folder`` (with train.csv, valid.csv, test.csv) and
        ``data_folder``.
    label_encoder : speechbrain.dataio.encoder.CategoricalEncoder
        Knows the emotions.
    noises : dict, optional
        Part to ``NoiseSampler``: these parts are heard with noise, as "sig", next
        to "clean_sig". The other parts are heard clean.

    Returns
    -------
    dict
        Part ("train", "valid", "test") to ``DynamicItemDataset`` with the keys
        "id", "sig", "clean_sig" and "emo_encoded".
    """
    datasets = {}
    for part in ("train", "valid", "test"):
        dataset = DynamicItemDataset.from_csv(
            csv_path=pathlib.Path(hparams["output_folder"]) / f"{part}.csv",
            replacements={"data_root": hparams["data_folder"]},
            dynamic_items=[clean_speech, emotion_label(label_encoder)],
        )
        heard = "clean_sig"
        if noises and part in noises:
            dataset.add_dynamic_item(noisy_speech(noises[part]))
            heard = "noisy_sig"
        dataset.set_output_keys(
            {
                "id": "id",
                "sig": heard,
                "clean_sig": "clean_sig",
                "emo_encoded": "emo_encoded",
            }
        )
        datasets[part] = dataset
    return datasets
