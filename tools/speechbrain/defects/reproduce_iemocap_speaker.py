#!/usr/bin/env python3
"""SpeechBrain's IEMOCAP preparer files utterances under the wrong speaker.

> python reproduce_iemocap_speaker.py SPEECHBRAIN [S3PRL]

SPEECHBRAIN is a checkout, as it is or patched. Four made-up annotations stand
for the corpus. With a checkout of S3PRL, the names of all 5531 utterances that
it publishes do.

Authors
 * The MLKD team 2026
"""

import importlib.util
import json
import pathlib
import sys
import tempfile
from collections import Counter

PREPARER = "recipes/IEMOCAP/iemocap_prepare.py"
NAMES = "s3prl/downstream/emotion/meta_data/Session*/*_meta_data.json"
DIALOGS = "Ses01F_impro01", "Ses02F_script01_1", "Ses03M_impro05a"
MADE_UP = [
    f"{dialog}_{turn}" for dialog in DIALOGS for turn in ("F000", "M000")
]
MADE_UP += ["Ses04F_impro01_F000", "Ses05M_script01_1b_F003"]


def load(path):
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location("preparer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published_names(s3prl):
    """Names of the corpus's utterances, from S3PRL's lists."""
    pages = [json.loads(p.read_text("utf-8")) for p in s3prl.glob(NAMES)]
    paths = [row["path"] for page in pages for row in page["meta_data"]]
    return sorted({pathlib.PurePosixPath(path).stem for path in paths})


def annotate(names, root):
    """Write the annotations of utterances; no recording is asked for."""
    for name in names:
        dialog = name.rpartition("_")[0]
        page = root / f"Session{name[4]}/dialog/EmoEvaluation/{dialog}.txt"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a", encoding="utf-8") as lines:
            lines.write(
                f"[0.0000 - 1.0000]\t{name}\tneu\t[2.5000, 2.5000, 2.5000]\n"
            )


def filed(preparer, names):
    """Speaker that the preparer gives each utterance, e.g. Ses03M."""
    with tempfile.TemporaryDirectory() as folder:
        annotate(names, pathlib.Path(folder))
        speakers = preparer.transform_data(f"{folder}/Session")
    return {
        pathlib.PurePosixPath(path).stem: f"Ses0{(int(number) + 1) // 2}"
        + ("F" if int(number) % 2 else "M")
        for number, utterances in speakers.items()
        for path, _, _ in utterances
    }


def speaker(name):
    """Who speaks: the letter after the last underscore."""
    return name[:5] + name.rpartition("_")[2][0]


def main(speechbrain, s3prl=None):
    """Print the utterances of the wrong speaker, by dialog."""
    names = published_names(pathlib.Path(s3prl)) if s3prl else MADE_UP
    found = filed(load(pathlib.Path(speechbrain) / PREPARER), names)
    wrong = {name: who for name, who in found.items() if who != speaker(name)}
    print(f"{len(found)} utterances, {len(wrong)} under the wrong speaker")
    rows = Counter(
        (name.rpartition("_")[0], who, speaker(name))
        for name, who in wrong.items()
    )
    for (dialog, who, right), count in sorted(rows.items()):
        print(f"  {dialog:20} {count:3} filed under {who}, spoken by {right}")


if __name__ == "__main__":
    main(*sys.argv[1:])
