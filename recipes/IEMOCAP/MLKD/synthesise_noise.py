"""Five synthetic noises that stand in for recordings of the same places.

They follow NOISEX-92 in name and in rough character only. Each name starts with
``synthetic_``, so that a table of results cannot pass them off as recordings.

Authors
 * The MLKD team 2026
"""

import numpy as np
from scipy.signal import fftconvolve
from synthesise_speech import (
    SAMPLE_RATE,
    SENTENCES,
    Speaker,
    in_fresh_process,
    read_aloud,
)

PEAK = 0.9  # of full scale

# None of them is a voice of the corpus.
BABBLE_VOICES = (
    Speaker("English (America)", "Annie", 1.03, 205, 175),
    Speaker("English (America)", "Andy", 1.00, 100, 190),
    Speaker("English (Great Britain)", "Linda", 1.00, 220, 185),
    Speaker("English (Scotland)", "Boris", 1.04, 115, 165),
    Speaker("English (Received Pronunciation)", "Auntie", 0.97, 170, 160),
    Speaker("English (Lancaster)", "Gene", 0.98, 92, 180),
    Speaker("English (America)", "Female4", 1.08, 235, 195),
    Speaker("English (West Midlands)", "Quincy", 1.10, 132, 170),
)


def sample_noise(name, seed, seconds):
    """Return one noise, a function of the arguments alone.

    Arguments
    ---------
    name : str
        A key of `NOISES`.
    seed : int
        Seed of the corpus.
    seconds : float
        Length, greater than 0.

    Returns
    -------
    np.ndarray
        int16 samples at `SAMPLE_RATE` with a peak of `PEAK`, (time,).

    Example
    -------
    >>> noise = sample_noise("synthetic_volvo", seed=1986, seconds=1.5)
    >>> noise.shape, noise.dtype
    ((24000,), dtype('int16'))
    """
    # 1000 and above: clear of the seeds [seed, speaker, utterance]
    rng = np.random.default_rng([seed, 1000 + list(NOISES).index(name)])
    noise = NOISES[name](rng, round(seconds * SAMPLE_RATE))
    return np.round(noise * PEAK / np.abs(noise).max() * 32767).astype(np.int16)


def babble(rng, time):
    """Eight people who talk at once, none of them louder than the others."""
    room = 0.02 * coloured(rng, time, lambda hertz: 1 / np.maximum(hertz, 50))
    voices = []
    for voice in BABBLE_VOICES:
        order = rng.permutation(len(SENTENCES))
        text = ". ".join(SENTENCES[line] for line in order)
        voices.append(in_fresh_process(read_for, voice, text, time))
    return room + sum(level(voice.astype(float)) for voice in voices)


def read_for(voice, text, time):
    """Return ``time`` int16 samples of a voice, over again if too short."""
    # 20 characters take about a second; the whole text may be minutes
    enough = 40 + 20 * time // SAMPLE_RATE
    samples = read_aloud(voice, text[:enough]).values[0]
    return np.resize(level(samples) * 1000, time).astype(np.int16)


def factory(rng, time):
    """A hum and a hiss that swell, and metal that is struck now and then."""
    hall = coloured(rng, time, lambda hertz: 1 / np.sqrt(hertz + 20))
    swell = 1 + 0.5 * slow(rng, time, hertz=1.0)
    hum = tones(time, 50 * np.arange(1, 8), 1 / np.arange(1, 8))
    strikes = level(impacts(rng, time))
    return hall * np.clip(swell, 0.3, None) + 0.3 * level(hum) + 0.7 * strikes


def impacts(rng, time, per_second=2.0):
    """Strikes at random times, each a cluster of decaying partials."""
    seconds = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    strikes = np.zeros(time + len(seconds))
    for _ in range(max(1, round(per_second * time / SAMPLE_RATE))):
        partials = rng.uniform(600, 6000, 6)
        decay = np.exp(-seconds[:, None] * rng.uniform(10, 60, 6))
        ring = np.sin(2 * np.pi * seconds[:, None] * partials) * decay
        start = rng.integers(time)
        strikes[start : start + len(seconds)] += rng.lognormal(
            sigma=0.4
        ) * ring.sum(1)
    return strikes[:time]


def cockpit(rng, time):
    """A broad roar, an engine's harmonics and a whine that wander a little."""
    roar = coloured(rng, time, lambda hertz: 1 / (1 + (hertz / 1500) ** 2))
    drift = 1 + 0.01 * slow(rng, time, hertz=0.5)
    harmonics = np.arange(1, 31)
    engine = tones(time, 98 * harmonics, harmonics**-0.7, drift)
    whine = tones(time, np.array([2730, 4100]), np.array([1.0, 0.4]), drift)
    return roar + 0.6 * level(engine) + 0.35 * level(whine)


def radio_channel(rng, time):
    """A hiss between 300 and 5000 Hz that fades slowly."""
    hiss = coloured(
        rng, time, lambda hertz: (hertz > 300) * (hertz < 5000) + 0.003
    )
    return hiss * np.clip(1 + 0.2 * slow(rng, time, hertz=0.3), 0.4, None)


def car(rng, time):
    """A rumble, most of it below 200 Hz, over a faint rush of air."""
    rumble = coloured(
        rng, time, lambda hertz: (hertz > 25) / (1 + (hertz / 90) ** 3)
    )
    air = coloured(rng, time, lambda hertz: 1 / (1 + hertz / 1000))
    return rumble * (1 + 0.1 * slow(rng, time, hertz=0.5)) + 0.02 * air


def coloured(rng, time, gain):
    """Return Gaussian noise of RMS 1, filtered by a gain over frequency.

    Arguments
    ---------
    rng : np.random.Generator
        Draws the noise.
    time : int
        Number of samples.
    gain : callable
        From Hz to a linear gain, both np.ndarray.

    Returns
    -------
    np.ndarray
        Samples, (time,).
    """
    spectrum = np.fft.rfft(rng.standard_normal(time))
    hertz = np.fft.rfftfreq(time, 1 / SAMPLE_RATE)
    spectrum *= gain(hertz)
    spectrum[0] = 0  # no offset
    return level(np.fft.irfft(spectrum, time))


def slow(rng, time, hertz):
    """Return Gaussian noise of RMS 1 that changes ``hertz`` times a second."""
    window = np.hanning(round(2 * SAMPLE_RATE / hertz))
    noise = rng.standard_normal(time + len(window) - 1)
    return level(fftconvolve(noise, window, mode="valid"))


def tones(time, hertz, gains, drift=1.0):
    """Return a sum of sines whose frequencies share one drift."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(drift, time)) / SAMPLE_RATE
    return sum(gain * np.sin(tone * phase) for tone, gain in zip(hertz, gains))


def level(samples):
    """Return the samples at RMS 1."""
    return samples / np.sqrt(np.mean(samples**2))


NOISES = {
    "synthetic_babble": babble,
    "synthetic_factory1": factory,
    "synthetic_f16": cockpit,
    "synthetic_hfchannel": radio_channel,
    "synthetic_volvo": car,
}
