"""What may change in a run that is given again."""

import subprocess
import sys

import pytest

from mlkd_brain.errors import InputError
from mlkd_brain.names import HPARAMS
from mlkd_brain.run.protocol import refuse_other_settings

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
