"""Reverberation: speech in a room, before noise is added.

Authors
 * The MLKD team 2026
"""

import hashlib
import pathlib
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
from mlkd_brain.errors import InputError
from mlkd_brain.names import SAMPLE_RATE
from mlkd_brain.noise.levels import speech_level
from mlkd_brain.noise.sampling import uniform

from speechbrain.processing.signal_processing import reverberate

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")


class Reverberation:
    """Convolves some utterances with room impulse responses.

    Whether an utterance reverberates, and in which room, depends on the seed,
    the epoch and the utterance alone. The direct sound stays where it was, so
    that frames still belong to those of the dry utterance, and so does the mean
    amplitude. The level is measured again: an SNR is of the reverberant speech.

    Arguments
    ---------
    folder : str or pathlib.Path, optional
        Holds impulse responses, any rate, wav, flac or ogg, also in folders
        below; of several channels the first counts. None: nothing is done.
    share : float
        Of the utterances, in [0, 1].
    seed : int
        Another seed gives other rooms.
    epoch_counter : speechbrain.utils.epoch_loop.EpochCounter
        Source of the epoch.

    Raises
    ------
    InputError
        If the share is out of range.

    Example
    -------
    >>> from speechbrain.utils.epoch_loop import EpochCounter
    >>> folder = getfixture("tmp_path")
    >>> echo = np.zeros(4000)
    >>> echo[[100, 1700]] = 1.0, 0.5  # the direct sound, and 100 ms later
    >>> soundfile.write(folder / "room.wav", echo, SAMPLE_RATE)
    >>> rooms = Reverberation(folder, 1.0, 1986, EpochCounter(limit=1))
    >>> rooms.prepare()
    >>> click = np.zeros(3200, dtype="float32")
    >>> click[50] = 0.9
    >>> wet, _ = rooms("u1", click, -20.0, "none")
    >>> np.flatnonzero(wet > 0.1).tolist()
    [50, 1650]
    """

    def __init__(
        self,
        folder: str | pathlib.Path | None,
        share: float,
        seed: int,
        epoch_counter: Any,
    ):
        if not 0 <= share <= 1:
            raise InputError(
                f"reverberant_share is {share}; it lies in [0, 1]."
            )
        self.folder, self.share = folder, share
        self.seed, self.epoch_counter = seed, epoch_counter
        self.checksums: dict[str, str] = {}
        self._responses: list[torch.Tensor] = []

    def prepare(self) -> None:
        """Read the impulse responses.

        Raises
        ------
        InputError
            If the folder has none, or one is no impulse response.
        """
        if self.folder is None or self._responses:
            return
        folder = pathlib.Path(self.folder)
        paths = [
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in AUDIO_SUFFIXES and path.name[:2] != "._"
        ]
        if not paths:
            raise InputError(
                f"impulse_responses '{folder}': holds no wav, flac or ogg file; "
                "give a folder of room impulse responses, or null."
            )
        for path in paths:
            self._responses.append(_read_response(path))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.checksums[str(path.relative_to(folder))] = digest

    def __call__(
        self, utterance: str, speech: np.ndarray, level: float, weighting: str
    ) -> tuple[np.ndarray, float]:
        """The utterance in its room, if it gets one, and its level.

        Arguments
        ---------
        utterance : str
            Its ID.
        speech : np.ndarray
            (time,), 16 kHz.
        level : float
            Active speech level, dBov.
        weighting : str
            Of the level, see ``mlkd_brain.noise.levels``.

        Returns
        -------
        speech : np.ndarray
            (time,), float32.
        level : float
            Its active level, dBov.
        """
        if not self._responses:
            return speech, level
        key = (
            "reverberation",
            self.seed,
            self.epoch_counter.current,
            utterance,
        )
        chance, room = uniform(key, 2)
        if chance >= self.share:
            return speech, level
        response = self._responses[int(room * len(self._responses))]
        wet = _convolve(torch.from_numpy(speech), response).numpy()
        return wet, speech_level(wet, weighting, SAMPLE_RATE)


def _convolve(speech, response):
    # SpeechBrain convolves in a circle: silence keeps the end from the start
    silence = speech.new_zeros(len(response))
    padded = torch.cat([speech, silence])[None]
    return reverberate(padded, response)[0, : len(speech)].contiguous()


def _read_response(path):
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(
            f"{path}: cannot be read as audio ({error}); remove it from the "
            "impulse responses."
        ) from None
    response = torch.from_numpy(soxr.resample(samples[:, 0], rate, SAMPLE_RATE))
    if not len(response) or not response.isfinite().all() or not response.any():
        raise InputError(
            f"{path}: is empty, silent or not finite; remove it from the impulse "
            "responses."
        )
    return response
