"""Voice activity detection: which samples of an utterance are speech.

Authors
 * The MLKD team 2026
"""

from importlib.metadata import version

import numpy as np
import torch
import torch.nn.functional as F
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.optional import require
from sklearn.mixture import GaussianMixture

DETECTORS = ("energy", "webrtc", "silero")
SILENCE = 1e-10  # of a mean square; keeps the logarithm finite
WEBRTC_FRAME = SAMPLE_RATE // 100  # samples; it takes 10, 20 or 30 ms


class VoiceActivity:
    """Cuts an utterance down to its speech.

    The detector marks samples; a hangover after them keeps the quiet end of a
    word. The kept samples are joined without gaps.

    "energy": two Gaussians are fitted to the utterance's own log energies, and
    a frame is speech where the louder one is more likely. "webrtc" and "silero"
    need optional packages, both under the MIT licence.

    Arguments
    ---------
    detector : str
        "energy", "webrtc" or "silero".
    window_seconds, hop_seconds : float
        Of the frames whose energy is measured.
    hangover_seconds : float
        Kept after speech, at least 0.
    shortest_seconds : float
        If less than this would be left, the whole utterance is kept.
    aggressiveness : int
        Of "webrtc", from 0, which keeps most, to 3.
    threshold : float
        Of "silero", the least probability of speech, in (0, 1).

    Raises
    ------
    InputError
        If a value cannot be used, or the detector's package is missing.

    Example
    -------
    A second of tone in two seconds of faint noise:

    >>> noise = 0.001 * torch.randn(32000, generator=torch.manual_seed(0))
    >>> noise[8000:24000] += torch.sin(torch.arange(16000.0))
    >>> cut = VoiceActivity("energy", 0.025, 0.01, 0.0, 0.3)
    >>> round(len(cut(noise)) / 16000, 1)
    1.0
    """

    def __init__(
        self,
        detector: str,
        window_seconds: float,
        hop_seconds: float,
        hangover_seconds: float,
        shortest_seconds: float,
        aggressiveness: int = 2,
        threshold: float = 0.5,
    ):
        self.window = round(window_seconds * SAMPLE_RATE)
        self.hop = round(hop_seconds * SAMPLE_RATE)
        if detector not in DETECTORS:
            raise InputError(
                f"Bad value '{detector}' for detector, expected one of "
                f"{list(DETECTORS)}."
            )
        if aggressiveness not in (0, 1, 2, 3):
            raise InputError(
                f"aggressiveness is {aggressiveness}, expected 0, 1, 2 or 3."
            )
        if not 0 < threshold < 1:
            raise InputError(
                f"threshold is {threshold}; it is a probability, between 0 and 1."
            )
        if not 0 < self.hop <= self.window:
            raise InputError(
                f"hop_seconds is {hop_seconds} and window_seconds "
                f"{window_seconds}; the hop is above 0 and at most the window."
            )
        if hangover_seconds < 0:
            raise InputError(
                f"hangover_seconds is {hangover_seconds}; it is at least 0."
            )
        self.hangover = round(hangover_seconds * SAMPLE_RATE)
        self.shortest = round(shortest_seconds * SAMPLE_RATE)
        self.detector, self.aggressiveness = detector, aggressiveness
        self.threshold = threshold
        self._detect = getattr(self, f"_{detector}")
        self._load(detector)

    def _load(self, detector):
        """Fail before the work starts, and load Silero's network once."""
        self.version = None
        if detector == "webrtc":
            require("webrtcvad")
            self.version = version("webrtcvad-wheels")
        if detector == "silero":
            require("silero_vad")
            self.version = version("silero-vad")
            threads = torch.get_num_threads()
            from silero_vad import load_silero_vad

            torch.set_num_threads(threads)  # its import takes all but one away
            self._network = load_silero_vad()

    def __call__(self, waveform: torch.Tensor) -> torch.Tensor:
        """The utterance without its pauses.

        Arguments
        ---------
        waveform : torch.Tensor
            At 16 kHz, (time,), at least one sample.

        Returns
        -------
        torch.Tensor
            (time',), at most as long; the whole one when little is left.
        """
        kept = waveform[self.active(waveform)]
        return waveform if len(kept) < self.shortest else kept

    def active(self, waveform: torch.Tensor) -> torch.Tensor:
        """Which samples are speech or lie in its hangover, bool, (time,)."""
        speech = self._detect(waveform)
        before = F.pad(speech.cumsum(0), (self.hangover + 1, 0))
        return before[self.hangover + 1 :] > before[: len(waveform)]

    def _energy(self, waveform):
        loud = _louder_frames(self._log_energies(waveform))
        return loud.repeat_interleave(self.hop)[: len(waveform)]

    def _log_energies(self, waveform):
        """Of windows centred on each hop of the waveform, dBov, (frames,)."""
        frames = -(-len(waveform) // self.hop)
        left = (self.window - self.hop) // 2
        right = (frames - 1) * self.hop + self.window - left - len(waveform)
        padded = F.pad(waveform, (left, right))
        power = padded.unfold(0, self.window, self.hop).square().mean(1)
        return 10 * torch.log10(power + SILENCE)

    def _webrtc(self, waveform):
        import webrtcvad

        detector = webrtcvad.Vad(self.aggressiveness)  # has a state: a new one
        padded = F.pad(waveform, (0, -len(waveform) % WEBRTC_FRAME))
        pcm = (padded.clamp(-1, 1) * 32767).to(torch.int16).cpu().numpy()
        speech = [
            detector.is_speech(frame.tobytes(), SAMPLE_RATE)
            for frame in pcm.reshape(-1, WEBRTC_FRAME)
        ]
        speech = torch.tensor(speech, device=waveform.device)
        return speech.repeat_interleave(WEBRTC_FRAME)[: len(waveform)]

    def _silero(self, waveform):
        from silero_vad import get_speech_timestamps

        speech = torch.zeros_like(waveform, dtype=torch.bool)
        for part in get_speech_timestamps(
            waveform.cpu(),
            self._network,
            threshold=self.threshold,
            sampling_rate=SAMPLE_RATE,
        ):
            speech[part["start"] : part["end"]] = True
        return speech


def _louder_frames(levels):
    """Where the louder of two Gaussians is likelier; all, without two levels."""
    values = levels.double().cpu().numpy()[:, None]
    if np.ptp(values) < 1e-6:
        return torch.ones_like(levels, dtype=torch.bool)
    mixture = _two_gaussians(values)
    quiet, loud = np.argsort(mixture.means_[:, 0])
    likely = mixture.predict_proba(values)[:, loud] > 0.5
    # the wider Gaussian also wins beyond the other's far side
    values = values[:, 0]
    likely |= values >= mixture.means_[loud, 0]
    likely &= values > mixture.means_[quiet, 0]
    return torch.from_numpy(likely).to(levels.device)


def _two_gaussians(values):
    """Fitted from the quartiles on, so that nothing is random."""
    spread = np.full((2, 1, 1), 1 / np.var(values))
    mixture = GaussianMixture(
        2,
        weights_init=[0.5, 0.5],
        means_init=np.quantile(values, [[0.25], [0.75]]),
        precisions_init=spread,
        max_iter=500,
    )
    return mixture.fit(values)
