"""Speech to pretrain on: a piece of an utterance, faster or slower, and noisy.

What is drawn depends on the seed, the epoch and the utterance's ID alone, as in
``mlkd_brain.noise.sampling``.

Authors
 * The MLKD team 2026
"""

import hashlib

import numpy as np
import soundfile
import torch
import torchaudio

from mlkd_brain.audio import SAMPLE_RATE

SILENCE = 1e-8  # of a mean square


def generator(*key):
    """A NumPy generator that is a fixed function of a key.

    Example
    -------
    >>> generator("seed", 1).random() == generator("seed", 1).random()
    True
    """
    text = "\x1f".join(str(item) for item in key)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


class DistortedSpeech:
    """Draws a clean piece of an utterance, and the same piece as it is heard.

    Arguments
    ---------
    seed : int
        Another seed, other draws.
    seconds : float
        Length of a piece; a shorter utterance is repeated, since a batch without
        padding is a third faster.
    speeds : list of float
        Factors of tempo and pitch to draw from.
    noisy_share : float
        Probability of noise, in [0, 1].
    snrs_db : list of float
        Lowest and highest signal-to-noise ratio, dB.
    voices_share : float
        Probability that the noise is other voices, in [0, 1]; else it is
        coloured noise.
    voices : int
        Most other voices, at least 1.
    equalised_share : float
        Probability of a random frequency response, in [0, 1].
    equaliser_db : float
        Standard deviation of that response, dB.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter, optional
        Source of the epoch; without it every epoch hears the same.
    """

    def __init__(
        self,
        seed,
        seconds,
        speeds,
        noisy_share,
        snrs_db,
        voices_share,
        voices,
        equalised_share,
        equaliser_db,
        epoch_counter=None,
    ):
        self.seed = seed
        self.seconds = seconds
        self.speeds = speeds
        self.noisy_share = noisy_share
        self.snrs_db = snrs_db
        self.voices_share = voices_share
        self.voices = voices
        self.equalised_share = equalised_share
        self.equaliser_db = equaliser_db
        self.epoch_counter = epoch_counter
        self.recordings = []

    def hear_others(self, wavs):
        """Name the recordings that other voices are taken from."""
        self.recordings = sorted(wavs)

    def key(self, utterance):
        """What the draws for an utterance depend on."""
        epoch = self.epoch_counter.current if self.epoch_counter else "fixed"
        return self.seed, epoch, utterance

    def __call__(self, utterance, wav):
        """A clean piece and what is heard of it.

        Arguments
        ---------
        utterance : str
            Its ID.
        wav : str
            Its recording, 16 kHz.

        Returns
        -------
        clean, heard : torch.Tensor
            Waveforms of one length, (time,).
        """
        random = generator(*self.key(utterance))
        clean = self._piece(wav, random, random.choice(self.speeds))
        heard = clean
        if random.random() < self.noisy_share:
            heard = clean + self._noise(clean, random)
        if random.random() < self.equalised_share:
            heard = equalise(heard, self.equaliser_db, random)
        return torch.from_numpy(clean), torch.from_numpy(heard)

    def _piece(self, wav, random, speed=1.0):
        length = round(self.seconds * SAMPLE_RATE)
        rate = round(SAMPLE_RATE * speed)  # as which the recording is heard
        # rounded as for the embedded encoder, but never too short for a piece
        wanted = max(
            int(self.seconds * speed * SAMPLE_RATE),
            (length - 1) * rate // SAMPLE_RATE + 1,
        )
        spare = max(0, soundfile.info(wav).frames - wanted)
        piece, _ = soundfile.read(
            wav, wanted, int(random.random() * (spare + 1)), dtype="float32"
        )
        piece = np.resize(piece, wanted)
        if rate == SAMPLE_RATE:
            return piece[:length]
        return torchaudio.functional.resample(
            torch.from_numpy(piece), rate, SAMPLE_RATE
        ).numpy()[:length]

    def _noise(self, clean, random):
        if random.random() < self.voices_share:
            voices = random.integers(1, self.voices + 1)
            noise = sum(
                self._piece(wav, random)
                for wav in random.choice(self.recordings, voices)
            )
        else:
            noise = coloured_noise(len(clean), random)
        snr_db = random.uniform(*self.snrs_db)
        powers = [np.mean(x**2) + SILENCE for x in (clean, noise)]
        gain = np.sqrt(powers[0] / powers[1] / 10 ** (snr_db / 10))
        return np.float32(gain) * noise


def coloured_noise(length, random):
    """Noise with a random slope, a random band and a slowly varying level.

    Arguments
    ---------
    length : int
        Samples.
    random : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    numpy.ndarray
        (length,), float32.

    Example
    -------
    >>> coloured_noise(16000, generator(1)).shape
    (16000,)
    """
    spectrum = np.fft.rfft(random.standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(hertz, 30.0) / 1000)
    slope_db = random.uniform(-12, 3)  # an octave; from a car to a hiss
    centre, width = random.uniform(-4, 3), random.uniform(0.3, 3)
    band_db = random.uniform(0, 20) * np.exp(
        -(((octaves - centre) / width) ** 2)
    )
    noise = np.fft.irfft(
        spectrum * 10 ** ((slope_db * octaves + band_db) / 20), length
    )
    rate, depth = random.uniform(0.2, 8), random.uniform(0, 0.8)
    phase = (
        2 * np.pi * (rate * np.arange(length) / SAMPLE_RATE + random.random())
    )
    return (noise * (1 + depth * np.sin(phase))).astype(np.float32)


def equalise(waveform, deviation_db, random):
    """A waveform through a smooth random frequency response.

    Arguments
    ---------
    waveform : numpy.ndarray
        (time,)
    deviation_db : float
        Standard deviation of the response at each octave, dB.
    random : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    numpy.ndarray
        (time,), float32.

    Example
    -------
    >>> silence = np.zeros(1000, dtype=np.float32)
    >>> bool((equalise(silence, 6.0, generator(1)) == silence).all())
    True
    """
    octaves = np.log2(62.5) + np.arange(8)  # 62.5 Hz to 8 kHz
    response = random.normal(0, deviation_db, len(octaves))
    hertz = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    gains_db = np.interp(np.log2(np.maximum(hertz, 1.0)), octaves, response)
    spectrum = np.fft.rfft(waveform) * 10 ** (gains_db / 20)
    return np.fft.irfft(spectrum, len(waveform)).astype(np.float32)
