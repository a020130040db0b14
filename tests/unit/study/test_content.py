"""When a finished run is known again: what its content consists of."""

import shutil

import mlkd_brain.fingerprint as fingerprint_module
import pytest
from mlkd_brain.fingerprint import fingerprint_code, fingerprint_folder
from mlkd_brain.report.systems import SYSTEMS as SYSTEMS_IN_ORDER
from mlkd_brain.study.command import read_study
from mlkd_brain.study.content import BY_HAND, code_of, settings
from places import RECIPE, REPOSITORY


def as_yaml(overrides):
    """As SpeechBrain makes it from a command line."""
    return "\n".join(f"{key}: {word}" for key, word in overrides)


def test_the_baselines_differ_in_front_end_and_training_noise():
    recipe = REPOSITORY / "recipes" / "EmoDB" / "MLKD"
    file = recipe / "hparams" / "study_baseline.yml"
    runs = read_study([str(file)], recipe)[0].runs()
    made = {
        run.system: settings(recipe / run.yaml, as_yaml(run.overrides))
        for run in runs
    }
    assert len(runs) == 80 and set(made) < set(SYSTEMS_IN_ORDER)
    parts = ("enhancement", "vad", "noisy_copies")
    assert len({tuple(s.get(p, 1) for p in parts) for s in made.values()}) == 8


SCRIPT = '''"""Docstring."""
from mlkd_brain.method import losses

def train():
    """Docstring."""
    return 1  # comment
'''
YAML = "lr: 0.1\nopt: !name:torch.optim.AdamW\n    lr: !ref <lr>\n"


@pytest.mark.parametrize(
    ("file", "before", "after", "is_other"),
    [
        ("train.py", "# comment", "# another", False),
        ("train.py", '    """Docstring."""\n', "", False),
        ("train.py", "return 1", "return 2", True),
        ("x.yaml", "lr: 0.1", "lr: 0.2 # hyper-parameter", False),
        ("x.yaml", "AdamW", "SGD", True),
    ],
)
def test_code_is_what_is_executed(tmp_path, file, before, after, is_other):
    texts = {"train.py": SCRIPT, "x.yaml": YAML}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    first = code_of(tmp_path / "train.py", tmp_path / "x.yaml")
    assert before in texts[file]
    fingerprint_code.cache_clear()  # files do not change within a process
    (tmp_path / file).write_text(texts[file].replace(before, after))
    second = code_of(tmp_path / "train.py", tmp_path / "x.yaml")
    assert (first != second) == is_other


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("audio.py", True),
        ("method/losses.py", True),
        ("evaluation/noise_grid.py", True),
        ("baseline/svm.py", False),
        ("report/tables.py", False),
    ],
)
def test_the_folders_that_a_run_passes_through_count(
    tmp_path, monkeypatch, file, counts
):
    copy = tmp_path / "mlkd_brain"
    shutil.copytree(fingerprint_module.LIBRARY, copy)
    monkeypatch.setattr(fingerprint_module, "LIBRARY", copy)
    names = ("train.py", SCRIPT), ("x.yaml", YAML)
    for name, text in names:
        (tmp_path / name).write_text(text)
    codes = []
    for text in ("", "\nA_NEW_LINE = 1\n"):
        fingerprint_code.cache_clear()
        with open(copy / file, "a") as source:
            source.write(text)
        codes.append(code_of(tmp_path / "train.py", tmp_path / "x.yaml"))
    fingerprint_code.cache_clear()
    assert (codes[0] != codes[1]) == counts


def test_settings_are_what_numbers_rest_on():
    file = RECIPE / "hparams" / "student.yaml"
    before = settings(file, "results_folder: here\nnum_workers: 0")
    assert before == settings(file, "results_folder: there\nnum_workers: 2")
    assert before["alpha"] == 0.7 and "train_log" not in before
    assert settings(file, "alpha: 0.5") != before
    baseline = RECIPE / "hparams" / "vad_nmf.yaml"
    assert "vad" not in settings(baseline, "seed: 1986")
    assert settings(baseline, "vad: null")["vad"] is None


def test_an_encoder_is_known_by_its_files_not_its_place(tmp_path):
    for place, weights in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "model.safetensors").write_bytes(weights)
    first, second, third = (fingerprint_folder(tmp_path / p) for p in "abc")
    assert first == second != third
    assert (
        fingerprint_folder("facebook/wav2vec2-base") == "facebook/wav2vec2-base"
    )
    assert BY_HAND not in (first, third)
