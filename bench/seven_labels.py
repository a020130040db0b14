"""A corpus with seven labels in German and five speakers, for docs/own-corpus.md.

    python -m bench.seven_labels seven

140 utterances of ``synthesise_speech.py``, called <speaker>_<number>_<label>.wav.

Authors
 * The MLKD team 2026
"""

import argparse
import itertools
import pathlib
import sys

import soundfile

from bench.study import RECIPE

SPEAKERS = ("anna", "ben", "carla", "david", "eva")
LABELS = {
    "ang": "Ärger",
    "hap": "Freude",
    "exc": "Begeisterung",
    "neu": "neutral",
    "sad": "Trauer",
    "fru": "Frust",
    "xxx": "anderes",
}
EACH = 4  # utterances of a speaker and a label


def synthesise(folder):
    """Write the recordings into a new folder.

    Arguments
    ---------
    folder : pathlib.Path
        Is made.
    """
    sys.path.insert(0, str(RECIPE))
    from synthesise_speech import SAMPLE_RATE, in_fresh_process, speak

    folder.mkdir(parents=True)
    each = list(itertools.product(LABELS.items(), range(EACH)))
    for speaker, name in enumerate(SPEAKERS):
        for index, ((emotion, label), _) in enumerate(each):
            samples = in_fresh_process(speak, 1986, speaker, index, emotion)
            path = folder / f"{name}_{index:02}_{label}.wav"
            soundfile.write(path, samples, SAMPLE_RATE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="is made")
    synthesise(parser.parse_args().folder)
