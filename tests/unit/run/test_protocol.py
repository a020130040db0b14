"""What may change in a run that is given again."""

import subprocess
import sys

import pytest
from hyperpyyaml import resolve_references
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.noise_grid import NoiseGrid
from mlkd_brain.names import HPARAMS
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.run import protocol as protocol_module
from mlkd_brain.run.command_line import read_command_line
from mlkd_brain.run.protocol import refuse_other_settings
from mlkd_brain.study.content import settings
from places import RECIPE

YAML = """\
lr: 0.1
batch_size: 4
num_workers: 0
loader:
    batch_size: !ref <batch_size>
    num_workers: !ref <num_workers>
"""


@pytest.fixture
def run(tmp_path):
    """A yaml, and the folder of a run that has learned with it."""
    (tmp_path / "save" / "CKPT+1").mkdir(parents=True)
    (tmp_path / "some.yaml").write_text(YAML)
    resolved = YAML.replace("!ref <batch_size>", "4")
    resolved = resolved.replace("!ref <num_workers>", "0")
    (tmp_path / HPARAMS).write_text(resolved)
    return tmp_path / "some.yaml", tmp_path


@pytest.mark.parametrize("overrides", ["", "num_workers: 2", "lr: 0.1"])
def test_what_changes_nothing_that_is_learned_may_change(run, overrides):
    yaml, folder = run
    refuse_other_settings(yaml, overrides, folder)


@pytest.mark.parametrize("overrides", ["lr: 0.2", "batch_size: 8"])
def test_other_settings_are_named(run, overrides):
    yaml, folder = run
    key, value = overrides.split(": ")
    with pytest.raises(InputError, match=f"with {key} .*, not {value}"):
        refuse_other_settings(yaml, overrides, folder)


@pytest.mark.parametrize("yaml", ["teacher", "student", "student_balanced"])
def test_a_run_may_get_more_epochs(yaml, tmp_path):
    file = RECIPE / "hparams" / f"{yaml}.yaml"
    (tmp_path / "save" / "CKPT+1").mkdir(parents=True)
    with open(file) as stream:
        (tmp_path / HPARAMS).write_text(resolve_references(stream).read())
    refuse_other_settings(file, "number_of_epochs: 300", tmp_path)
    with pytest.raises(InputError, match="with time_masks 0, not 1"):
        refuse_other_settings(file, "time_masks: 1", tmp_path)


OPTIONS = {
    "precision": "bf16",
    "grad_accumulation_factor": "4",
    "max_grad_norm": "1.0",
}


@pytest.mark.parametrize("key", OPTIONS)
@pytest.mark.parametrize("yaml", ["teacher", "student", "student_unsupervised"])
def test_speechbrains_options_belong_to_a_runs_settings(yaml, key, tmp_path):
    file = str(RECIPE / "hparams" / f"{yaml}.yaml")
    given = read_command_line([file, f"--{key}", OPTIONS[key]])
    plain = read_command_line([file])
    # of a study's run: with another option it is another run
    before, now = (settings(file, x.overrides) for x in (plain, given))
    assert {k for k in now if now[k] != before.get(k)} == {key}
    # of a single run: it is not resumed with another option
    with open(file) as stream:
        resolved = resolve_references(stream, plain.overrides)
    (tmp_path / HPARAMS).write_text(resolved.getvalue())
    (tmp_path / "save" / "CKPT+1").mkdir(parents=True)
    refuse_other_settings(file, plain.overrides, tmp_path)
    with pytest.raises(InputError, match=f"with {key} .*, not"):
        refuse_other_settings(file, given.overrides, tmp_path)


def test_a_protocol_has_what_decides_on_the_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(protocol_module, "_parts", lambda run: {})
    monkeypatch.setenv("WORLD_SIZE", "2")
    bank = NoiseBank(tmp_path / "nowhere", tmp_path / "cache")
    grid = NoiseGrid(bank, [0], "none", ["ang"])
    hparams = {"system": "teacher", "seed": 1, "fold": 1}
    hparams |= {
        "output_folder": tmp_path,
        "emotions": ["ang"],
        "noise_per": "utterance",
        **OPTIONS,
    }
    protocol_module.write_protocol(hparams, grid, "cuda:1")
    written = protocol_module.read_protocol(tmp_path)
    expected = {**OPTIONS, "device": "cuda", "processes": 2}
    expected["epochs_that_tie"] = "lowest loss"
    expected["noise_per"] = "utterance"
    assert expected.items() <= written.items()
    (tmp_path / "save" / "CKPT+1").mkdir(parents=True)
    with pytest.raises(InputError, match="another value of device"):
        protocol_module.write_protocol(hparams, grid, "cpu")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(InputError, match="another value of processes"):
        protocol_module.write_protocol(hparams, grid, "cuda:0")


def test_workers_that_persist_are_refused():
    file = str(RECIPE / "hparams" / "student.yaml")
    words = ["--train_dataloader_opts", "{persistent_workers: True}"]
    with pytest.raises(InputError, match="the noise of the first epoch"):
        read_command_line([file, *words])


def test_settings_that_nothing_was_learned_with_bind_nobody(run):
    yaml, folder = run
    (folder / "save" / "CKPT+1").rmdir()
    refuse_other_settings(yaml, "lr: 0.2", folder)


@pytest.mark.parametrize("content", ["", "a: [", "- 1\n", "\0"])
def test_damaged_settings_are_named(run, content):
    yaml, folder = run
    (folder / HPARAMS).write_text(content)
    with pytest.raises(InputError, match=f"{HPARAMS}: cannot be read"):
        refuse_other_settings(yaml, "", folder)


def test_reading_protocols_and_manifests_imports_no_torch():
    modules = "run.protocol, mlkd_brain.data.manifests, mlkd_brain.names"
    code = (
        f"import mlkd_brain.{modules}, sys; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
