#!/usr/bin/env python3
"""The Berlin Database of Emotional Speech becomes one manifest a speaker.

Of its seven emotions the four of the paper are kept.

Authors
 * The MLKD team 2026
"""

import logging
import pathlib
import re

from mlkd_brain.audio import find_recordings
from mlkd_brain.data.manifests import write_manifests
from mlkd_brain.errors import InputError

logger = logging.getLogger(__name__)
#: Letter of the emotion in a file's name (German), and its class.
CLASSES = {"W": "ang", "F": "hap", "N": "neu", "T": "sad"}
FEMALE = {"08", "09", "13", "14", "16"}
EXPECTED = 339  # utterances of the four classes

# 03a01Wa.wav: speaker, sentence, emotion, version
NAME = re.compile(r"^(\d\d)([a-z]\d\d)([A-Z])([a-z])$")


def prepare_emodb(
    data_folder, manifest_folder, allow_partial=False, skip_prep=False
):
    """Write one CSV a speaker; nothing to do when that was done before.

    Arguments
    ---------
    data_folder : str
        Folder of the wav files.
    manifest_folder : str
        Where ``03.csv`` ... ``16.csv`` go.
    allow_partial : bool
        Whether another count than 339 is accepted.
    skip_prep : bool
        Whether to trust the manifests that are there.

    Raises
    ------
    InputError
        If the corpus is missing, incomplete or damaged.
    """
    if skip_prep:
        return
    utterances = list_utterances(data_folder)
    if len(utterances) != EXPECTED and allow_partial is not True:
        raise InputError(
            f"{data_folder}: has {len(utterances)} utterances of the four "
            f"classes, EmoDB has {EXPECTED}; complete the corpus, or give "
            "--allow_partial True."
        )
    write_manifests(utterances, data_folder, manifest_folder)


def list_utterances(data_folder):
    """Read the names of the recordings.

    Arguments
    ---------
    data_folder : str or pathlib.Path
        Folder of the wav files.

    Raises
    ------
    InputError
        If it is not a folder or holds no EmoDB recording.

    Returns
    -------
    list of dict
        One for each utterance of the four classes, sorted by ID.
    """
    root = pathlib.Path(data_folder)
    if not root.is_dir():
        raise InputError(
            f"data_folder '{data_folder}' is not a folder. Get the Berlin "
            "Database of Emotional Speech from its authors (free for research) "
            "and give the folder of its wav files with --data_folder or "
            "EMODB_ROOT; `make demo` runs without it."
        )
    recordings, passed_over = find_recordings(root)
    if passed_over:
        logger.warning(passed_over)
    _warn_of_foreign([p for p in recordings if not NAME.match(p.stem)])
    utterances = [
        describe(path.name)
        for path in recordings
        if NAME.match(path.stem) and NAME.match(path.stem)[3] in CLASSES
    ]
    if not utterances:
        raise InputError(
            f"{data_folder}: holds no file named as in EmoDB (03a01Wa.wav); give "
            "the folder of its wav files with --data_folder."
        )
    return utterances


def _warn_of_foreign(recordings):
    """Name the recordings that are not called as those of EmoDB are."""
    if recordings:
        logger.warning(
            f"passed over {len(recordings)} recordings that are not named as in "
            f"EmoDB (03a01Wa.wav), such as {recordings[0].name}"
        )


def describe(name):
    """Manifest row of a recording, from its name.

    Arguments
    ---------
    name : str
        Speaker, sentence, emotion, version; e.g. 03a01Wa.wav.

    Returns
    -------
    dict
        With the keys that ``write_manifests`` asks for. EmoDB has no sessions;
        ``session`` is the sentence.

    Example
    -------
    >>> describe("08b02Ta.wav")["emo"]
    'sad'
    """
    stem = pathlib.Path(name).stem
    speaker, sentence, emotion, _ = NAME.match(stem).groups()
    return {
        "ID": stem,
        "wav": name,
        "spk_id": speaker,
        "session": sentence,
        "gender": "F" if speaker in FEMALE else "M",
        "style": "scripted",
        "emo": CLASSES[emotion],
    }
