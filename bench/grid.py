"""Scoring 26 noise conditions, beside 26 plain forward passes.

    python -m bench.grid

The same utterances, sorted by length; the evaluation reads, mixes and scores
besides, and reads each recording once rather than 26 times.

Authors
 * The MLKD team 2026
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
import pandas
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.evaluation.noise_grid import NoiseGrid
from mlkd_brain.method.embedded import save_random_encoder
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import WEIGHTINGS, speech_level

from bench.contestant import THREADS
from bench.lengths import dataset_of, iemocap_like
from bench.results import add, markdown, row

UTTERANCES, REPEATS = 16, 2
NOISES, SNRS_DB = ("a", "b", "c", "d", "e"), [0, 5, 10, 15, 20]
EMOTIONS = ["ang", "hap", "neu", "sad"]


def write_corpus(folder):
    """Utterances and noises on disk; the manifest."""
    durations = np.sort(iemocap_like())[:: -(-4425 // UTTERANCES)]
    rows = []
    for item in dataset_of(durations):
        wav, name = folder / f"{item['id']}.wav", item["id"]
        speech = item["clean_sig"].numpy()
        soundfile.write(wav, speech, SAMPLE_RATE)
        levels = {f"level_{w}": speech_level(speech, w) for w in WEIGHTINGS}
        rows.append(
            {
                "ID": name,
                "wav": str(wav),
                "duration": len(speech) / SAMPLE_RATE,
                "spk_id": "s",
                "emo": EMOTIONS[int(item["emo_encoded"])],
                **levels,
            }
        )
    (folder / "noise").mkdir()
    random = np.random.default_rng(0)
    for name in NOISES:
        noise = random.uniform(-0.1, 0.1, 60 * SAMPLE_RATE)
        soundfile.write(folder / "noise" / f"{name}.wav", noise, SAMPLE_RATE)
    return pandas.DataFrame(rows)


def grid_of(folder):
    """The evaluation, ready."""
    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    bank = NoiseBank(folder / "noise", folder / "cache", shares=shares)
    bank.prepare()
    return NoiseGrid(bank, SNRS_DB, "g712", EMOTIONS)


def plain_passes(model, manifest, conditions, batch_size=8):
    """The model alone, as often as there are conditions."""
    lengths = sorted(round(d * SAMPLE_RATE) for d in manifest["duration"])
    batches = [
        torch.tensor(lengths[start : start + batch_size])
        for start in range(0, len(lengths), batch_size)
    ]
    waves = [0.1 * torch.randn(len(b), int(b.max())) for b in batches]
    with torch.inference_mode():
        for samples, wavs in zip(batches, waves):
            for _ in range(conditions):
                model(wavs, samples / wavs.shape[1])


def main():
    """Measure in turn, keep, print."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        manifest, grid = write_corpus(folder), grid_of(folder)
        save_random_encoder(folder / "encoder", seed=1)
        encoder = SpeechEncoder(
            str(folder / "encoder"), kept_layers=[2, 4, 6, 8, 10, 12]
        )
        model = EmotionClassifier(encoder, len(EMOTIONS)).eval()
        conditions = len(grid.conditions)
        contestants = {
            f"{conditions} plain forward passes": lambda: plain_passes(
                model, manifest, conditions
            ),
            f"evaluation, {conditions} conditions": lambda: grid.predict(
                model, manifest, ""
            ),
        }
        times = {name: [] for name in contestants}
        plain_passes(model, manifest, 1)  # chooses kernels
        for _ in range(REPEATS):
            for name, run in contestants.items():
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(t) for name, t in times.items()}
    reference = next(iter(medians))
    rows = [
        row(f"grid: {name}", "s", value, reference, medians[reference])
        for name, value in medians.items()
    ]
    add(rows)
    print(markdown(rows))


if __name__ == "__main__":
    main()
