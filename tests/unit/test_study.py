"""What a study runs, in which order, and what it knows again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import mlkd_brain.fingerprint as fingerprint_module
from conftest import RECIPE, REPOSITORY
from mlkd_brain.errors import InputError
from mlkd_brain.fingerprint import fingerprint_code, fingerprint_folder
from mlkd_brain.report.tables import SYSTEMS as SYSTEMS_IN_ORDER
from mlkd_brain.study.content import (
    BY_HAND,
    code_of,
    settings,
)
from mlkd_brain.study.definition import Study, as_word, choice_path
from mlkd_brain.study.options import read_study

STUDY = str(RECIPE / "hparams" / "study.yaml")
SYSTEMS = ["teacher", "student_unsupervised", "student", "student_from_teacher"]


def study_of(*words, recipe=RECIPE):
    return read_study([STUDY, *words], recipe)[0]


SETTINGS = study_of().settings


@pytest.mark.parametrize("corpus", ["IEMOCAP", "EmoDB"])
def test_every_recipe_has_a_study_of_ten_folds(corpus):
    recipe = REPOSITORY / "recipes" / corpus / "MLKD"
    study, _ = read_study([str(recipe / "hparams" / "study.yaml")], recipe)
    runs = study.runs()
    assert len(runs) == 30 and {run.fold for run in runs} == set(range(1, 11))
    assert len(set(study.settings["definitions"])) >= 5
    for name in study.settings["definitions"]:
        study.check(name)


@given(
    st.sets(st.sampled_from(SYSTEMS), min_size=1),
    st.lists(st.integers(1, 10), min_size=1, max_size=4),
    st.sets(st.integers(1986, 1990), min_size=1, max_size=2),
)
def test_what_a_run_needs_comes_once_and_before_it(systems, folds, seeds):
    asked = {"systems": list(systems), "folds": folds, "seeds": list(seeds)}
    study = Study({**SETTINGS, **asked}, RECIPE)
    runs = study.runs()
    assert len({run.folder for run in runs}) == len(runs)
    for place, run in enumerate(runs):
        assert run.depends_on is None or run.depends_on in runs[:place]
    asked = [run for run in runs if run.system in systems]
    assert len(asked) == len(systems) * len(set(folds)) * len(seeds)


def test_options_go_to_every_script_and_a_system_has_the_last_word():
    study = study_of(
        *("--folds", "2-3,7", "--systems", "student_from_teacher"),
        *("--lr", "4e-4", "--initialisation=pretrained"),
    )
    teacher, student = study.runs()[:2]
    assert [run.fold for run in study.runs()] == [2, 2, 3, 3, 7, 7]
    assert dict(teacher.overrides)["lr"] == "4e-4"
    assert dict(student.overrides)["initialisation"] == "teacher"
    assert student.depends_on == teacher
    assert student.options[0] == "hparams/student_unsupervised.yaml"
    assert "results/teacher/1986/fold_2" in student.options


def test_an_option_goes_to_the_systems_that_have_it():
    study = study_of(
        *("--folds", "1", "--systems", "teacher,vad_nmf"),
        *("--number_of_epochs", "5", "--kernel", "rbf", "--foldd", "3"),
    )
    teacher, baseline = (dict(run.overrides) for run in study.runs())
    assert teacher["number_of_epochs"] == "5" and "kernel" not in teacher
    assert baseline["kernel"] == "rbf" and "number_of_epochs" not in baseline
    # a mistake is left for the scripts to say
    assert teacher["foldd"] == baseline["foldd"] == "3"


def as_yaml(overrides):
    """As SpeechBrain makes it from a command line."""
    return "\n".join(f"{key}: {word}" for key, word in overrides)


def test_the_baselines_differ_in_front_end_and_training_noise():
    recipe = REPOSITORY / "recipes" / "EmoDB" / "MLKD"
    file = recipe / "hparams" / "study_baseline.yaml"
    runs = read_study([str(file)], recipe)[0].runs()
    made = {
        run.system: settings(recipe / run.yaml, as_yaml(run.overrides))
        for run in runs
    }
    assert len(runs) == 80 and set(made) < set(SYSTEMS_IN_ORDER)
    parts = ("enhancement", "vad", "noisy_copies")
    assert len({tuple(s.get(p, 1) for p in parts) for s in made.values()}) == 8


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(0.001, 1e6),
        st.lists(st.sampled_from(["babble", "f16"])),
    )
)
def test_a_value_survives_the_command_line(value):
    assert yaml.safe_load(as_word(value)) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--systems", "nonsense"], "Unknown system 'nonsense', expected one"),
        (["--lr"], "'--lr' is no option with a value"),
        (["--systems", "student_searched"], "python search_objective.py"),
    ],
)
def test_a_wrong_option_of_a_study_gets_one_line(words, message):
    with pytest.raises(InputError, match=message):
        study_of(*words).runs()


def test_a_study_outside_its_recipe_says_where_to_go(tmp_path):
    with pytest.raises(InputError, match="run from the recipe's folder"):
        study_of(recipe=tmp_path)
    with pytest.raises(InputError, match="nothing.yaml: no such file"):
        read_study(["nothing.yaml"])


def test_a_searched_system_takes_what_its_fold_chose(tmp_path):
    study = study_of("--systems", "student_searched", "--folds", "2")
    study.results = tmp_path
    path = choice_path(tmp_path, 1986, 2)
    path.parent.mkdir()
    chosen = {"temperature": 5, "alpha": 0.3}
    path.write_text(json.dumps({"chosen": chosen}))
    overrides = dict(study.runs()[-1].overrides)
    assert (overrides["temperature"], overrides["alpha"]) == ("5", "0.3")


# ---------------------------------------------------------------- content


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


# ----------------------------------------------------------------- scripts


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help")
def test_a_script_ends_when_its_worker_is_killed(tmp_path):
    (tmp_path / "sleep.py").write_text("import time; time.sleep(60)")
    worker = f"""
import pathlib, time
from mlkd_brain.study.definition import Run
from mlkd_brain.study.task import start
folder = pathlib.Path({str(tmp_path)!r})
run = Run("s", 1, 1, "sleep.py", "", (), folder)
job = {{"run": run, "recipe": folder, "environment": {{}}}}
print(start(["sleep.py"], job).pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", worker], stdout=subprocess.PIPE, text=True
    ) as process:
        script = int(process.stdout.readline())
        os.kill(script, 0)  # it is there
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while is_alive(script) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(script)


def is_alive(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
