"""Which noise an utterance is heard with: a function of its ID, not of chance.

Authors
 * The MLKD team 2026
"""

import hashlib
from collections import namedtuple

from mlkd_brain.errors import InputError
from mlkd_brain.noise.mixing import WEIGHTINGS

#: A noise type, an SNR in dB and a place in the recording's range, in [0, 1).
NoiseSample = namedtuple("NoiseSample", "noise snr_db position")


class NoiseSampler:
    """Draws a noise, an SNR and a segment for an utterance, and mixes them.

    What is drawn depends on the seed, the epoch and the utterance ID alone:
    never on workers, batches, their order, or a resume.

    Arguments
    ---------
    bank : NoiseBank
        Where the noise comes from.
    part : str
        "train", "valid" or "test".
    snrs_db : list of float
        Signal-to-noise ratios to draw from, dB.
    weighting : str
        What defines the SNR, one of ``mlkd_brain.noise.mixing.WEIGHTINGS``.
    seed : int
        Another seed, another draw.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter, optional
        Source of the epoch. Without it every epoch hears the same, as in
        validation.
    held_out_noise : str, optional
        A type that is never drawn.

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
        bank,
        part,
        snrs_db,
        weighting,
        seed,
        epoch_counter=None,
        held_out_noise=None,
    ):
        if weighting not in WEIGHTINGS:
            raise InputError(
                f"Bad value '{weighting}' for weighting, expected one of "
                f"{list(WEIGHTINGS)}."
            )
        if not snrs_db:
            raise InputError("snrs_db is empty; give at least one, e.g. [10].")
        self.bank = bank
        self.part = part
        self.snrs_db = list(snrs_db)
        self.weighting = weighting
        self.seed = seed
        self.epoch_counter = epoch_counter
        self.held_out_noise = held_out_noise
        self.types = None

    def resolve(self):
        """Settle which types are drawn; the bank must be prepared.

        Raises
        ------
        InputError
            If the held-out noise is not in the bank, or nothing else is.
        """
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

    def recordings(self):
        """Recordings that can be drawn: type to checksum of the file."""
        return {name: self.bank.checksums[name] for name in self.types}

    def sample(self, utterance):
        """What this utterance is heard with in the current epoch.

        Arguments
        ---------
        utterance : str
            Its ID.

        Returns
        -------
        NoiseSample
            Noise type, SNR and position.
        """
        epoch = self.epoch_counter.current if self.epoch_counter else "fixed"
        key = (self.part, self.seed, epoch, utterance)
        noise, snr, position = uniform(key, 3)
        return NoiseSample(
            self.types[int(noise * len(self.types))],
            self.snrs_db[int(snr * len(self.snrs_db))],
            position,
        )

    def __call__(self, utterance, speech, speech_level):
        """The utterance with its drawn noise, (time,), float32."""
        return self.bank.mix(
            speech,
            speech_level,
            self.sample(utterance),
            self.part,
            self.weighting,
            name=utterance,
        )


def evaluation_sample(utterance, noise_type, snr_db):
    """The mixture in which every system hears a test utterance.

    The segment is the same at every SNR, so that a curve over SNRs compares
    like with like.

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


def uniform(key, count):
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
    return [
        (int.from_bytes(digest[8 * i : 8 * i + 8], "little") >> 11) / 2**53
        for i in range(count)
    ]
