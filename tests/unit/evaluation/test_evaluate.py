"""Where an evaluation is stored depends on its conditions alone."""

import itertools
import json

import numpy as np
import pytest
import soundfile
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.evaluate import _folder_with_protocol
from mlkd_brain.evaluation.noise_grid import NoiseGrid
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.run import protocol as protocol_module

SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
OWN = {"weighting": "g712", "snrs_db": [0, 5]}
OTHERS = {
    "weighting_none": {"weighting": "none"},
    "snr_-5": {"snrs_db": [-5]},
    "noise_kitchen_": {"noise": "kitchen"},
    ".": {},
}
ORDERS = list(itertools.permutations(OTHERS))[::4]  # each comes first


@pytest.fixture
def noises(tmp_path):
    """Two folders of noise whose recordings have one name."""
    for seed, name in enumerate(("own", "kitchen")):
        (tmp_path / name).mkdir()
        hiss = np.random.default_rng(seed).uniform(-0.1, 0.1, 32000)
        soundfile.write(tmp_path / name / "hiss.wav", hiss, 16000)
    return tmp_path


@pytest.fixture
def train(noises, monkeypatch):
    """Write the protocol of a teacher, which learns without noise."""
    monkeypatch.setattr(protocol_module, "_parts", lambda run: {})

    def write(name, noise="own", folder="run"):
        run = noises / name / folder
        run.mkdir(parents=True, exist_ok=True)
        hparams = {"system": "teacher", "seed": 1, "fold": 1}
        hparams |= {"emotions": ["ang"], "output_folder": run}
        grid = NoiseGrid(bank(noises, noise), **OWN, emotions=["ang"])
        protocol_module.write_protocol(hparams, grid)
        return run

    return write


def bank(noises, name):
    return NoiseBank(noises / name, noises / "cache", shares=SHARES)


def place(noises, run, noise="own", **conditions):
    """Name of the folder of an evaluation, below that of the run."""
    conditions = {**OWN, **conditions}
    grid = NoiseGrid(bank(noises, noise), **conditions, emotions=["ang"])
    grid.bank.prepare()
    folder = _folder_with_protocol(run, grid, {"epoch": 1}, "train")
    return str(folder.relative_to(run))


def test_the_order_of_evaluations_changes_nothing(noises, train):
    found = []
    for number, order in enumerate(ORDERS):
        run = train(f"results_{number}")
        found.append({n: place(noises, run, **OTHERS[n]) for n in order})
    assert len(found) == 6
    assert all(places == found[0] for places in found)
    for name, folder in found[0].items():
        assert folder.startswith(name) and (folder == ".") == (name == ".")


def test_training_a_finished_run_again_keeps_what_was_evaluated(noises, train):
    run = train("results")
    place(noises, run)
    before = json.loads((run / "protocol.json").read_text())
    (run / "save" / "CKPT+1").mkdir(parents=True)
    train("results")
    assert json.loads((run / "protocol.json").read_text()) == before
    assert "noise_ranges_evaluated" in before
    with pytest.raises(InputError, match="another value of noise_evaluated"):
        train("results", noise="kitchen")


def test_a_teacher_without_noise_gets_it_later_by_its_training(noises, train):
    run = train("results", noise="nowhere")
    with pytest.raises(InputError, match="`train --noise_folder DIR`"):
        place(noises, run, noise="kitchen")
    (run / "save" / "CKPT+1").mkdir(parents=True)
    train("results", noise="own")
    assert place(noises, run, noise="kitchen").startswith("noise_kitchen_")
    assert place(noises, run) == "."
