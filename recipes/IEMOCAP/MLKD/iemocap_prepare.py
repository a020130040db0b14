#!/usr/bin/env python3
"""IEMOCAP's release becomes one manifest a speaker.

To check a copy of the corpus:
> python iemocap_prepare.py --check /path/to/IEMOCAP_full_release

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
import re
from collections import Counter

import soundfile
from mlkd_brain.audio import read_checked
from mlkd_brain.data.manifests import as_found, write_manifests
from mlkd_brain.errors import InputError, cli_errors

#: Annotated emotions that are kept, and the class they count as.
CLASSES = {"ang": "ang", "hap": "hap", "exc": "hap", "neu": "neu", "sad": "sad"}
EXPECTED_EMOTIONS = {"ang": 1103, "hap": 1636, "neu": 1708, "sad": 1084}
EXPECTED_SPEAKERS = {
    "Ses01F": 528,
    "Ses01M": 557,
    "Ses02F": 481,
    "Ses02M": 542,
    "Ses03F": 522,
    "Ses03M": 629,
    "Ses04F": 528,
    "Ses04M": 503,
    "Ses05F": 590,
    "Ses05M": 651,
}
EXPECTED_RATE = 16000  # Hz

# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
UTTERANCE = re.compile(r"^\[[^\]]+\]\s+(Ses\d\d[FM]_\S+)\s+([a-z]{3})\s")


def prepare_iemocap(
    data_folder, manifest_folder, allow_partial=False, skip_prep=False
):
    """Write one CSV a speaker; nothing to do when that was done before.

    Arguments
    ---------
    data_folder : str
        Root of the release, that holds Session1 ... Session5.
    manifest_folder : str
        Where ``Ses01F.csv`` ... ``Ses05M.csv`` go.
    allow_partial : bool
        Whether other counts than IEMOCAP's are accepted.
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
    counts = count(utterances)
    if counts != expected() and allow_partial is not True:
        raise InputError(
            f"{data_folder}: not the counts of IEMOCAP; complete the corpus, or "
            f"give --allow_partial True.\n{comparison(counts)}"
        )
    write_manifests(utterances, data_folder, manifest_folder)


def list_utterances(data_folder):
    """Read the annotation of all sessions.

    Arguments
    ---------
    data_folder : str or pathlib.Path
        Root of the release.

    Raises
    ------
    InputError
        If it is not a folder or holds no annotation.

    Returns
    -------
    list of dict
        One for each utterance of the four classes, sorted by ID.
    """
    root = pathlib.Path(data_folder)
    if not root.is_dir():
        raise InputError(
            f"data_folder '{data_folder}' is not a folder. Request IEMOCAP at "
            "https://sail.usc.edu/iemocap/ and give the folder that holds "
            "Session1 ... Session5 with --data_folder or IEMOCAP_ROOT; "
            "`make demo` runs without it."
        )
    pages = sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/*.txt"))
    utterances = [
        utterance
        for page in pages
        if not page.name.startswith("._")  # AppleDouble, not text
        for utterance in read_annotation(page)
    ]
    if not utterances:
        raise InputError(
            f"{data_folder}: no utterance found in "
            "SessionN/dialog/EmoEvaluation/*.txt; give the folder that holds "
            "Session1 ... Session5 with --data_folder."
        )
    return sorted(utterances, key=lambda utterance: utterance["ID"])


def read_annotation(page):
    """Utterances of one dialog that belong to the four classes.

    Lines of single annotators are passed over.

    Arguments
    ---------
    page : pathlib.Path
        ``SessionN/dialog/EmoEvaluation/DIALOG.txt``

    Returns
    -------
    list of dict
        With the keys that ``write_manifests`` asks for.
    """
    session = page.parents[2].name
    text = page.read_text(encoding="latin-1")
    matches = [UTTERANCE.match(line) for line in text.splitlines()]
    return [
        describe(match[1], CLASSES[match[2]], session)
        for match in matches
        if match and match[2] in CLASSES
    ]


def describe(name, emotion, session):
    """Manifest row of an utterance, from its name.

    Arguments
    ---------
    name : str
        E.g. Ses05M_script01_1b_F003.
    emotion : str
        Class.
    session : str
        E.g. Session5.

    Returns
    -------
    dict
        The speaker is the letter after the *last* underscore: the one before
        the dialog is who wore the motion-capture markers.

    Example
    -------
    >>> describe("Ses05M_script01_1b_F003", "neu", "Session5")["spk_id"]
    'Ses05F'
    """
    dialog, _, turn = name.rpartition("_")
    gender = turn[0]
    return {
        "ID": name,
        "wav": f"{session}/sentences/wav/{dialog}/{name}.wav",
        "spk_id": name[:5] + gender,
        "session": session,
        "gender": gender,
        "style": "scripted" if "script" in dialog else "improvised",
        "emo": emotion,
    }


def count(utterances):
    """Utterances of each class and speaker."""
    return {
        **Counter(utterance["emo"] for utterance in utterances),
        **Counter(utterance["spk_id"] for utterance in utterances),
        "all": len(utterances),
    }


def expected():
    """The counts of the complete corpus."""
    total = sum(EXPECTED_EMOTIONS.values())
    return {**EXPECTED_EMOTIONS, **EXPECTED_SPEAKERS, "all": total}


def comparison(counts):
    """Table of counts beside the expected ones."""
    lines = [f"{'':8}{'found':>8}{'expected':>10}"]
    for name in dict.fromkeys([*expected(), *sorted(counts)]):
        found, wanted = counts.get(name, 0), expected().get(name, 0)
        mark = "" if found == wanted else f"  differs by {found - wanted:+d}"
        lines.append(f"{name:8}{found:8}{wanted:10}{mark}")
    return "\n".join(lines)


def check(data_folder):
    """Print what is there beside what should be, and every damaged file.

    Returns
    -------
    bool
        True when the corpus is complete and every recording can be used.
    """
    root = pathlib.Path(data_folder)
    utterances = list_utterances(root)
    counts = count(utterances)
    print(comparison(counts))
    found = [as_found(utterance, root) for utterance in utterances]
    faults = [fault for u in found for fault in faults_of(root / u["wav"])]
    print("\n".join(faults) or "every recording is there and can be read")
    return counts == expected() and not faults


def faults_of(path):
    """Messages about what is wrong with one recording."""
    if not path.is_file():
        return [f"missing: {path}"]
    try:
        read_checked(path)
    except InputError as error:
        return [f"unusable: {error}"]
    rate = soundfile.info(path).samplerate
    if rate != EXPECTED_RATE:
        return [f"{path}: {rate} Hz instead of {EXPECTED_RATE}; is resampled"]
    return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", metavar="DIR", required=True)
    with cli_errors():
        complete = check(parser.parse_args().check)
        raise SystemExit(0 if complete else 1)
