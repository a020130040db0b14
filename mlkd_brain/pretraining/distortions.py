"""Speech to pretrain on: a crop of an utterance, faster or slower, and noisy.

A sample depends on the seed, the epoch and the utterance's ID alone, as in
``mlkd_brain.noise.sampling``.

Authors
 * The MLKD team 2026
"""

import hashlib
from typing import Any

import numpy as np
import soundfile
import torch
import torchaudio
from mlkd_brain.audio import SAMPLE_RATE

SILENCE = 1e-8  # of a mean square


def generator(*key: Any) -> np.random.Generator:
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
    """Samples a clean crop of an utterance, and the same crop distorted.

    Arguments
    ---------
    seed : int
        Another seed, other samples.
    seconds : float
        Length of a crop; a shorter utterance is repeated, since a batch without
        padding is a third faster.
    speeds : list of float
        Factors of tempo and pitch to sample from.
    noisy_ratio : float
        Probability of noise, in [0, 1].
    snrs_db : list of float
        Lowest and highest signal-to-noise ratio, dB.
    babble_ratio : float
        Probability that the noise is babble, in [0, 1]; else it is coloured
        noise.
    babble_speakers : int
        Most recordings in the babble, at least 1.
    equalised_ratio : float
        Probability of a random frequency response, in [0, 1].
    equaliser_db : float
        Standard deviation of that response, dB.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter, optional
        Source of the epoch; without it every epoch has the same samples.
    """

    def __init__(
        self,
        seed,
        seconds,
        speeds,
        noisy_ratio,
        snrs_db,
        babble_ratio,
        babble_speakers,
        equalised_ratio,
        equaliser_db,
        epoch_counter=None,
    ):
        self.seed = seed
        self.seconds = seconds
        self.speeds = speeds
        self.noisy_ratio = noisy_ratio
        self.snrs_db = snrs_db
        self.babble_ratio = babble_ratio
        self.babble_speakers = babble_speakers
        self.equalised_ratio = equalised_ratio
        self.equaliser_db = equaliser_db
        self.epoch_counter = epoch_counter
        self.recordings = []

    def take_babble_from(self, wavs: Any) -> None:
        """Name the recordings that babble is made of."""
        self.recordings = sorted(wavs)

    def key(self, utterance: str) -> tuple:
        """What the samples for an utterance depend on."""
        epoch = self.epoch_counter.current if self.epoch_counter else "fixed"
        return self.seed, epoch, utterance

    def __call__(
        self, utterance: str, wav: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sample a crop.

        Arguments
        ---------
        utterance : str
            Its ID.
        wav : str
            Its recording, 16 kHz.

        Returns
        -------
        clean, distorted : torch.Tensor
            Waveforms of one length, (time,).
        """
        random = generator(*self.key(utterance))
        clean = self._crop(wav, random, random.choice(self.speeds))
        distorted = clean
        if random.random() < self.noisy_ratio:
            distorted = clean + self._noise(clean, random)
        if random.random() < self.equalised_ratio:
            distorted = equalise(distorted, self.equaliser_db, random)
        return torch.from_numpy(clean), torch.from_numpy(distorted)

    def _crop(self, wav, random, speed=1.0):
        length = round(self.seconds * SAMPLE_RATE)
        rate = round(SAMPLE_RATE * speed)  # that the recording is taken to have
        # rounded as for the embedded encoder, but never too short for a crop
        wanted = max(
            int(self.seconds * speed * SAMPLE_RATE),
            (length - 1) * rate // SAMPLE_RATE + 1,
        )
        spare = max(0, soundfile.info(wav).frames - wanted)
        crop, _ = soundfile.read(
            wav, wanted, int(random.random() * (spare + 1)), dtype="float32"
        )
        crop = np.resize(crop, wanted)
        if rate == SAMPLE_RATE:
            return crop[:length]
        return torchaudio.functional.resample(
            torch.from_numpy(crop), rate, SAMPLE_RATE
        ).numpy()[:length]

    def _noise(self, clean, random):
        if random.random() < self.babble_ratio:
            speakers = random.integers(1, self.babble_speakers + 1)
            noise = sum(
                self._crop(wav, random)
                for wav in random.choice(self.recordings, speakers)
            )
        else:
            noise = coloured_noise(len(clean), random)
        snr_db = random.uniform(*self.snrs_db)
        powers = [np.mean(x**2) + SILENCE for x in (clean, noise)]
        gain = np.sqrt(powers[0] / powers[1] / 10 ** (snr_db / 10))
        return np.float32(gain) * noise


def coloured_noise(length: int, random: np.random.Generator) -> np.ndarray:
    """Noise with a random slope, a random band and a slowly varying level.

    Arguments
    ---------
    length : int
        Samples.
    random : numpy.random.Generator
        Source of the sample.

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


def equalise(
    waveform: np.ndarray, deviation_db: float, random: np.random.Generator
) -> np.ndarray:
    """A waveform through a smooth random frequency response.

    Arguments
    ---------
    waveform : numpy.ndarray
        (time,)
    deviation_db : float
        Standard deviation of the response at each octave, dB.
    random : numpy.random.Generator
        Source of the sample.

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
