"""Ten synthetic speakers who read everyday sentences with an emotion.

eSpeak, inside Praat, reads the sentence. Praat then changes the voice (vocal
tract, pitch) and acts the emotion (pitch, range, contour, rate); a filter sets
the spectral tilt. Each utterance has a random strength of emotion, so the
classes overlap.

praat-parselmouth is under the GPL. It is an optional extra of this script, and
neither mlkd_brain nor the training scripts import it.

Authors
 * The MLKD team 2026
"""

import ctypes
import os
import traceback
from typing import NamedTuple

import numpy as np

try:
    from parselmouth.praat import call, run
except ImportError:  # the optional extra; check_praat says how to get it
    call = None

SAMPLE_RATE = 16000  # Hz
LEVEL_DB = -26.0  # RMS of neutral speech, dB re full scale
ROOM_DB = -40.0  # RMS of the room re speech; no pause is digital silence
PITCH_SEARCH = (60, 600)  # Hz, floor and ceiling of Praat's pitch tracker
# Praat draws the pulses of voiceless stretches; it starts from the clock.
SEED_PRAAT = "random_initializeWithSeedUnsafelyButPredictably (1986)"
# eSpeak draws the breath of some voices with C's rand(), whose state a fork
# inherits; this is the state that a process begins with.
SEED_ESPEAK = 1


class Speaker(NamedTuple):
    """A voice of eSpeak and what Praat makes of it."""

    language: str
    variant: str
    formant_ratio: float  # above 1 shortens the vocal tract
    pitch_hz: float
    words_per_minute: int


class Emotion(NamedTuple):
    """Differences from a speaker's neutral reading, or their spread."""

    pitch: float  # semitones
    spread: float  # log2 of the factor on the pitch range
    rate: float  # log2 of the factor on the speaking rate
    tilt: float  # dB per octave around 1 kHz
    level: float  # dB
    rise: float  # semitones per second, along the utterance


# Women have even numbers and men odd ones; 2n and 2n + 1 share a session.
SPEAKERS = (
    Speaker("English (Great Britain)", "Female1", 1.02, 190, 170),
    Speaker("English (America)", "Male1", 1.00, 104, 165),
    Speaker("English (America)", "Female2", 1.06, 214, 178),
    Speaker("English (Great Britain)", "Male3", 1.05, 118, 182),
    Speaker("English (Scotland)", "Female3", 0.98, 182, 162),
    Speaker("English (Received Pronunciation)", "Michael", 0.96, 96, 172),
    Speaker("English (Lancaster)", "Female5", 1.00, 203, 168),
    Speaker("English (West Midlands)", "Male4", 1.08, 128, 176),
    Speaker("English (Received Pronunciation)", "Steph", 1.09, 226, 184),
    Speaker("English (Caribbean)", "Male7", 1.02, 110, 160),
)

EMOTIONS = {
    "ang": Emotion(2.6, 0.35, 0.22, 3.8, 5.0, -1.6),
    "hap": Emotion(5.4, 0.70, 0.08, 0.0, 2.0, 1.8),
    "exc": Emotion(6.0, 0.80, 0.16, 0.6, 3.5, 2.0),
    "neu": Emotion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sad": Emotion(-2.4, -0.70, -0.30, -3.4, -4.0, -0.5),
    "fru": Emotion(0.8, 0.15, -0.05, 1.6, 2.0, -1.2),
    "xxx": Emotion(0.6, 0.10, 0.02, 0.2, 0.0, 0.2),
}
SPREAD = Emotion(1.2, 0.23, 0.09, 1.0, 2.5, 0.7)  # standard deviations

# Three to nine words each and no emotion in them: only the voice expresses it.
TEXT = """
We change trains twice. I know the man in the picture. She is talking to the
driver. The doctor will see you at four. The printer is out of paper. The
meeting was moved to Thursday. He writes everything in a notebook. The letter
came today. Please close the window behind you. They live across the street. The
concert lasted two hours. He lives on the third floor. The water in the pan is
warm. He ordered soup and a salad. The report has eleven pages. You can leave
your coat here. The coffee is on the counter. There are four rooms upstairs. I
usually wake up at seven. She wears glasses. She works in the next building. The
clock on the wall is slow. We changed the sheets on Monday. The computer is in
the other room. It may rain later this afternoon. He is waiting in the car. She
parked the car behind the house. She sent the parcel on Friday. The class begins
after the break. There is milk in the kitchen. He took the early flight home. We
bought bread and some apples. I turned off the television. They painted the door
last week. We stayed at a small hotel. They came back. They sold the house in
March. She cut the bread into slices. We walked along the river to the old mill.
The train leaves from platform two. We took the stairs to the roof. The garden
is behind the garage. The paper is in the drawer. The children are in the garden
with us. He carried the bags up. The soup needs a little salt. Your coat is
behind the door. The bus to the airport stops near the library. My cousin lives
near the harbour. My father grew up on a farm near here. They have two cats and
a dog. The lake is north of the town. I borrowed this book from Peter. My
brother works in a bank. He keeps his bicycle in the hall. You should talk to
the manager about it. She asked about the new schedule. The keys are beside the
lamp. The radio is on the shelf. The lights were on all night. We can meet
outside the museum. He drives to work every day. We met them at the station. She
left her bag in the office. The towels are in the basket. The box is under the
stairs. I put the letters on the table. The map is in the glove box. I wrote the
number on a card. He plays tennis. The ladder is in the shed. The kettle is on.
The cups are in the cupboard. She teaches at the village school. I need to call
the office. They moved the chairs. My sister called from the airport. There is a
stone in my shoe. We usually have lunch around noon. We watched the boats go by.
Our house has a green roof. The film starts at nine tonight. The blue folder is
on the left.
"""
SENTENCES = tuple(" ".join(part.split()) for part in TEXT.split(".")[:-1])


def check_praat():
    """Raise an error if Praat or ``os.fork`` is missing."""
    if not hasattr(os, "fork"):
        raise OSError("Speech is synthesised in forks: use Linux or macOS.")
    if call is None:
        raise ImportError(
            "Speech is synthesised with Praat, which is not installed: "
            "pip install praat-parselmouth"
        )


def in_fresh_process(function, *arguments):
    """Return ``function(*arguments)``, an int16 array, computed in a fork.

    eSpeak keeps its oscillators between calls, so a sentence would depend on
    those before it. A fork for each costs milliseconds and starts from the same
    state, as long as the caller does not use eSpeak itself.

    Raises
    ------
    RuntimeError
        If the fork fails; its own error is on stderr.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _send_and_exit(writer, function, arguments)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        samples = np.frombuffer(pipe.read(), dtype=np.int16)
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError(f"{function.__name__} failed on {arguments}.")
    return samples


def _send_and_exit(writer, function, arguments):
    """Write the samples to the pipe and end the fork, without clean-up."""
    status = 1
    try:
        run(SEED_PRAAT)
        ctypes.CDLL(None).srand(SEED_ESPEAK)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(function(*arguments).tobytes())
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        # not sys.exit: the parent's buffers and handlers are not the fork's
        os._exit(status)


def read_aloud(speaker, sentence):
    """Return a neutral Praat Sound, its median pitch at the speaker's."""
    reader = call("Create SpeechSynthesizer", speaker.language, speaker.variant)
    word_gap, pitch, pitch_range = 0.01, 1.0, 1.0  # s, and eSpeak's defaults
    call(
        reader,
        "Speech output settings",
        *(SAMPLE_RATE, word_gap, pitch, pitch_range),
        *(speaker.words_per_minute, "IPA"),
    )
    [sound] = call(reader, "To Sound", sentence, "no")  # no TextGrid beside it
    voice = (speaker.formant_ratio, speaker.pitch_hz, 1.0, 1.0)
    return call(sound, "Change gender", *PITCH_SEARCH, *voice)


def sample_manner(emotion, rng):
    """Sample how strongly one utterance shows an emotion, as an `Emotion`."""
    strength = np.clip(rng.normal(1.0, 0.25), 0.4, 1.6)
    noise = rng.standard_normal(len(SPREAD)) * SPREAD
    return Emotion(*(strength * np.array(EMOTIONS[emotion]) + noise))


def act(sound, manner, pitch_hz, rng):
    """Return the neutral Sound with the pitch and timing of a manner."""
    end = sound.duration
    manipulation = call(sound, "To Manipulation", 0.01, *PITCH_SEARCH)
    pitch = call(manipulation, "Extract pitch tier")
    octaves = f"({manner.pitch} + {manner.rise} * (x - {end / 2})) / 12"
    contour = f"(self / {pitch_hz}) ^ {2**manner.spread} * 2 ^ ({octaves})"
    call(pitch, "Formula", f"max(60, min(560, {pitch_hz} * {contour}))")
    call([pitch, manipulation], "Replace pitch tier")
    duration = call("Create DurationTier", "manner", 0, end)
    for time in np.linspace(0.1, 0.9, 4) * end:
        call(duration, "Add point", time, 2 ** -rng.normal(manner.rate, 0.08))
    call([duration, manipulation], "Replace duration tier")
    return call(manipulation, "Get resynthesis (overlap-add)")


def tilt(samples, db_per_octave):
    """Turn the spectrum around 1 kHz, from 100 Hz up to the Nyquist limit."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(hertz, 100) / 1000)
    return np.fft.irfft(
        spectrum * 10 ** (db_per_octave * octaves / 20), len(samples)
    )


def speak(seed, speaker, index, emotion):
    """Return one utterance, in a fresh process the same for each call.

    Call it through `in_fresh_process`: alone it depends on earlier calls.

    Arguments
    ---------
    seed : int
        Seed of the corpus.
    speaker : int
        Index into `SPEAKERS`, from 0.
    index : int
        Number of the utterance, from 0; it also picks the sentence.
    emotion : str
        A key of `EMOTIONS`.

    Returns
    -------
    np.ndarray
        int16 samples at `SAMPLE_RATE`, (time,).
    """
    rng = np.random.default_rng([seed, speaker, index])
    manner = sample_manner(emotion, rng)
    voice = SPEAKERS[speaker]
    # half the list on, so that the partners of a session share few sentences
    start = speaker * (len(SENTENCES) // 2)
    sentence = SENTENCES[(start + index) % len(SENTENCES)]
    sound = act(read_aloud(voice, sentence), manner, voice.pitch_hz, rng)
    speech = tilt(sound.values[0], manner.tilt)
    speech = np.pad(speech / speech.std(), rng.integers(1600, 4000, 2))
    # relative to the speech, or the room would tell how loud the speech was
    room = 10 ** (rng.normal(ROOM_DB, 3.0) / 20)
    speech += room * rng.standard_normal(len(speech))
    speech *= 10 ** ((LEVEL_DB + manner.level) / 20)
    speech *= min(1, 0.99 / np.abs(speech).max())
    return np.round(speech * 32767).astype(np.int16)
