"""The picture of a mixture, its levels, and spectrograms.

Authors
 * The MLKD team 2026
"""

import math
import pathlib
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.noise.levels import gain_from_levels, noise_level, speech_level
from mlkd_brain.noise.mixing import add_scaled, loop_to_length
from scipy import signal as filters

SPAN_DB = 80  # what the colours span below the loudest point
BANDS = {
    "none": "unweighted, 0 to 8 kHz",
    "band_4khz": "0 to 3.66 kHz",
    "g712": "telephone band, 230 to 3536 Hz",
}


def cut_segment(
    noise: np.ndarray, start_seconds: float, length: int
) -> np.ndarray:
    """The noise to add; a recording that is too short is repeated, as in FANT.

    Arguments
    ---------
    noise : np.ndarray
        The recording at 16 kHz, (time,).
    start_seconds : float
        Where to cut, in seconds.
    length : int
        Samples wanted.

    Raises
    ------
    InputError
        If the segment does not lie within the recording.

    Returns
    -------
    np.ndarray
        (length,).
    """
    latest = max(0, len(noise) - length) / SAMPLE_RATE
    if not 0 <= start_seconds <= latest:
        raise InputError(
            f"--start is {start_seconds} s; for this noise and speech it goes "
            f"from 0 to {latest:.3f} s."
        )
    start = int(start_seconds * SAMPLE_RATE)
    return loop_to_length(noise[start : start + length], length)


def draw_mix(
    speech: np.ndarray,
    noise: np.ndarray,
    snr_db: float,
    weighting: str,
    title: str,
) -> tuple[Figure, str]:
    """Waveform and spectrogram of speech, scaled noise and mix.

    Arguments
    ---------
    speech, noise : np.ndarray
        Samples at 16 kHz, (time,), equally long.
    snr_db : float
        Wanted ratio, dB, finite.
    weighting : str
        What defines the SNR, one of ``mlkd_brain.noise.levels.WEIGHTINGS``.
    title : str
        What is mixed, the first line of the picture.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Three rows of two panels.
    summary : str
        The levels, as they stand in the picture.
    """
    speech_db = speech_level(speech, weighting)
    noise_db = noise_level(noise, weighting)
    gain = gain_from_levels(speech_db, noise_db, snr_db)
    peak = float(np.max(np.abs(speech + gain * noise), initial=1.0))
    gain_db = 20 * math.log10(gain) if gain else -math.inf
    summary = (
        f"S = {speech_db:.2f} dBov, N = {noise_db:.2f} dBov, "
        f"gain = {gain_db:.2f} dB, SNR = {snr_db:.2f} dB "
        f"(weighting {weighting}: {BANDS[weighting]})"
    )
    if not gain:
        summary += ": one of them is silent, no noise is added"
    overload = f", divided by its peak {peak:.2f}" if peak > 1 else ""
    # levels after the measurement filter, which the panels do not show
    added_db = noise_db + gain_db
    rows = {
        f"clean speech: {speech_db:.2f} dBov active ({weighting})": speech,
        f"noise as added: {added_db:.2f} dBov ({weighting})": gain * noise,
        f"mix: SNR {snr_db:.2f} dB{overload}": add_scaled(speech, noise, gain),
    }
    figure = Figure(figsize=(12, 8), layout="constrained")
    figure.suptitle(f"{title}\n{summary}", fontsize=11)
    panels = figure.subplots(len(rows), 2, sharex=True)
    _draw_waveforms(panels[:, 0], rows)
    names = [title.split(":")[0] for title in rows]
    draw_spectrograms(panels[:, 1], dict(zip(names, rows.values())))
    return figure, summary


def _draw_waveforms(panels, rows):
    loudest = max(np.max(np.abs(samples)) for samples in rows.values())
    height = 1.05 * loudest or 1.0  # silence still needs an axis
    for panel, (title, samples) in zip(panels, rows.items()):
        time = np.arange(len(samples)) / SAMPLE_RATE
        panel.plot(time, samples, linewidth=0.4, color="tab:blue")
        panel.set(title=title, ylim=(-height, height), ylabel="amplitude")
    panel.set(xlabel="time [s]")


def draw_spectrograms(panels: Any, rows: dict[str, np.ndarray]) -> None:
    """Spectrograms below each other, with one scale of colours.

    Arguments
    ---------
    panels : iterable of matplotlib.axes.Axes
        One for each row.
    rows : dict
        Title of a panel to its samples at 16 kHz, (time,).
    """
    spectra = [_spectrogram(samples) for samples in rows.values()]
    loudest = max(spectrum.max() for spectrum in spectra)
    for panel, (title, samples), spectrum in zip(panels, rows.items(), spectra):
        image = panel.imshow(
            spectrum,
            extent=(0, len(samples) / SAMPLE_RATE, 0, SAMPLE_RATE / 2000),
            aspect="auto",
            origin="lower",
            cmap="magma",
            vmin=loudest - SPAN_DB,
            vmax=loudest,
        )
        panel.set(title=title, ylabel="frequency [kHz]")
    panel.set(xlabel="time [s]")
    panel.figure.colorbar(image, ax=list(panels), label="power density [dB]")


def _spectrogram(samples):
    """Power in dB, windows of 25 ms every 10 ms, (frequencies, frames)."""
    options = {"nperseg": 400, "noverlap": 240, "detrend": False}
    _, _, power = filters.spectrogram(samples, SAMPLE_RATE, "hann", **options)
    return 10 * np.log10(power + 1e-20)


def save(figure: Figure, path: str | pathlib.Path) -> None:
    """Write a picture; raises InputError where that cannot be."""
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be written ({error}); name a .png or .pdf "
            "file in a folder that exists."
        ) from None
