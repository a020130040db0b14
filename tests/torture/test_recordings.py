"""Recordings as they come: what is read is whole, or refused in one line."""

import functools
import io

import numpy as np
import pytest
import soundfile
import torch
from mlkd_brain.audio import SILENCE, read_checked, silence
from mlkd_brain.errors import InputError
from recordings import (
    FORMATS,
    encoded,
    every_kind,
    hiss,
    wav_bytes,
    without_length,
)

SECONDS = 0.5
#: Codecs that fill their last block: as many samples at 16 kHz, at most.
FILLED = ("ADPCM", "GSM610", "G72")
BLOCK = 1000
WHOLE, REFUSED = "read whole", "refused in one line"


@functools.cache
def kinds():
    return dict(every_kind(SECONDS))


def read(content):
    """Samples that are read, or the line that refuses them."""
    try:
        return len(read_checked(io.BytesIO(content), 0.0)), ""
    except InputError as error:
        assert "\n" not in str(error)
        return 0, str(error)


def is_whole(name, samples):
    wanted = round(SECONDS * 16000)
    spare = BLOCK if any(codec in name for codec in FILLED) else 0
    return wanted - 1 <= samples <= wanted + 1 + spare


def test_every_format_depth_rate_and_channel_count_is_read_whole(tally):
    for name, content in kinds().items():
        samples, fault = read(content)
        assert is_whole(name, samples), (name, samples, fault)
        tally.count("files", "formats x depths x rates x channels", WHOLE)
    assert {name.split()[0] for name in kinds()} == set(FORMATS)
    assert len(kinds()) > 300


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9, -1])
def test_a_file_that_ends_early_is_never_read_in_part(tally, place):
    for name, content in kinds().items():
        end = place if place < 0 else int(place * len(content))
        samples, fault = read(content[:end])
        if "unknown" in name or is_whole(name, samples):
            # a byte behind the samples: padding, or a chunk of remarks
            assert place == -1, name
            tally.count("files", "cut at 4 places", WHOLE)
            continue
        assert fault, (name, place, samples)
        tally.count("files", "cut at 4 places", REFUSED)


def test_audio_behind_the_first_stream_is_named(tally):
    for name, content in kinds().items():
        samples, fault = read(content + content)
        assert "chained" in fault, (name, samples, fault)
        tally.count("files", "two recordings in one file", REFUSED)


def test_a_length_that_is_not_known_is_no_fault(tally):
    tried = 0
    for name, content in kinds().items():
        streamed = without_length(content)
        if streamed is None:
            continue
        samples, fault = read(streamed)
        assert is_whole(name, samples), (name, samples, fault)
        tally.count("files", "written into a pipe: length not known", WHOLE)
        tried += 1
    assert tried > 100


@pytest.mark.parametrize(
    "sizes", [(0xFFFFFFFF,) * 2, (0, 0), (0x7FFFF024, 0x7FFFF000)]
)
@pytest.mark.parametrize(
    "bits, valid", [(16, 16), (32, 24), (32, 20), (24, 20), (16, 12)]
)
def test_containers_wider_than_their_samples_are_read(
    tally, sizes, bits, valid
):
    # valid bits are the upper ones of their container
    values = np.round(hiss(SECONDS, 16000)[:, 0] * 2 ** (valid - 1))
    shifted = (values * 2 ** (32 - valid)).astype("<i4")
    size = bits // 8  # the upper bytes of each sample
    pcm = shifted.view("u1").reshape(-1, 4)[:, 4 - size :].tobytes()
    wanted = torch.from_numpy(values / 2 ** (valid - 1)).float()
    for given in (None, sizes):
        content = io.BytesIO(wav_bytes(pcm, bits, valid, given))
        assert torch.equal(read_checked(content), wanted)
        tally.count("files", "valid bits in wider containers", WHOLE)


def test_overwritten_bytes_never_end_a_run(tally):
    random = np.random.default_rng(0)
    for name, content in list(kinds().items())[::3]:
        damaged = bytearray(content)
        for at in random.integers(0, len(content), 8):
            damaged[at] = random.integers(256)
        samples, fault = read(bytes(damaged))
        assert fault or samples, name
        outcome = REFUSED if fault else "read; samples carry no check sum"
        tally.count("files", "eight bytes overwritten", outcome)


def test_what_is_no_recording_is_refused(tally):
    random = np.random.default_rng(0)
    heads = [content[:n] for n in (4, 12, 40) for content in kinds().values()]
    junk = [random.bytes(n) for n in range(0, 2000, 40)]
    magics = [
        m + random.bytes(200) for m in (b"RIFF", b"OggS", b"fLaC", b"ID3")
    ]
    for content in {*heads, *junk, *magics}:
        samples, fault = read(content)
        assert fault or samples == 0, content[:20]
        tally.count("files", "headers alone and random bytes", REFUSED)


@pytest.mark.parametrize("kind, subtype", [("WAV", None), ("FLAC", None)])
@pytest.mark.parametrize("channels", [3, 6, 8])
def test_more_channels_are_averaged(tally, kind, subtype, channels):
    content = encoded(hiss(1, 16000, channels), 16000, kind, subtype)
    wav = read_checked(io.BytesIO(content))
    alone = torch.from_numpy(hiss(1, 16000)[:, 0].astype("float32"))
    assert torch.allclose(wav, alone, atol=1e-4)  # 16 bits
    tally.count("files", "3 to 8 channels", WHOLE)


def silent_pairs():
    """Two channels with nothing in them, or nothing in their mean."""
    sound = hiss(1, 16000)[:, 0]
    random = np.random.default_rng(0)
    yield "zeros", np.zeros((16000, 2))
    yield "channels that cancel", np.stack([sound, -sound], 1)
    yield "dither", random.uniform(-1, 1, (16000, 2)) / 2**15


@pytest.mark.parametrize("name, samples", [*silent_pairs()])
def test_silence_is_named_after_the_channels_are_averaged(tally, name, samples):
    for kind in FORMATS:
        for subtype in ("PCM_16", "PCM_24", "FLOAT"):
            content = encoded(samples, 16000, kind, subtype)
            if content is None:
                continue
            wav = read_checked(io.BytesIO(content))
            assert silence(wav).startswith("silent"), (kind, subtype)
            tally.count("files", "silence, channels that cancel", "named")


def test_the_quietest_sound_is_no_silence():
    sound = torch.zeros(16000)
    sound[5] = 1.01 * SILENCE
    assert silence(sound) == ""


def test_samples_that_are_not_finite_are_refused(tally):
    for kind in ("WAV", "AIFF", "W64", "CAF", "AU"):
        for value in (np.nan, np.inf, -np.inf):
            sound = hiss(1, 16000)
            sound[77] = value
            content = encoded(sound, 16000, kind, "FLOAT")
            assert "not finite" in read(content)[1]
            tally.count("files", "samples that are not finite", REFUSED)


def test_headers_with_rates_of_no_recording_are_refused(tally):
    pcm = bytes(64000)
    for rate in (1, 8, 100, 999, 1_000_001, 2**31 - 1):
        assert read(wav_bytes(pcm, rate=rate))[1]
        tally.count("files", "rates of no recording", REFUSED)


def test_a_format_whose_length_cannot_be_checked_is_refused(tally):
    others = set(soundfile.available_formats()) - set(FORMATS) - {"RAW", "SD2"}
    for kind in others:
        subtype = soundfile.default_subtype(kind)
        content = encoded(hiss(1, 16000), 16000, kind, subtype)
        content = content or encoded(hiss(1, 8000), 8000, kind, "ALAW")
        assert read(content)[1], kind
        tally.count("files", "formats that give no length", REFUSED)
    assert len(others) > 8
