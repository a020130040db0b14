"""Operations, parameters and bytes, against a count by hand."""

import subprocess
import sys
import time

import pytest
from mlkd_brain.evaluation.complexity import OtherLoad, complexity
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier

WIDTH, INNER, CHANNELS, CLASSES = 32, 64, 16, 4  # of the tiny encoder
CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


def operations_by_hand(samples, blocks):
    """Multiply-accumulates of a wav2vec 2.0 and its classifier."""
    total, inputs = 0, 1
    for kernel, stride in CONVOLUTIONS:
        samples = (samples - kernel) // stride + 1
        total += samples * CHANNELS * inputs * kernel
        inputs = CHANNELS
    frames = samples
    total += frames * CHANNELS * WIDTH
    # an even kernel gives one frame more, which is cut off; two groups
    total += (frames + 1) * WIDTH * (WIDTH // 2) * 16
    projections = 4 * frames * WIDTH**2
    attention = 2 * frames**2 * WIDTH
    feed_forward = 2 * frames * WIDTH * INNER
    total += blocks * (projections + attention + feed_forward)
    return total + WIDTH * CLASSES


@pytest.mark.parametrize("kept", [None, [2, 4]])
def test_operations_are_those_of_the_layers(tiny_wav2vec2, kept):
    model = EmotionClassifier(
        SpeechEncoder(tiny_wav2vec2, kept_layers=kept), CLASSES
    )
    counted = complexity(model, seconds=2.0)
    blocks = 4 if kept is None else len(kept)
    assert counted["macs"] == operations_by_hand(32000, blocks)


def test_a_class_more_is_a_row_more(tiny_wav2vec2):
    encoder = SpeechEncoder(tiny_wav2vec2)  # frozen parts count too
    four, five = (
        complexity(EmotionClassifier(encoder, classes), seconds=0.1)
        for classes in (4, 5)
    )
    assert five["parameters"] == four["parameters"] + WIDTH + 1
    assert four["bytes"] == 4 * four["parameters"]
    assert four["others"] is None or four["others"] >= 0
    assert four["milliseconds"] > 0 and "cores" in four["machine"]


@pytest.mark.skipif(OtherLoad().start is None, reason="needs /proc/stat")
def test_a_process_beside_is_seen():
    endless = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(endless) as other:
        time.sleep(0.3)  # it starts
        load = OtherLoad()
        time.sleep(0.5)
        beside = load.cores()
        other.kill()
    assert beside > 0.5


def test_what_the_model_computes_itself_is_no_other_load(monkeypatch):
    # busy seconds of all cores, own ones, the clock
    times = iter([(100.0, 5.0, 50.0), (103.0, 7.5, 52.0)])
    monkeypatch.setattr(OtherLoad, "_now", lambda *_: next(times))
    assert OtherLoad().cores() == 0.25
