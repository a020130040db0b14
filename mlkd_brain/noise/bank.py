"""A bank of noise recordings, cut into parts that share no sample.

Each recording is resampled once and split in time into disjoint ranges for
training, validation and test. It is memory-mapped, and so are the running sums
of its squares after each measurement filter, from which the level of any
segment is two look-ups.

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

import numpy as np
import pandas
import soundfile
from mlkd_brain.audio import (
    LIBRARIES,
    SAMPLE_RATE,
    find_recordings,
    read_checked,
)
from mlkd_brain.disk import require_space
from mlkd_brain.errors import InputError
from mlkd_brain.files import locked, refuse_unwritable, replaced_folder
from mlkd_brain.fingerprint import fingerprint, provenance
from mlkd_brain.names import CLEAN
from mlkd_brain.noise import mixing
from mlkd_brain.noise.copies import acoustic_fingerprint, samples_checksum
from mlkd_brain.noise.levels import WEIGHTINGS, measurement_filter
from mlkd_brain.noise.sampling import NoiseSample
from tqdm import tqdm

from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)
CATALOGUE = "noises.csv"


class NoiseBank:
    """Noise recordings, one for each type, by part (train, valid, test).

    Arguments
    ---------
    noise_folder : str or pathlib.Path
        Recordings; the name of a file without its ending is the noise type.
    cache_folder : str or pathlib.Path
        Where the resampled recordings and their running sums are kept.
    noise_types : list of str, optional
        Types to use; all that are in the folder by default. ``types`` holds
        them once ``prepare`` has run.
    shares : dict
        Part to its share of each recording, in order of time, summing to 1.

    Example
    -------
    >>> import soundfile
    >>> folder, cache = getfixture("tmp_path"), getfixture("tmp_path") / "c"
    >>> noise = np.random.default_rng(0).uniform(-0.1, 0.1, 160000)
    >>> soundfile.write(folder / "hiss.wav", noise, 16000)
    >>> shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    >>> bank = NoiseBank(folder, cache, shares=shares)
    >>> bank.prepare()
    >>> bank.part_range("hiss", "test")
    (128000, 160000)
    >>> one_second = bank.segment("hiss", "test", 0.5, 16000)
    >>> level = 10 * np.log10(np.mean(one_second.astype(float) ** 2))
    >>> bool(abs(bank.level("hiss", "test", 0.5, 16000) - level) < 1e-6)
    True
    """

    def __init__(
        self,
        noise_folder: str | pathlib.Path,
        cache_folder: str | pathlib.Path,
        noise_types: list[str] | None = None,
        shares: dict[str, float] | None = None,
    ):
        self.noise_folder = pathlib.Path(noise_folder)
        self.cache_folder = pathlib.Path(cache_folder)
        self.noise_types = noise_types
        self.shares = shares or {}
        self.checksums: dict[str, str] = {}  # of samples; none: not prepared
        self._opened: dict[str, Any] = {}

    def __getstate__(self):
        # a worker process maps the files itself instead of getting a copy
        return {**self.__dict__, "_opened": {}}

    def prepare(self) -> None:
        """Resample and measure the recordings, unless that was done before.

        The cache is keyed by the recordings' samples, the shares, the code that
        filters, and its libraries.

        Raises
        ------
        InputError
            If the folder, a type or a recording cannot be used.
        """
        recordings = self._recordings()
        self.types = list(recordings)
        self.checksums = {
            name: samples_checksum(path) for name, path in recordings.items()
        }
        # shares as pairs: their order counts, and fingerprint sorts keys
        key = provenance(
            "noise",
            libraries=("numpy", "scipy", *LIBRARIES),
            checksums=self.checksums,
            shares=[*self.shares.items()],
        )
        self._folder = self.cache_folder / fingerprint(key)
        with locked(self._folder):
            if not self._is_whole():
                self._prepare_all(recordings)
        self._opened = {}

    def _is_whole(self):
        """Whether the cache is there, and each of its files has its length."""
        self._opened = {}
        try:
            for name in self.types:
                samples = int(self._catalogue.loc[name, "samples"])
                for part in self.shares:
                    self.part_range(name, part)
                lengths = {"npy": samples}
                for weighting in WEIGHTINGS:
                    rate = 1 if weighting == "none" else 2
                    lengths[f"{weighting}.npy"] = samples // rate + 1
                for kind, length in lengths.items():
                    if len(self._open(name, kind)) != length:
                        return False
        except (OSError, ValueError, KeyError, EOFError):
            return False
        return True

    def _prepare_all(self, recordings):
        # the waveform, float32, and three running sums, float64, two of them at
        # half the rate
        seconds = sum(map(_seconds, recordings.values()))
        size = seconds * SAMPLE_RATE * (4 + 8 + 4 + 4)
        require_space(self._folder, size, "the cache of the noise recordings")
        progress = tqdm(recordings.items(), desc="preparing noise")
        with replaced_folder(self._folder) as folder:
            rows = [
                self._prepare_one(name, path, folder / str(number))
                for number, (name, path) in enumerate(progress)
            ]
            pandas.DataFrame(rows).to_csv(folder / CATALOGUE, index=False)

    def part_range(self, noise_type: str, part: str) -> tuple[int, int]:
        """First sample of a part's range, and the first one after it."""
        row = self._catalogue.loc[noise_type]
        return int(row[f"{part}_start"]), int(row[f"{part}_stop"])

    @property
    def fingerprints(self) -> dict[str, str]:
        """Checksum of each recording to its acoustic fingerprint."""
        kept = self._catalogue["fingerprint"].str.removeprefix("fingerprint ")
        return {self.checksums[name]: kept[name] for name in self.types}

    def _start(self, noise_type, part, position, length):
        """First sample of the segment at a position."""
        first, stop = self.part_range(noise_type, part)
        return first + int(position * max(0, stop - first - length))

    def segment(
        self, noise_type: str, part: str, position: float, length: int
    ) -> np.ndarray:
        """Noise for an utterance, from within the part's range only.

        Arguments
        ---------
        noise_type : str
            One of ``types``.
        part : str
            "train", "valid" or "test".
        position : float
            In [0, 1): 0 is the first possible segment, 1 would be the last.
        length : int
            Samples. A range that is not longer is repeated from its start.

        Returns
        -------
        np.ndarray
            (length,), float32.
        """
        start = self._start(noise_type, part, position, length)
        stop = min(start + length, self.part_range(noise_type, part)[1])
        samples = self._open(noise_type, "npy")[start:stop]
        return mixing.loop_to_length(samples, length)

    def level(
        self,
        noise_type: str,
        part: str,
        position: float,
        length: int,
        weighting: str = "none",
    ) -> float:
        """Level of that segment after the measurement filter.

        The filter has run over the whole recording, as in FANT. The cost does
        not depend on the length. Arguments are those of ``segment``, and

        weighting : str
            One of ``mlkd_brain.noise.levels.WEIGHTINGS``.

        Returns
        -------
        float
            RMS level, dBov (0 dB = mean square 1).
        """
        sums = self._open(noise_type, f"{weighting}.npy")
        # the weighted modes are measured at half the rate
        rate = 1 if weighting == "none" else 2
        start = self._start(noise_type, part, position, length) // rate
        wanted = max(1, length // rate)
        available = self.part_range(noise_type, part)[1] // rate - start
        period = min(available, wanted)
        repeats, rest = divmod(wanted, period)
        energy = repeats * (sums[start + period] - sums[start])
        energy += sums[start + rest] - sums[start]
        return float(10 * np.log10(energy / wanted + 1e-20))

    def mix(
        self,
        speech: np.ndarray,
        speech_level: float,
        sample: NoiseSample,
        part: str,
        weighting: str,
        name: str = "speech",
    ) -> np.ndarray:
        """The utterance with noise, as FANT adds it.

        A silent utterance has no SNR: it comes back unchanged, with a warning.

        Arguments
        ---------
        speech : np.ndarray
            Clean utterance, (time,).
        speech_level : float
            Its active level under this weighting, dBov.
        sample : NoiseSample
            What to add, how loud, and from where.
        part : str
            "train", "valid" or "test".
        weighting : str
            One of ``mlkd_brain.noise.levels.WEIGHTINGS``.
        name : str
            What the warning calls the utterance.

        Returns
        -------
        np.ndarray
            (time,), float32, at most full scale.
        """
        segment = (sample.noise, part, sample.position, len(speech))
        return mixing.mix(
            speech,
            self.segment(*segment),
            speech_level,
            self.level(*segment, weighting),
            sample.snr_db,
            name,
        )

    @property
    def _catalogue(self):
        if CATALOGUE not in self._opened:
            # names are text, "1" and "NA" too
            table = pandas.read_csv(
                self._folder / CATALOGUE,
                dtype={"noise": str},
                keep_default_na=False,
            )
            table["number"] = range(len(table))
            self._opened[CATALOGUE] = table.set_index("noise")
        return self._opened[CATALOGUE]

    def _open(self, noise_type, kind):
        # files have numbers: a name may hold dots, as those of kinds do
        name = f"{self._catalogue.loc[noise_type, 'number']}.{kind}"
        if name not in self._opened:
            self._opened[name] = np.load(self._folder / name, mmap_mode="r")
        return self._opened[name]

    def _recordings(self):
        """Files to use, by type; raises InputError when one is missing."""
        if not self.noise_folder.is_dir():
            raise InputError(
                f"noise_folder '{self.noise_folder}' is not a folder. Get the "
                "NOISEX-92 recordings (babble, f16, factory1, hfchannel, volvo) "
                "as wav files and give their folder with --noise_folder or "
                "NOISEX92_ROOT; `make demo` runs without them."
            )
        found, passed_over = self._found()
        wanted = [str(name) for name in self.noise_types or found]
        missing = [name for name in wanted if name not in found]
        if missing or not found:
            raise InputError(
                f"{self.noise_folder}: has no recording of "
                f"{', '.join(missing) or 'any noise'}; it holds "
                f"{', '.join(found) or 'no recording'}. Add it, or change "
                "--noise_types, where a name that looks like a number has "
                "quotes: '[\"007\"]'."
            )
        if passed_over:
            logger.warning(passed_over)
        return {name: found[name] for name in wanted}

    def _found(self):
        """Recordings in the folder, by type; and what was passed over."""
        found: dict[str, pathlib.Path] = {}
        paths, passed_over = find_recordings(self.noise_folder)
        for path in paths:
            refuse_unwritable(path.stem, path)
            if path.stem in found or path.stem == CLEAN:
                raise InputError(
                    f"{path}: the name of a recording is its type; 'clean' "
                    "stands for speech without noise, and no two recordings "
                    "can have the same. Rename it."
                )
            found[path.stem] = path
        return found, passed_over

    def holds_none_of_its_types(self) -> bool:
        """Whether the folder is there and has other recordings altogether."""
        if not self.noise_folder.is_dir():
            return False
        return not set(map(str, self.noise_types or [])) & set(self._found()[0])

    def _prepare_one(self, name, path, file):
        waveform = read_checked(path, shortest_seconds=1.0).numpy()
        np.save(f"{file}.npy", waveform)
        sound = acoustic_fingerprint(waveform)
        for weighting in WEIGHTINGS:
            filtered, _ = measurement_filter(waveform, weighting, SAMPLE_RATE)
            sums = np.concatenate([[0.0], np.cumsum(np.square(filtered))])
            np.save(f"{file}.{weighting}.npy", sums)
        row = {"noise": name, "source": path.name, "samples": len(waveform)}
        row["fingerprint"] = f"fingerprint {sound}"  # text, all digits too
        for part, (start, stop) in _ranges(len(waveform), self.shares).items():
            if not np.any(waveform[start:stop]):
                raise InputError(
                    f"{path}: is silent in the {part} part, samples {start} to "
                    f"{stop}; use another recording."
                )
            row |= {f"{part}_start": start, f"{part}_stop": stop}
        return row


def _seconds(path):
    """Duration; 0 if it cannot be read, which ``read_checked`` then explains."""
    try:
        return soundfile.info(path).duration
    except (OSError, RuntimeError):
        return 0.0


def _ranges(samples, shares):
    """Part to first and last sample, both even so that half the rate splits
    alike."""
    edges = np.cumsum([0, *shares.values()]) / sum(shares.values())
    edges = [int(round(samples * edge)) // 2 * 2 for edge in edges]
    return dict(zip(shares, zip(edges, edges[1:])))
