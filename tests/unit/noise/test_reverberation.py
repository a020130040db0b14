"""Rooms: the direct sound stays, the SNR is of the reverberant speech."""

import types

import numpy as np
import pytest
import soundfile
from mlkd_brain.errors import InputError
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import noise_level, speech_level
from mlkd_brain.noise.reverberation import Reverberation
from mlkd_brain.noise.sampling import NoiseSampler
from portable_signals import speechlike, white

RATE = 16000


def rooms(folder, share=1.0, seed=1986, epoch=1):
    counter = types.SimpleNamespace(current=epoch)
    made = Reverberation(folder, share, seed, counter)
    made.prepare()
    return made


@pytest.fixture
def folder(tmp_path):
    """Three rooms, one at another rate and in a folder below."""
    random = np.random.default_rng(0)
    (tmp_path / "rirs" / "more").mkdir(parents=True)
    for index, (name, rate) in enumerate(
        [("a.wav", RATE), ("b.flac", RATE), ("more/c.wav", 8000)]
    ):
        time = np.arange(rate // 2) / rate
        tail = random.normal(size=len(time)) * 10 ** (-(3 + index) * time)
        tail[:20], tail[20] = 0.0, 8.0
        soundfile.write(tmp_path / "rirs" / name, tail / 10, rate)
    return tmp_path / "rirs"


def test_a_room_is_a_function_of_seed_epoch_and_utterance(folder):
    speech = speechlike(seconds=1.0).astype("float32")

    def wet(utterance, **options):
        return rooms(folder, **options)(utterance, speech, -30.0, "none")[0]

    first = wet("u1")
    assert np.array_equal(wet("u1"), first)
    assert len(first) == len(speech) and first.dtype == np.float32
    heard = {wet(f"u{i}").tobytes() for i in range(20)}
    assert len(heard) == 3
    assert len({wet("u1", epoch=e).tobytes() for e in range(20)}) == 3
    assert len({wet("u1", seed=s).tobytes() for s in range(20)}) == 3


def test_a_share_of_the_utterances_reverberates(folder):
    speech, half = np.ones(400, dtype="float32"), rooms(folder, share=0.5)
    dry = [half(f"u{i}", speech, 0.0, "none")[0] is speech for i in range(200)]
    assert 70 < sum(dry) < 130
    assert rooms(folder, share=0.0)("u1", speech, -9.0, "none") == (
        speech,
        -9.0,
    )


def test_the_direct_sound_stays_in_place(folder):
    """Teacher and student are compared frame by frame."""
    click = np.zeros(RATE, dtype="float32")
    click[5000] = 0.5
    for index in range(10):
        wet, _ = rooms(folder)(f"u{index}", click, -30.0, "none")
        # 8 kHz has half of the places
        assert abs(int(np.abs(wet).argmax()) - 5000) <= 1
        peak = np.abs(wet).max()
        assert (
            np.abs(wet[:4900]).max() < 1e-3 * peak
        )  # none comes round the end
        assert np.abs(wet[5100:]).max() > 0.05 * peak


@pytest.mark.parametrize("weighting", ["none", "g712"])
def test_the_snr_is_of_the_reverberant_speech(folder, tmp_path, weighting):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "white.wav", white(), RATE)
    bank = NoiseBank(
        tmp_path / "noise", tmp_path / "cache", shares={"train": 1}
    )
    bank.prepare()
    speech = (0.1 * speechlike()).astype("float32")  # the sum fits full scale
    reverberation = rooms(folder)
    noise = NoiseSampler(
        bank, "train", [5], weighting, 1, reverberation=reverberation
    )
    noise.resolve()
    level = speech_level(speech, weighting)
    mixture = noise("u1", speech, level)
    wet, wet_level = reverberation("u1", speech, level, weighting)
    assert abs(wet_level - level) > 0.1  # else this shows nothing
    added = mixture - wet
    # the segment is filtered from its own start here
    assert wet_level - noise_level(added, weighting) == pytest.approx(
        5, abs=0.1
    )


def test_a_folder_or_file_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no wav, flac or ogg file"):
        rooms(tmp_path)
    with pytest.raises(InputError, match="reverberant_share is 2"):
        rooms(tmp_path, share=2)
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    with pytest.raises(InputError, match="silent.wav: is empty, silent"):
        rooms(tmp_path)
    (tmp_path / "silent.wav").write_bytes(b"no audio")
    with pytest.raises(InputError, match="silent.wav: cannot be read"):
        rooms(tmp_path)


def test_without_a_folder_nothing_happens():
    speech = np.ones(10, dtype="float32")
    assert rooms(None)("u1", speech, -3.0, "none") == (speech, -3.0)
