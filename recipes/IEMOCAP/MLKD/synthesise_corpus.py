"""Synthesise a small corpus in the layout in which IEMOCAP is released.

It lets the recipe run and its tests pass where IEMOCAP is absent; the same
preparer reads both. It is not IEMOCAP: no number obtained on it says anything
about emotion in human speech.

To write 430 utterances and five noises, in less than a minute on one core:
> python synthesise_corpus.py data/synthetic

Authors
 * The MLKD team 2026
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from synthesise_noise import NOISES, sample_noise
from synthesise_speech import (
    SAMPLE_RATE,
    SPEAKERS,
    check_praat,
    in_fresh_process,
    speak,
)
from tqdm import tqdm

logger = logging.getLogger(__name__)

ARGUMENTS_FILE = "synthesis.json"  # in every complete corpus
VERSION = 1  # raise it when the same arguments give other samples

# Excitement counts as happiness, so each class comes twice.
ROUND = ("ang", "hap", "neu", "sad", "ang", "exc", "neu", "sad")
# Labels that a preparer has to skip. They come first, so that an utterance
# does not depend on how many follow it.
SKIPPED = ("fru", "xxx", "fru")
DIALOGS = ("F_impro01", "M_impro02", "F_script01_1", "M_script01_1b")
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
LABELS = {  # word of the annotators; valence, activation, dominance in [1, 5]
    "ang": ("Anger", (2, 4, 4)),
    "hap": ("Happiness", (4, 3, 3)),
    "exc": ("Excited", (4, 4, 3)),
    "neu": ("Neutral state", (3, 2, 3)),
    "sad": ("Sadness", (2, 2, 2)),
    "fru": ("Frustration", (2, 3, 3)),
    "xxx": ("Other", (3, 3, 3)),
}
# The start of the files that macOS leaves beside those of some releases.
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\xff"
README = """\
This corpus is SYNTHETIC and it is NOT IEMOCAP.

synthesise_corpus.py of the recipe IEMOCAP/MLKD made it; synthesis.json has its
arguments. eSpeak reads everyday sentences in up to ten voices. Praat changes
pitch, range, contour and rate, and a filter the spectral tilt, to act anger,
happiness, neutrality and sadness. Labels and ratings are made up as well.

IEMOCAP/ has the folders, names and label format of the IEMOCAP release, so that
one preparer reads both; with labels to skip, a file with CRLF line ends and a
._ file as macOS leaves them. noise/ holds noises that are computed, not
recorded. Results on this corpus show that the recipe runs. They say nothing
about human speech or real noise.
"""


class Turn(NamedTuple):
    """Who speaks with which label, and what the release would call it."""

    speaker: int  # index into SPEAKERS, from 0
    index: int  # number of the utterance within its speaker, from 0
    label: str
    dialog: str
    name: str


def plan_turns(speaker, utterances):
    """List the turns of one speaker; each dialog gets all classes in time.

    Arguments
    ---------
    speaker : int
        Index into `SPEAKERS`, from 0.
    utterances : int
        Number of turns of the four classes; those to skip come on top.

    Returns
    -------
    list of Turn

    Example
    -------
    >>> len(plan_turns(speaker=0, utterances=8)) - len(SKIPPED)
    8
    """
    labels = [*SKIPPED, *(ROUND[n % len(ROUND)] for n in range(utterances))]
    turns, spoken = [], dict.fromkeys(DIALOGS, 0)
    for index, label in enumerate(labels):
        # a step more each round, or a dialog would hold a single class
        suffix = DIALOGS[(index + index // len(DIALOGS)) % len(DIALOGS)]
        dialog = f"Ses{speaker // 2 + 1:02d}{suffix}"
        name = f"{dialog}_{'FM'[speaker % 2]}{spoken[suffix]:03d}"
        spoken[suffix] += 1
        turns.append(Turn(speaker, index, label, dialog, name))
    return turns


def label_block(turn, start, end, rng):
    """Return the lines of EmoEvaluation for one turn, times in seconds.

    Two annotators of three give the label, or none for ``xxx``; the speaker
    gives one too, as in IEMOCAP.
    """
    word, dimensions = LABELS[turn.label]
    others = rng.permutation([w for w, _ in LABELS.values() if w != word])
    votes = [word, others[0], others[1] if turn.label == "xxx" else word]
    ratings = np.clip(rng.integers(-1, 2, (2, 3)) + dimensions, 1, 5)
    mean = ", ".join(f"{value:.4f}" for value in ratings.mean(0))
    actor = turn.name[-4]
    lines = [f"[{start:.4f} - {end:.4f}]\t{turn.name}\t{turn.label}\t[{mean}]"]
    lines += [f"C-E{n}:\t{vote};\t()" for n, vote in enumerate(votes, 2)]
    lines += [f"C-{actor}1:\t{word};\t()"]
    for rater, (val, act, dom) in zip(("E3", "E4"), ratings):
        lines += [f"A-{rater}:\tval {val}; act {act}; dom  {dom};\t()"]
    return "\n".join(lines) + "\n\n"


def write_dialog(session, dialog, turns, seed, progress):
    """Write the wavs and the label file of one dialog of a session folder."""
    wavs = session / "sentences" / "wav" / dialog
    wavs.mkdir(parents=True)
    text, clock = HEADER, 1.0  # s
    for turn in turns:
        samples = in_fresh_process(speak, seed, *turn[:3])
        soundfile.write(wavs / f"{turn.name}.wav", samples, SAMPLE_RATE)
        end = clock + len(samples) / SAMPLE_RATE
        rng = np.random.default_rng([seed, turn.speaker, turn.index, 1])
        text += label_block(turn, clock, end, rng)
        clock = end + 0.4
        progress.update()
    path = session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    # as in the release, where line ends differ from file to file
    ends = "\r\n" if dialog == "Ses01M_impro02" else "\n"
    path.write_bytes(text.replace("\n", ends).encode())


def write_corpus(folder, arguments):
    """Write everything into a folder that does not exist yet."""
    turns = []
    for speaker in range(arguments["speakers"]):
        turns += plan_turns(speaker, arguments["utterances"])
    # by number within the dialog, so that the two speakers take turns
    turns.sort(key=lambda turn: (turn.dialog, turn.name[-3:], turn.speaker))
    (folder / "noise").mkdir(parents=True)
    count = len(turns) + len(NOISES)
    with tqdm(total=count, desc="synthesis", mininterval=1) as progress:
        for dialog in dict.fromkeys(turn.dialog for turn in turns):
            session = folder / "IEMOCAP" / f"Session{int(dialog[3:5])}"
            its_turns = [turn for turn in turns if turn.dialog == dialog]
            write_dialog(
                session, dialog, its_turns, arguments["seed"], progress
            )
        for name in NOISES:
            noise = sample_noise(
                name, arguments["seed"], arguments["noise_seconds"]
            )
            path = folder / "noise" / f"{name}.wav"
            soundfile.write(path, noise, SAMPLE_RATE)
            progress.update()
    junk = "IEMOCAP/Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt"
    (folder / junk).write_bytes(APPLE_DOUBLE)
    (folder / "README.txt").write_text(README, encoding="ascii")
    (folder / ARGUMENTS_FILE).write_text(json.dumps(arguments, indent=2) + "\n")


def is_complete(out_dir, arguments):
    """Whether the folder holds this corpus; raises if it holds another."""
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return False
    path = out_dir / ARGUMENTS_FILE
    found = json.loads(path.read_text()) if path.exists() else "other files"
    if found != arguments:
        raise FileExistsError(
            f"{out_dir} holds {found}, expected {arguments}. "
            "Delete that folder or name another one."
        )
    return True


def check_numbers(utterances, speakers, seed, noise_seconds):
    """Raise a ValueError if one is too small or out of balance."""
    if utterances < 4 or utterances % 4:
        raise ValueError(
            f"Bad value --utterances {utterances}, expected a multiple of 4, "
            "the number of classes."
        )
    if speakers not in range(2, len(SPEAKERS) + 1, 2):
        raise ValueError(
            f"Bad value --speakers {speakers}, expected an even number from 2 "
            f"to {len(SPEAKERS)}: a session has two speakers."
        )
    if seed < 0 or noise_seconds < 1:
        raise ValueError(
            f"Bad values --seed {seed} --noise_seconds {noise_seconds}, "
            "expected at least 0 and 1."
        )


def synthesise(
    out_dir, utterances=40, speakers=10, seed=1986, noise_seconds=60
):
    """Synthesise the corpus, unless it is there already.

    The same arguments give the same bytes. The folder appears complete or not
    at all: the files are written beside it and renamed at the end.

    Arguments
    ---------
    out_dir : str or Path
        Folder to create; it may exist if it is empty.
    utterances : int
        Number of utterances per speaker, a multiple of 4 (the classes). Three
        more per speaker carry labels that a preparer skips.
    speakers : int
        Number of speakers, even, at most 10.
    seed : int
        Seed of everything random, at least 0.
    noise_seconds : float
        Length of each noise, at least 1.

    Raises
    ------
    ValueError
        If a number is not among those above.
    FileExistsError
        If the folder holds something else.
    ImportError
        If praat-parselmouth is not installed.
    OSError
        If the system cannot fork, as Windows.

    Returns
    -------
    Path
        The folder, which holds ``IEMOCAP/`` and ``noise/``.
    """
    check_numbers(utterances, speakers, seed, noise_seconds)
    out_dir = Path(out_dir).resolve()
    arguments = {"version": VERSION, "seed": seed, "speakers": speakers}
    arguments |= {"utterances": utterances, "noise_seconds": noise_seconds}
    if is_complete(out_dir, arguments):
        logger.info("%s is complete, nothing to synthesise.", out_dir)
        return out_dir
    check_praat()
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    beside = {"prefix": ".synthesis-", "dir": out_dir.parent}
    with tempfile.TemporaryDirectory(**beside) as scratch:
        write_corpus(Path(scratch) / "corpus", arguments)
        # atomic on one file system, and fine onto an empty folder
        (Path(scratch) / "corpus").rename(out_dir)
    logger.info("Wrote %s.", out_dir)
    return out_dir


def main():
    """Synthesise what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--utterances", type=int, default=40)
    parser.add_argument("--speakers", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1986)
    parser.add_argument("--noise_seconds", type=int, default=60)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        synthesise(**vars(parser.parse_args()))
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
