"""Recordings of every kind that is read, whole and damaged, made in memory.

Authors
 * The MLKD team 2026
"""

import io
import struct

import numpy as np
import soundfile
from mlkd_brain.audio import FORMATS
from mlkd_brain.inference.recognition import Recognition

RATES = (8000, 16000, 44100)
CHANNELS = (1, 2)
#: Formats to the rate that they take, where they do not take all.
OWN_RATES = {"OPUS": (8000, 16000, 48000), "MP3": RATES}


def encoded(samples, rate, kind, subtype):
    """A file's bytes; None where libsndfile does not write such a one."""
    stream = io.BytesIO()
    try:
        soundfile.write(stream, samples, rate, subtype, format=kind)
    except (soundfile.LibsndfileError, ValueError):
        return None
    return stream.getvalue()


def hiss(seconds, rate, channels=1, seed=0):
    """White noise that is alike in all channels, (time, channels)."""
    random = np.random.default_rng(seed)
    samples = random.normal(0, 0.1, round(seconds * rate))
    return np.repeat(samples[:, None], channels, axis=1).clip(-0.9, 0.9)


def every_kind(seconds=0.5):
    """Name and bytes of a recording in each format, depth, rate and channels."""
    for kind in FORMATS:
        for subtype in soundfile.available_subtypes(kind):
            for rate in OWN_RATES.get(subtype, RATES):
                for channels in CHANNELS:
                    content = encoded(
                        hiss(seconds, rate, channels), rate, kind, subtype
                    )
                    if content is not None:
                        yield f"{kind} {subtype} {rate} {channels}", content


def wav_bytes(pcm, bits=16, valid=None, sizes=None, rate=16000):
    """A wav by hand: valid bits in a container, sizes as a program gives them."""
    block = bits // 8
    riff, data = sizes or (36 + len(pcm), len(pcm))
    form = (16, 1, 1, rate, rate * block, block, valid or bits)
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", *form)
    return head + b"data" + struct.pack("<I", data) + pcm


def without_length(content):
    """The same recording as a program that writes into a pipe leaves it."""
    made = bytearray(content)
    unknown = b"\xff\xff\xff\xff"
    if content[:4] in (b"RIFF", b"RIFX"):
        at = content.index(b"data")
        made[4:8] = made[at + 4 : at + 8] = unknown
    elif content[:4] in (b".snd", b"dns."):
        made[8:12] = unknown
    elif content[:4] == b"caff":
        at = content.index(b"data")
        made[at + 4 : at + 12] = unknown * 2
    elif content[:4] == b"fLaC":
        made[21] &= 0xF0
        made[22:42] = bytes(20)  # total samples, MD5
    else:
        return None
    return bytes(made)


class Uniform(Recognition):
    """A backend that needs no training, and notes what it was given."""

    emotions = ("ang", "hap", "neu", "sad")

    def __init__(self):
        self.batches = []

    def logits(self, wavs, lengths):
        self.batches.append(tuple(wavs.shape))
        return wavs.new_zeros(len(wavs), 4)
