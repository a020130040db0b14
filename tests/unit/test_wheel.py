"""What `pip install .` brings: the library, the recipes, the embedded encoder."""

import os
import shutil
import subprocess
import sys

import pytest
import tomllib
from places import REPOSITORY

SOURCES = ("mlkd_brain", "recipes", "pyproject.toml", "README.md", "setup.py")
MADE = ("results", "data", "pretrained_models")  # by running a recipe
# as a user of the wheel, in a folder of their own
USE = """\
import pathlib, sys
import mlkd_brain
from mlkd_brain.__main__ import main
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.run.experiment import load_hparams

assert pathlib.Path(mlkd_brain.__file__).is_relative_to(sys.argv[1])
try:
    main(["recipes", "work"])
except SystemExit as end:
    assert not end.code, end.code
options = ["--encoder_hub", "embedded", "--precision", "fp32"]
for corpus in ("IEMOCAP", "EmoDB"):
    yaml = f"work/{corpus}/MLKD/hparams/teacher.yaml"
    _, hparams, _, _ = load_hparams([yaml, *options])
    print(corpus, sum(p.numel() for p in hparams["model"].parameters()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder into which the wheel was installed."""
    pytest.importorskip("wheel", reason="setuptools needs it for a wheel")
    folder = tmp_path_factory.mktemp("wheel")
    for name in (*SOURCES, "requirements.txt", "LICENSE", "MANIFEST.in"):
        source, target = REPOSITORY / name, folder / "tree" / name
        if source.is_dir():
            made = MADE if name == "recipes" else ()
            ignored = shutil.ignore_patterns("__pycache__", *made)
            shutil.copytree(source, target, symlinks=True, ignore=ignored)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
    pip(folder / "tree", "wheel", ".", "--no-build-isolation", "-w", "..")
    (wheel,) = folder.glob("mlkd_brain-*.whl")
    pip(folder, "install", wheel.name, "--target", "target")
    return folder / "target"


def pip(folder, *words):
    command = [sys.executable, "-m", "pip", *words, "--no-deps", "-q"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]


def test_the_wheel_holds_what_git_holds_of_library_and_recipes(installed):
    listed = subprocess.run(
        ["git", "ls-files", "mlkd_brain", "recipes"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    wanted = {
        name if name.startswith("mlkd_brain/") else f"mlkd_brain/{name}"
        for name in listed
        if "/results/" not in name
    }
    root = installed / "mlkd_brain"
    found = {
        str(path.relative_to(installed))
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(wanted) > 150 and wanted == found


def test_the_installed_library_gives_recipes_that_load(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", USE, str(installed)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]
    counts = dict(row.split() for row in done.stdout.splitlines()[-2:])
    assert counts.keys() == {"IEMOCAP", "EmoDB"}
    assert all(int(count) > 2_000_000 for count in counts.values())


def test_all_extras_are_what_the_makefile_installs():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    extras = sorted(project["project"]["optional-dependencies"])
    text = (REPOSITORY / "requirements-extra.txt").read_text()
    assert f"--editable .[{','.join(extras)}]" in text
    assert {"demo", "cluster", "onnx", "baseline", "dev"} <= set(extras)
