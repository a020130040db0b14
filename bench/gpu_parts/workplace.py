"""The encoder, corpus and noise that the parts share, made up on the spot.

The corpus has IEMOCAP's durations and ten speakers, as wav files with the
manifests that a preparer would have written; the recipe's own yaml files and
scripts run on it.

Authors
 * The MLKD team 2026
"""

import functools
import multiprocessing
import pathlib
import time
from collections import namedtuple

import numpy as np
import pandas
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.manifests import COLUMNS, LEVELS
from mlkd_brain.data.pipelines import dataio_prep
from mlkd_brain.noise.levels import speech_level
from mlkd_brain.run.experiment import (
    load_hparams,
    make_label_encoder,
    prepare_noises,
)

from bench.lengths import dataset_of, iemocap_like
from bench.loops import save_encoder
from bench.training import BASE

RECIPE = pathlib.Path(__file__).parents[2] / "recipes" / "IEMOCAP" / "MLKD"
EMOTIONS = ("ang", "hap", "neu", "sad")
NOISES, NOISE_SECONDS = ("babble", "f16", "factory1", "hfchannel", "volvo"), 60
SHORTEST = 0.3  # s, whatever the factor on the durations
SPEAKERS = [f"Ses0{s}{gender}" for s in range(1, 6) for gender in "FM"]

#: How much is measured. ``encoder``: what differs from the embedded encoder's
#: configuration; ``utterances``: of a speaker; ``shorter``: factor on IEMOCAP's
#: durations; ``rounds``: epochs of each loop; ``steps``: where a few are
#: enough.
Size = namedtuple(
    "Size", "encoder speakers utterances shorter workers rounds steps"
)
NARROW = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": [8, 8, 16, 16],
    "num_conv_pos_embeddings": 16,
    "do_stable_layer_norm": False,
}
SIZES = {
    "base": Size(BASE, 10, 96, 1.0, 8, 2, 10),
    "tiny": Size(NARROW, 4, 8, 0.1, 0, 1, 2),
}

#: ``folder`` holds everything that the parts share; ``device`` is "cuda" or
#: "cpu", ``machine`` its name in words.
Setup = namedtuple("Setup", "folder size device machine")


def make(setup, findings):
    """Write encoder, corpus and noise."""
    folder = pathlib.Path(setup.folder)
    start = time.perf_counter()
    save_encoder(folder / "encoder", setup.size.encoder)
    findings.note("seconds for the encoder", time.perf_counter() - start)
    table = write_corpus(folder / "corpus", setup.size)
    (folder / "manifests").mkdir()
    for speaker, part in table.groupby("spk_id"):
        part.to_csv(folder / "manifests" / f"{speaker}.csv", index=False)
    write_noise(folder / "noise")
    findings.note("utterances", len(table))
    findings.note("seconds of audio", float(table["duration"].sum()))


def write_corpus(folder, size):
    """Recordings of all speakers; the rows of their manifests."""
    folder.mkdir()
    tasks = [(folder, size, i) for i in range(size.speakers * size.utterances)]
    with multiprocessing.get_context("fork").Pool() as pool:
        rows = pool.starmap(_write_utterance, tasks, chunksize=8)
    return pandas.DataFrame(rows)[COLUMNS]


@functools.cache
def _utterances(count, shorter):
    torch.set_num_threads(1)
    # sorted, so that each speaker has utterances of all durations
    durations = shorter * np.sort(iemocap_like(count))
    return dataset_of(np.maximum(durations, SHORTEST))


def _write_utterance(folder, size, index):
    item = _utterances(size.speakers * size.utterances, size.shorter)[index]
    speaker = SPEAKERS[index % size.speakers]
    name = f"{speaker}_{item['id']}"
    speech = item["clean_sig"].numpy()
    soundfile.write(folder / f"{name}.wav", speech, SAMPLE_RATE)
    # the others are never asked for
    level = speech_level(speech, "g712")
    return {
        "ID": name,
        "wav": f"$data_root/{name}.wav",
        "duration": len(speech) / SAMPLE_RATE,
        "spk_id": speaker,
        "session": speaker[:5],
        "gender": speaker[-1],
        "style": "improvised",
        # of the tone, which is not the speaker's
        "emo": EMOTIONS[int(item["emo_encoded"])],
        **dict.fromkeys(LEVELS, level),
    }


def write_noise(folder):
    """A minute of each noise, the same on every machine."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in NOISES:
        samples = random.integers(
            -3000, 3000, NOISE_SECONDS * SAMPLE_RATE, dtype=np.int16
        )
        soundfile.write(folder / f"{name}.wav", samples, SAMPLE_RATE)


def options_of(setup, system, /, **options):
    """Options of a recipe's script, for a run of this name."""
    folder = pathlib.Path(setup.folder)
    pairs = {
        "device": setup.device,
        "system": system,
        "data_folder": folder / "corpus",
        "noise_folder": folder / "noise",
        "manifest_folder": folder / "manifests",
        "results_folder": folder / "results",
        "noise_cache": folder / "noise_cache",
        "encoder_hub": folder / "encoder",
        "corpus": "synthetic",
        "skip_prep": True,
        "allow_partial": True,
        "num_workers": setup.size.workers,
        **options,
    }
    words = [w for k, v in pairs.items() for w in (f"--{k}", str(v))]
    return ["--noprogressbar", *words]


def fold_of(setup, yaml, system, /, **options):
    """What a script makes of its yaml, before it trains.

    Arguments
    ---------
    setup : Setup
        Made.
    yaml : str
        "teacher" or "student".
    system : str
        Name of the run.
    **options
        More options of the script.

    Returns
    -------
    hparams : dict
        Of the yaml.
    run_opts : dict
        SpeechBrain's options.
    datasets : dict
        Of fold 1; a student's are noisy.
    """
    words = options_of(setup, system, **options)
    argv = [str(RECIPE / "hparams" / f"{yaml}.yaml"), *words]
    _, hparams, run_opts, _ = load_hparams(argv)
    hparams["prepare_fold"]()
    noises = None
    if yaml == "student":
        samplers = hparams["train_noise"], hparams["valid_noise"]
        noises = prepare_noises(hparams["noise_bank"], *samplers)
    labels = make_label_encoder(hparams["emotions"], hparams["save_folder"])
    return hparams, run_opts, dataio_prep(hparams, labels, noises)
