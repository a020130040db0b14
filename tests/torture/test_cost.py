"""What a recording costs does not depend on its rate, nor a model's memory on its length."""

import math
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognition import (
    BATCH_SECONDS,
    LONGEST_SECONDS,
    Recognition,
)
from recordings import Uniform

RATES = [1000, 7919, 8000, 11025, 15999, 16001, 22050, 32000, 37813, 44099]
RATES += [44100, 44101, 47999, 48000, 96000, 192000, 383987, 1_000_000]
MEASURE = """
import io, resource, sys
import numpy as np, soundfile, torch
from mlkd_brain.audio import read_mono

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

read_mono(sys.argv[1])
for rate in map(int, sys.argv[2:]):
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(2 * rate), rate, format="WAV")
    stream.seek(0)
    before = peak()
    read_mono(stream)
    print(rate, peak() - before)
"""


def tone(rate, seconds=2.0, hertz=300):
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * hertz * time)


def test_no_rate_takes_much_memory(tally, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(44100), 44100)
    words = [sys.executable, "-c", MEASURE, tmp_path / "a.wav", *RATES]
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [int(rate) for rate, _ in rows] == RATES
    for rate, megabytes in rows:
        # two seconds at 1 MHz in float32 are 8 MB, kept three times
        assert float(megabytes) < 40, rate
        tally.count("files", "memory at any rate", "below 40 MB for 2 s")


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_level_pitch_and_place(tally, tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate), rate, "FLOAT")
    wav = read_mono(tmp_path / "a.wav").numpy()
    assert abs(len(wav) - 2 * SAMPLE_RATE) <= 1
    inner = slice(2000, 30000)  # the filter's edges aside
    # soxr's HQ has 20 bits
    assert np.abs(wav[inner] - tone(SAMPLE_RATE)[inner]).max() < 2e-5
    tally.count("files", "a tone at any rate", "the same tone at 16 kHz")


@pytest.mark.parametrize("seconds", [1, 59, 60, 61, 89.99, 90.01, 600, 1800])
def test_a_model_is_never_given_more_than_a_minute(tally, tmp_path, seconds):
    path = tmp_path / "long.wav"
    random = np.random.default_rng(0).integers(-99, 99, round(seconds * 8000))
    soundfile.write(path, random.astype("int16"), 8000)
    model = Uniform()
    answer = model.recognize(path)
    assert answer.end == pytest.approx(seconds)
    assert torch.equal(answer.probabilities, torch.full((4,), 0.25))
    longest = max(rows * time for rows, time in model.batches)
    assert longest <= LONGEST_SECONDS * SAMPLE_RATE
    total = sum(rows * time for rows, time in model.batches)
    assert total >= math.floor(seconds * SAMPLE_RATE)
    said = "the mean over" in answer.warning
    assert said == (seconds > LONGEST_SECONDS)
    outcome = "in windows, which is said" if said else "at once"
    tally.count("files", "recordings of 1 s to 30 min", outcome)


@pytest.mark.parametrize("window", [0.1, 1, 4, 32, 33, 100])
def test_windows_are_computed_some_at_a_time(tally, tmp_path, window):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000 * 150), 8000)
    model = Uniform()
    moments = model.timeline(tmp_path / "a.wav", window, window)
    assert len(moments) == math.ceil(150 / window)
    assert all(m.warning.startswith("silent") for m in moments)
    longest = max(rows * time for rows, time in model.batches)
    assert longest <= max(BATCH_SECONDS, window) * SAMPLE_RATE
    tally.count("files", "windows of 0.1 s to 100 s", "memory bounded")


class Mean(Recognition):
    """Logits that are a linear function of a mean over time, as a model's."""

    emotions = ("low", "high")

    def logits(self, wavs, lengths):
        means = [w[:n].mean() for w, n in zip(wavs, lengths)]
        return torch.stack([torch.stack([-m, m]) for m in means])


def test_the_mean_over_windows_is_that_of_the_whole(tmp_path):
    ramp = np.linspace(-0.9, 0.9, 97 * 16000) ** 3 + 0.05
    soundfile.write(tmp_path / "a.wav", ramp, 16000, "FLOAT")
    wav = read_mono(tmp_path / "a.wav")
    whole, *_ = Mean().classify_batch(wav)
    assert torch.allclose(
        Mean().recognize(tmp_path / "a.wav").probabilities, whole[0], atol=1e-6
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"gone.wav: cannot be read as audio \(no such file\)"
    ):
        read_mono(tmp_path / "gone.wav")
