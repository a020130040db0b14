"""What is said of SpeechBrain's two defects is so in the one that is installed.

Authors
 * The MLKD team 2026
"""

import importlib.util
import os
import pathlib
import subprocess

import pytest
from places import REPOSITORY

DEFECTS = REPOSITORY / "tools" / "speechbrain" / "defects"
PATCHES = sorted(DEFECTS.glob("*.patch"))


def script(name):
    """A reproduction as a module."""
    spec = importlib.util.spec_from_file_location(name, DEFECTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout():
    """A clone of SpeechBrain; skips the test without one."""
    folder = pathlib.Path(os.environ.get("SPEECHBRAIN_CHECKOUT", ""))
    if not (folder / "speechbrain").is_dir() or not (folder / ".git").exists():
        pytest.skip("needs a clone of SpeechBrain in SPEECHBRAIN_CHECKOUT")
    return folder


def test_the_lobe_lets_a_batch_into_an_utterance_and_transformers_does_not():
    found = script("reproduce_wav2vec2_batch").figures()
    # a difference of float32 sums is near 1e-6
    assert found["layer", "transformers"] < 1e-4
    # below: SpeechBrain is repaired, and the workaround can be looked at
    assert min(found["layer", way] for way in ("lobe", "output_norm")) > 1e-2


def test_the_preparer_files_two_of_eight_made_up_utterances_wrong(checkout):
    module = script("reproduce_iemocap_speaker")
    preparer = module.load(checkout / module.PREPARER)
    found = module.filed(preparer, module.MADE_UP)
    assert len(found) == len(module.MADE_UP) == 8
    wrong = {name for name, who in found.items() if who != module.speaker(name)}
    assert wrong == {"Ses03M_impro05a_F000", "Ses05M_script01_1b_F003"}


def test_each_patch_brings_a_test_and_applies(checkout):
    assert len(PATCHES) == 2
    for patch in PATCHES:
        assert "\n+++ b/" in patch.read_text("utf-8")
        assert "/test_" in patch.read_text("utf-8")
        command = ["git", "apply", "--check", str(patch)]
        subprocess.run(command, cwd=checkout, check=True)
