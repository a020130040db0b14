"""What the systems get on the page: a recording of the user's, and its noise.

Authors
 * The MLKD team 2026
"""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas
import soundfile
from mlkd_brain.audio import SAMPLE_RATE, read_checked, read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognition import SHORTEST_SECONDS
from mlkd_brain.names import CLEAN
from mlkd_brain.noise.active_level import SILENT_SPEECH
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import speech_level
from mlkd_brain.noise.sampling import evaluation_sample

LONGEST_SECONDS = 300
LARGEST_FILE_MB = 50
SAMPLES_SHOWN = 12


class Recording(NamedTuple):
    """A waveform at 16 kHz, (time,), and its name, which chooses the noise."""

    name: str
    wav: np.ndarray


def read_upload(path: str | pathlib.Path) -> Recording:
    """Read a recording that was uploaded or made in the browser.

    Arguments
    ---------
    path : str or pathlib.Path
        Where Gradio put it.

    Raises
    ------
    InputError
        If it cannot be used; the message names the file, not where it lies.

    Returns
    -------
    Recording
    """
    path = pathlib.Path(path)
    try:
        seconds = soundfile.info(path).duration
    except (OSError, soundfile.LibsndfileError):
        raise InputError(
            f"{path.name}: cannot be read as audio; give a wav, flac, ogg or "
            "mp3 file that plays elsewhere."
        ) from None
    # a length that its header does not know is of millions of years
    if LONGEST_SECONDS < seconds < 1e12:
        raise InputError(
            f"{path.name}: lasts {seconds:.0f} s, this page takes "
            f"{LONGEST_SECONDS} s; `mlkd predict MODEL FILE --window 4` takes "
            "any length."
        )
    try:
        wav = read_checked(path, SHORTEST_SECONDS).numpy()
    except InputError as error:
        raise InputError(str(error).replace(str(path), path.name)) from None
    if speech_level(wav) <= SILENT_SPEECH:
        raise InputError(
            f"{path.name}: is silent; was the microphone muted? Record again."
        )
    return Recording(path.stem, wav)


class Noises:
    """Noise recordings, mixed with speech as the evaluation does.

    The segment comes from the seconds of the recording that no training used.

    Arguments
    ---------
    settings : dict
        Of a run: ``noise_folder``, ``noise_shares`` and ``weighting``.
    folder : pathlib.Path
        A temporary one, where the recordings are prepared; where there is no
        noise folder, white and pink noise are made there.
    """

    def __init__(self, settings: Mapping[str, Any], folder: pathlib.Path):
        self.weighting = settings["weighting"]
        source = pathlib.Path(settings["noise_folder"])
        self.are_made_up = not source.is_dir()
        if self.are_made_up:
            source = folder / "noise"
            _write_coloured_noise(source)
        self.bank = NoiseBank(
            source, folder / "bank", shares=settings["noise_shares"]
        )
        self.bank.prepare()

    @property
    def types(self) -> list[str]:
        """Names of the noises."""
        return self.bank.types

    def mix(
        self, recording: Recording, noise: str, snr_db: float
    ) -> np.ndarray:
        """The recording with noise, (time,), float32.

        Arguments
        ---------
        recording : Recording
            The speech; the same name has the same segment, at any SNR.
        noise : str
            One of ``types``, or "clean" for the recording as it is.
        snr_db : float
            Signal-to-noise ratio, dB.
        """
        if noise == CLEAN:
            return recording.wav
        return self.bank.mix(
            recording.wav,
            speech_level(recording.wav, self.weighting),
            evaluation_sample(recording.name, noise, snr_db),
            "test",
            self.weighting,
            recording.name,
        )


def _write_coloured_noise(folder, seconds=30):
    """White and pink noise, for a machine without recordings of noise."""
    folder.mkdir(parents=True)
    count = seconds * SAMPLE_RATE
    white = np.random.default_rng(0).standard_normal(count)
    slope = np.sqrt(np.maximum(np.arange(count // 2 + 1), 1))
    pink = np.fft.irfft(np.fft.rfft(white) / slope, count)
    for name, samples in (("white", white), ("pink", pink)):
        scaled = 0.1 * samples / samples.std()
        soundfile.write(folder / f"{name}.wav", scaled, SAMPLE_RATE, "FLOAT")


class TestSpeaker:
    """Utterances of the speaker that no system of this fold was trained on.

    Arguments
    ---------
    run : pathlib.Path
        Whose test.csv lists them.
    data_folder : str
        Root of the corpus; without it there are no samples.
    """

    __test__ = False  # pytest takes the name for a test's

    def __init__(self, run: pathlib.Path, data_folder: str):
        manifest = run / "test.csv"
        self.paths: dict[str, pathlib.Path] = {}
        if not manifest.is_file():
            return
        rows = pandas.read_csv(manifest, dtype=str).groupby("emo", sort=True)
        each = max(1, SAMPLES_SHOWN // rows.ngroups)
        for row in rows.head(each).sort_values(["emo", "ID"]).itertuples():
            path = pathlib.Path(row.wav.replace("$data_root", data_folder))
            if path.is_file():
                self.paths[f"{row.emo}: {row.ID}"] = path

    def read(self, name: str) -> Recording:
        """The utterance of that name, under its ID."""
        _, _, utterance = name.partition(": ")
        return Recording(utterance, read_mono(self.paths[name]).numpy())
