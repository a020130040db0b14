"""Time to draw and mix the noise of one utterance, beside reading its file.

    python -m bench.noise

Authors
 * The MLKD team 2026
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import noise_level, speech_level
from mlkd_brain.noise.mixing import mix
from mlkd_brain.noise.sampling import NoiseSampler

from bench.results import add, markdown, row
from speechbrain.augment.time_domain import AddNoise

SECONDS = 4.5  # the mean utterance of IEMOCAP
REPEATS = 200
WEIGHTING = "g712"


def write_recordings(folder):
    """An utterance and three noises of a minute each, on disk."""
    random = np.random.default_rng(0)
    time_axis = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    speech = 0.2 * np.sin(2 * np.pi * 150 * time_axis)
    speech *= np.sin(2 * np.pi * 1.1 * time_axis) ** 2
    soundfile.write(folder / "speech.wav", speech, SAMPLE_RATE)
    (folder / "noise").mkdir()
    rows = ["ID,duration,wav,wav_format,wav_opts"]
    for name in ("a", "b", "c"):
        path = folder / "noise" / f"{name}.wav"
        samples = random.uniform(-0.1, 0.1, 60 * SAMPLE_RATE)
        soundfile.write(path, samples, SAMPLE_RATE)
        rows.append(f"{name},60.0,{path},wav,")
    (folder / "noise.csv").write_text("\n".join(rows) + "\n")


def contestants(folder):
    """What is timed, by name: functions of a number, for another draw each."""
    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    bank = NoiseBank(folder / "noise", folder / "cache", shares=shares)
    bank.prepare()
    drawn = NoiseSampler(bank, "train", [0, 5, 10, 15, 20], WEIGHTING, seed=1)
    drawn.resolve()
    speech = read_mono(folder / "speech.wav")
    samples = speech.numpy()
    level = speech_level(samples, WEIGHTING)
    segment = bank.segment("a", "train", 0.5, len(samples))
    theirs = AddNoise(str(folder / "noise.csv"), snr_low=0, snr_high=20)
    whole = torch.ones(1)
    return {
        "reading the wav file": lambda i: read_mono(folder / "speech.wav"),
        "drawing and mixing, levels stored": lambda i: drawn(
            f"u{i}", samples, level
        ),
        "mixing, levels measured anew": lambda i: mix(
            samples,
            segment,
            speech_level(samples, WEIGHTING),
            noise_level(segment, WEIGHTING),
            5.0,
        ),
        "SpeechBrain's AddNoise": lambda i: theirs(speech[None], whole),
    }


def measure(functions, repeats=REPEATS):
    """Median milliseconds of each, taken in turn."""
    times = {name: [] for name in functions}
    for number in range(repeats + 5):
        for name, function in functions.items():
            start = time.perf_counter()
            function(number)
            times[name].append(1000 * (time.perf_counter() - start))
    # the first rounds open files
    return {name: statistics.median(taken[5:]) for name, taken in times.items()}


def main():
    """Measure, print the table, add it to bench/results.json."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_recordings(folder)
        medians = measure(contestants(folder))
    reference = "reading the wav file"
    rows = [
        row(f"noise: {name}", "ms", value, reference, medians[reference])
        for name, value in medians.items()
    ]
    add(rows)
    print(f"one utterance of {SECONDS} s, one core, median of {REPEATS}")
    print(markdown(rows))


if __name__ == "__main__":
    main()
