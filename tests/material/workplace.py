"""Where the recipe's scripts are run in tests, as a user runs them."""

import contextlib
import importlib
import io
import os
import subprocess
import sys
from unittest import mock

import pytest
from mlkd_brain.errors import cli_errors
from places import RECIPE

NOISES = [f"synthetic_{n}" for n in ("babble", "factory1", "volvo")]
TEST_UTTERANCES = 8


class Workplace:
    """A corpus, an encoder and a results folder, and how to run a script."""

    def __init__(self, folder, encoder):
        self.folder, self.results = folder, folder / "results"
        self.environment = {
            "PYTHON": sys.executable,
            "IEMOCAP_ROOT": str(folder / "corpus" / "IEMOCAP"),
            "NOISEX92_ROOT": str(folder / "corpus" / "noise"),
            "OMP_NUM_THREADS": "1",
        }
        self.options = {
            "encoder_hub": encoder,
            "results_folder": self.results,
            "noise_types": "[" + ", ".join(NOISES) + "]",
            "number_of_epochs": 2,
            "allow_partial": True,
            "num_workers": 0,
            "lr": 0.001,
        }

    def words(self, yaml, options):
        """A script's command line."""
        pairs = {**self.options, **options}.items()
        words = [w for key, value in pairs for w in (f"--{key}", str(value))]
        suffix = "yml" if yaml == "study" else "yaml"
        return [f"hparams/{yaml}.{suffix}", *words]

    def run(self, script, yaml, /, **options):
        return self.call(sys.executable, script, *self.words(yaml, options))

    def call(self, *command):
        done = subprocess.run(
            command,
            cwd=RECIPE,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-800:]
        return done

    def refused(self, script, yaml, /, **options):
        """What a script says of bad input; in this process, for speed."""
        main = importlib.import_module(script.removesuffix(".py")).main
        said = io.StringIO()
        here, there = contextlib.chdir(RECIPE), self.environment
        speaking = contextlib.redirect_stderr(said)
        stopping = pytest.raises(SystemExit)
        with here, mock.patch.dict(os.environ, there), speaking:
            with stopping as stopped, cli_errors():
                main(self.words(yaml, options))
        assert stopped.value.code == 2
        return said.getvalue()[said.getvalue().index("error: ") :]

    def of(self, system, fold=1):
        return self.results / system / "1986" / f"fold_{fold}"


def make_workplace(folder, encoder):
    """A workplace with a corpus of four speakers, which Praat speaks."""
    pytest.importorskip("parselmouth", reason="the embedded corpus needs Praat")
    from synthesise_corpus import synthesise

    synthesise(
        folder / "corpus",
        utterances=TEST_UTTERANCES,
        speakers=4,
        seed=3,
        noise_seconds=6,
    )
    return Workplace(folder, encoder)
