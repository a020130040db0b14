"""Which noise an utterance gets: a function of its ID, not of chance.

Authors
 * The MLKD team 2026
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np
from mlkd_brain.errors import InputError
from mlkd_brain.noise.levels import WEIGHTINGS

NOISE_PER = ("epoch", "utterance")


class NoiseSample(NamedTuple):
    """A noise type, an SNR in dB and a position in its range, in [0, 1)."""

    noise: str
    snr_db: float
    position: float


class NoiseSampler:
    """Samples a noise, an SNR and a segment for an utterance, and mixes them.

    The sample depends on the seed, the epoch (unless it is one an utterance) and
    the utterance ID alone: never on workers, batches, their order, or a resume.

    Arguments
    ---------
    bank : NoiseBank
        Where the noise comes from.
    part : str
        "train", "valid" or "test".
    snrs_db : list of float
        Signal-to-noise ratios to sample from, dB.
    weighting : str
        What defines the SNR, one of ``mlkd_brain.noise.levels.WEIGHTINGS``.
    seed : int
        Another seed gives other samples.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter, optional
        Source of the epoch. Without it every epoch is the same, as in
        validation.
    held_out_noise : str, optional
        A type that is never sampled.
    noise_per : str
        "epoch": an utterance has another noise in every epoch; "utterance": it
        has one for good.
    reverberation : mlkd_brain.noise.reverberation.Reverberation, optional
        Rooms in which the speech is put before.

    Raises
    ------
    InputError
        If the weighting is unknown or there is no SNR.

    Example
    -------
    >>> noise = NoiseSampler(None, "train", [0, 20], "none", seed=1986)
    >>> noise.types = ["babble", "volvo"]
    >>> noise.sample("utterance_1") == noise.sample("utterance_1")
    True
    >>> noise.sample("utterance_1") == noise.sample("utterance_2")
    False
    """

    def __init__(
        self,
        bank: Any,
        part: str,
        snrs_db: list[float],
        weighting: str,
        seed: int,
        epoch_counter: Any = None,
        held_out_noise: str | None = None,
        noise_per: str = "epoch",
        reverberation: Any = None,
    ):
        if weighting not in WEIGHTINGS:
            raise InputError(
                f"Bad value '{weighting}' for weighting, expected one of "
                f"{list(WEIGHTINGS)}."
            )
        if noise_per not in NOISE_PER:
            raise InputError(
                f"Bad value '{noise_per}' for noise_per, expected one of "
                f"{list(NOISE_PER)}."
            )
        if not snrs_db:
            raise InputError("snrs_db is empty; give at least one, e.g. [10].")
        self.bank, self.part, self.snrs_db = bank, part, list(snrs_db)
        self.weighting, self.seed = weighting, seed
        self.epoch_counter = epoch_counter if noise_per == "epoch" else None
        self.held_out_noise = held_out_noise
        self.reverberation = reverberation
        self.types: list[str] = []

    def resolve(self) -> None:
        """Fill ``types`` with those that are sampled; the bank is prepared.

        Raises
        ------
        InputError
            If the held-out noise is not in the bank, or nothing else is; if
            there are no rooms where some are asked for.
        """
        if self.reverberation is not None:
            self.reverberation.prepare()
        held_out = self.held_out_noise
        self.types = [name for name in self.bank.types if name != held_out]
        if held_out is not None and held_out not in self.bank.types:
            raise InputError(
                f"held_out_noise is '{held_out}', which is not one of "
                f"{self.bank.types}. Change --held_out_noise."
            )
        if not self.types:
            raise InputError(
                f"held_out_noise '{held_out}' is the only noise; training needs "
                "another one. Change --held_out_noise or --noise_folder."
            )

    def recordings(self) -> dict[str, str]:
        """Recordings that can be sampled: type to checksum of the file."""
        return {name: self.bank.checksums[name] for name in self.types}

    def sample(self, utterance: str) -> NoiseSample:
        """Noise of this utterance in the current epoch; the ID decides."""
        epoch = self.epoch_counter.current if self.epoch_counter else "fixed"
        key = (self.part, self.seed, epoch, utterance)
        noise, snr, position = uniform(key, 3)
        return NoiseSample(
            self.types[int(noise * len(self.types))],
            self.snrs_db[int(snr * len(self.snrs_db))],
            position,
        )

    def __call__(
        self, utterance: str, speech: np.ndarray, speech_level: float
    ) -> np.ndarray:
        """The utterance with its noise, (time,), float32; see ``bank.mix``."""
        sample = self.sample(utterance)
        options = self.part, self.weighting, utterance
        if self.reverberation is not None:
            speech, speech_level = self.reverberation(
                utterance, speech, speech_level, self.weighting
            )
        return self.bank.mix(speech, speech_level, sample, *options)


def evaluation_sample(
    utterance: str, noise_type: str, snr_db: float
) -> NoiseSample:
    """The mixture in which every system is tested on an utterance.

    The segment is the same at every SNR, so that nothing else changes along a
    curve over SNRs.

    Arguments
    ---------
    utterance : str
        Its ID.
    noise_type : str
        Type in the bank.
    snr_db : float
        Signal-to-noise ratio, dB.

    Returns
    -------
    NoiseSample
        Depends on nothing else.

    Example
    -------
    >>> at_0, at_20 = (evaluation_sample("u1", "volvo", snr) for snr in (0, 20))
    >>> at_0.position == at_20.position
    True
    """
    (position,) = uniform(("test", utterance, noise_type), 1)
    return NoiseSample(noise_type, snr_db, position)


def uniform(key: tuple, count: int) -> list[float]:
    """Numbers in [0, 1) that are a fixed function of a key.

    A hash rather than a generator: it needs no state and stays the same in every
    version of every library.

    Arguments
    ---------
    key : tuple
        Anything with a stable ``str``.
    count : int
        How many numbers, at most 8.

    Returns
    -------
    list of float
        Uniform on [0, 1).

    Example
    -------
    >>> uniform(("seed", 1), 2) == uniform(("seed", 1), 2)
    True
    """
    text = "\x1f".join(str(item) for item in key)
    digest = hashlib.blake2b(text.encode(), digest_size=8 * count).digest()
    # 53 bits are what a float holds, so that 1.0 cannot come out
    words = np.frombuffer(digest, "<u8")
    return [(int(word) >> 11) / 2**53 for word in words]
