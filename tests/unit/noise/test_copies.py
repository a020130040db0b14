"""Copies of a recording are found, other recordings are not."""

import io

import numpy as np
import pytest
import soundfile
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.copies import (
    SAME,
    acoustic_fingerprint,
    copy_of,
    samples_checksum,
    similarity,
)
from scipy.signal import butter, resample_poly, sosfilt

RATE = 16000
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def noise(seed, seconds=12):
    """Seeded, louder at low frequencies, 16 bits."""
    white = np.random.default_rng(seed).normal(size=seconds * RATE)
    sos = butter(1, 800, fs=RATE, output="sos")
    return np.round(0.2 * sosfilt(sos, white) * 32767) / 32768


def through(form, wave):
    """Encoded and decoded."""
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format=form)
    file.seek(0)
    return soundfile.read(file)[0]


def resampled(wave, up, down):
    return resample_poly(resample_poly(wave, up, down), down, up)


COPIES = {
    "the same": lambda wave: wave,
    "at 8 kHz": lambda wave: resampled(wave, 1, 2),
    "at 44.1 kHz": lambda wave: resampled(wave, 441, 160),
    "MP3": lambda wave: through("MP3", wave),
    "Ogg Vorbis": lambda wave: through("OGG", wave),
    "a fifth as loud": lambda wave: 0.2 * wave,
    "upside down": lambda wave: -wave,
    "half a step later": lambda wave: wave[800:],
    "its last 6 s": lambda wave: wave[-6 * RATE :],
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found(name):
    one = acoustic_fingerprint(noise(0))
    other = acoustic_fingerprint(COPIES[name](noise(0)))
    assert similarity(one, other)[0] > SAME + 0.04


@pytest.mark.parametrize("later", [-2.0, 0.0, 3.0])
def test_where_the_copy_begins_is_found(later):
    shift = round(abs(later) * RATE)
    one, other = noise(0)[shift:], noise(0)
    if later < 0:
        one, other = other, one
    found = similarity(*map(acoustic_fingerprint, (one, other)))
    assert found == (pytest.approx(1, abs=0.02), later)


def test_other_recordings_of_one_kind_are_others():
    prints = [acoustic_fingerprint(noise(seed)) for seed in range(6)]
    prints.append(acoustic_fingerprint(noise(0, 24)[12 * RATE :]))
    shares = [
        similarity(one, other)[0]
        for place, one in enumerate(prints)
        for other in prints[:place]
    ]
    assert len(shares) == 21 and max(shares) < SAME - 0.04


def test_real_recordings_are_others_and_their_copies_are_found(corpora):
    waves = {}
    for path in sorted((corpora / "noise").glob("*.wav")):
        samples, rate = soundfile.read(path, always_2d=True)
        waves[path.stem] = resample_poly(samples.mean(1), RATE, rate)
    assert len(waves) >= 5
    prints = {name: acoustic_fingerprint(w) for name, w in waves.items()}
    for name, wave in waves.items():
        copy = acoustic_fingerprint(through("MP3", wave))
        shares = {n: similarity(own, copy)[0] for n, own in prints.items()}
        assert shares.pop(name) > SAME + 0.1
        assert max(shares.values()) < SAME - 0.05


def test_too_short_to_tell_is_no_copy():
    short = acoustic_fingerprint(noise(0, 4))
    assert similarity(short, short) == (0.0, 0.0)
    assert acoustic_fingerprint(noise(0)[:6000]) == ""
    assert copy_of("a", "b", {"a": short, "b": short}) is None
    assert copy_of("a", "a", {}) == (1.0, 0.0)  # an old protocol


def test_flac_has_the_checksum_of_the_wav_and_other_samples_have_not(tmp_path):
    for name in ("a.wav", "b.flac"):
        soundfile.write(tmp_path / name, noise(0), RATE)
    changed = noise(0)
    changed[5] += 2 / 32768
    soundfile.write(tmp_path / "c.wav", changed, RATE)
    soundfile.write(tmp_path / "d.wav", noise(0), RATE // 2)
    wav, flac, *others = (
        samples_checksum(p) for p in sorted(tmp_path.iterdir())
    )
    assert wav == flac and len({wav, *others}) == 3


def test_a_bank_knows_a_recording_by_its_samples(tmp_path):
    banks = []
    for ending in ("wav", "flac"):
        folder = tmp_path / ending
        folder.mkdir()
        soundfile.write(folder / f"hum.{ending}", noise(0), RATE)
        bank = NoiseBank(folder, tmp_path / f"c_{ending}", shares=SHARES)
        bank.prepare()
        banks.append(bank)
    wav, flac = banks
    assert wav.checksums == flac.checksums
    (fingerprint,) = wav.fingerprints.values()
    assert fingerprint == acoustic_fingerprint(noise(0))
