"""From the manifests of a fold to the datasets of a Brain.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

import torch
from mlkd_brain.audio import read_mono
from mlkd_brain.data.manifests import ROOT, read_manifest
from mlkd_brain.names import UNLABELLED

from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.data_pipeline import DynamicItem, provides, takes


@takes("wav")
@provides("clean_sig")
def clean_speech(wav: str) -> torch.Tensor:
    """The utterance as it was recorded, (time,), 16 kHz."""
    return read_mono(wav)


def noisy_speech(noise) -> DynamicItem:
    """Pipeline for the utterance with noise: "noisy_sig", (time,), 16 kHz.

    Arguments
    ---------
    noise : mlkd_brain.noise.sampling.NoiseSampler
        Prepared.
    """

    @takes("id", "clean_sig", f"level_{noise.weighting}")
    @provides("noisy_sig")
    def pipeline(utterance, clean_sig, level):
        mixture = noise(utterance, clean_sig.numpy(), float(level))
        return torch.from_numpy(mixture)

    return pipeline


def emotion_label(label_encoder: CategoricalEncoder) -> DynamicItem:
    """Pipeline for the index of the utterance's emotion: "emo_encoded", (1,).

    ``UNLABELLED`` where it is None.
    """

    @takes("emo")
    @provides("emo_encoded")
    def pipeline(emo):
        if emo is None:
            return torch.tensor([UNLABELLED])
        return label_encoder.encode_label_torch(emo)

    return pipeline


def read_rows(
    path: str | pathlib.Path, data_folder: str | pathlib.Path
) -> dict[str, dict[str, Any]]:
    """Rows of a manifest by ID, for a dataset.

    ``DynamicItemDataset.from_csv`` would take "$5" in any name for a variable.

    Arguments
    ---------
    path : str or pathlib.Path
        The manifest.
    data_folder : str or pathlib.Path
        Root of the corpus.
    """
    rows = read_manifest(path).to_dict("records")
    for row in rows:
        row["wav"] = row["wav"].replace(ROOT, str(data_folder), 1)
    return {row.pop("ID"): row for row in rows}


def dataio_prep(
    hparams: dict[str, Any],
    label_encoder: CategoricalEncoder,
    noises: dict[str, Any] | None = None,
) -> dict[str, DynamicItemDataset]:
    """Datasets of one fold.

    Arguments
    ---------
    hparams : dict
        ``output_folder`` (with train.csv, valid.csv, test.csv) and
        ``data_folder``.
    label_encoder : speechbrain.dataio.encoder.CategoricalEncoder
        Of the emotions.
    noises : dict, optional
        Part to ``NoiseSampler``: in these parts "sig" has noise, in the others
        it is "clean_sig".

    Returns
    -------
    dict
        Part ("train", "valid", "test") to ``DynamicItemDataset`` with the keys
        "id", "sig", "clean_sig" and "emo_encoded".
    """
    datasets = {}
    for part in ("train", "valid", "test"):
        path = pathlib.Path(hparams["output_folder"]) / f"{part}.csv"
        dataset = DynamicItemDataset(
            read_rows(path, hparams["data_folder"]),
            dynamic_items=[clean_speech, emotion_label(label_encoder)],
        )
        signal = "clean_sig"
        if noises and part in noises:
            dataset.add_dynamic_item(noisy_speech(noises[part]))
            signal = "noisy_sig"
        dataset.set_output_keys(
            {
                "id": "id",
                "sig": signal,
                "clean_sig": "clean_sig",
                "emo_encoded": "emo_encoded",
            }
        )
        datasets[part] = dataset
    return datasets
