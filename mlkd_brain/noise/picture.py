"""The picture of a mixture, and its levels.

Authors
 * The MLKD team 2026
"""

import math

import numpy as np
from matplotlib.figure import Figure
from scipy import signal as filters

from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.errors import InputError
from mlkd_brain.noise.mixing import (
    add_scaled,
    gain_from_levels,
    loop_to_length,
    noise_level,
    speech_level,
)

RANGE_DB = 80  # what the colours span below the loudest point of the mix
BANDS = {
    "none": "unweighted, 0 to 8 kHz",
    "band_4khz": "0 to 3.66 kHz",
    "g712": "telephone band, 230 to 3536 Hz",
}


def cut_segment(noise, start_seconds, length):
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

    Example
    -------
    >>> cut_segment(np.zeros(48000), start_seconds=2.0, length=16000).shape
    (16000,)
    """
    latest = max(0, len(noise) - length) / SAMPLE_RATE
    if not 0 <= start_seconds <= latest:
        raise InputError(
            f"--start is {start_seconds} s; for this noise and speech it goes "
            f"from 0 to {latest:.3f} s."
        )
    start = int(start_seconds * SAMPLE_RATE)
    return loop_to_length(noise[start : start + length], length)


def draw_mix(speech, noise, snr_db, weighting, title):
    """Waveform and spectrogram of speech, scaled noise and mix.

    Arguments
    ---------
    speech, noise : np.ndarray
        Samples at 16 kHz, (time,), equally long.
    snr_db : float
        Wanted ratio, dB, finite.
    weighting : str
        What defines the SNR, one of ``WEIGHTINGS``.
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
    scaled = gain * noise
    mixed = add_scaled(speech, noise, gain)
    peak = float(np.max(np.abs(speech + scaled), initial=1.0))
    gain_db = 20 * math.log10(gain) if gain else -math.inf
    summary = (
        f"S = {speech_db:.2f} dBov, N = {noise_db:.2f} dBov, "
        f"gain = {gain_db:.2f} dB, SNR = {snr_db:.2f} dB "
        f"(weighting {weighting}: {BANDS[weighting]})"
    )
    overload = f", divided by its peak {peak:.2f}" if peak > 1 else ""
    # levels after the measurement filter, which the panels do not show
    added_db = noise_db + gain_db
    rows = {
        f"clean speech: {speech_db:.2f} dBov active ({weighting})": speech,
        f"noise as added: {added_db:.2f} dBov ({weighting})": scaled,
        f"mix: SNR {snr_db:.2f} dB{overload}": mixed,
    }
    if not gain:
        summary += ": one of them is silent, no noise is added"
    return _figure(rows, f"{title}\n{summary}"), summary


def _figure(rows, title):
    figure = Figure(figsize=(12, 8), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(len(rows), 2, sharex=True)
    spectra = [spectrogram(samples) for samples in rows.values()]
    loudest = max(np.max(np.abs(samples)) for samples in rows.values())
    height = 1.05 * loudest or 1.0  # silence still needs an axis
    brightest = spectra[-1].max()
    for (left, right), (name, samples), spectrum in zip(
        panels, rows.items(), spectra
    ):
        seconds = len(samples) / SAMPLE_RATE
        time = np.arange(len(samples)) / SAMPLE_RATE
        left.plot(time, samples, linewidth=0.4, color="tab:blue")
        left.set(title=name, ylim=(-height, height), ylabel="amplitude")
        image = right.imshow(
            spectrum,
            extent=(0, seconds, 0, SAMPLE_RATE / 2000),
            aspect="auto",
            origin="lower",
            cmap="magma",
            vmin=brightest - RANGE_DB,
            vmax=brightest,
        )
        right.set(title=name.split(":")[0], ylabel="frequency [kHz]")
    for panel in panels[-1]:
        panel.set(xlabel="time [s]", xlim=(0, seconds))
    figure.colorbar(image, ax=panels[:, 1], label="power density [dB]")
    return figure


def spectrogram(samples):
    """Power in dB, windows of 25 ms every 10 ms, (frequencies, frames)."""
    _, _, power = filters.spectrogram(
        samples,
        SAMPLE_RATE,
        window="hann",
        nperseg=400,
        noverlap=240,
        detrend=False,
    )
    return 10 * np.log10(power + 1e-20)


def save(figure, path):
    """Write a picture; raises InputError where that cannot be."""
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be written ({error}); name a .png or .pdf "
            "file in a folder that exists."
        ) from None
