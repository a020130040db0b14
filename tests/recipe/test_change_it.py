"""Each line of docs/change-it.md trains, and changes what is learned."""

import contextlib
import importlib
import re
import shlex

import numpy as np
import pytest
import soundfile
import torch
from places import REPOSITORY

RECIPE = REPOSITORY / "recipes" / "Manifest" / "MLKD"
PAGE = (REPOSITORY / "docs" / "change-it.md").read_text(encoding="utf-8")
RATE = 16000


def lines_of(heading):
    """Lines of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(--.*?)` \|", section, re.MULTILINE)


STUDENT, EITHER, BOTH = map(lines_of, ("The student's", "Either's", "Both's"))


def write_corpus(folder):
    """Four speakers, two labels, a noise and two rooms; a second each."""
    random = np.random.default_rng(0)
    rows = ["wav,spk_id,emo"]
    for speaker in "abcd":
        for index, label in enumerate(["joy", "joy", "rage"]):
            time = np.arange(random.integers(5000, 9000)) / RATE
            tone = np.sin(2 * np.pi * (150 + 200 * (label == "joy")) * time)
            name = f"{speaker}{index}.wav"
            soundfile.write(folder / name, 0.1 * tone, RATE)
            rows.append(f"{name},{speaker},{label}")
    (folder / "my.csv").write_text("\n".join(rows) + "\n")
    for part in ("noise", "RIRS", "SPEECH"):
        (folder / part).mkdir()
    for name in ("one", "two"):
        speech = 0.1 * np.sin(np.arange(RATE) / random.uniform(5, 20))
        soundfile.write(folder / "SPEECH" / f"{name}.wav", speech, RATE)
    hiss = random.uniform(-0.1, 0.1, 4 * RATE)
    soundfile.write(folder / "noise" / "hiss.wav", hiss, RATE)
    for name, seconds in (("hall", 0.3), ("room", 0.1)):
        time = np.arange(int(RATE * 3 * seconds)) / RATE
        response = random.normal(size=len(time)) * 10 ** (-3 * time / seconds)
        response[0] = 5.0
        soundfile.write(folder / "RIRS" / f"{name}.wav", response / 10, RATE)


class Training:
    """The scripts in this process, one epoch, on that corpus."""

    def __init__(self, folder, encoder):
        self.folder = folder
        self.options = {
            "manifest": folder / "my.csv",
            "noise_folder": folder / "noise",
            "results_folder": folder / "results",
            "encoder_hub": encoder,
            "number_of_epochs": 1,
            "batch_size": 4,
            "num_workers": 0,
            "lr": 0.001,
        }

    def run(self, kind, system, line="", **options):
        """Train; the weights of the only epoch."""
        options = {**self.options, "system": system, **options}
        words = [w for k, v in options.items() for w in (f"--{k}", str(v))]
        for name in ("RIRS", "SPEECH"):
            line = line.replace(name, str(self.folder / name))
        words += shlex.split(line)
        main = importlib.import_module(f"train_{kind}").main
        with contextlib.chdir(RECIPE):
            main([f"hparams/{kind}.yaml", *words])
        folder = self.folder_of(system)
        (checkpoint,) = (folder / "save").glob("CKPT+*/model.ckpt")
        return torch.load(checkpoint)

    def folder_of(self, system):
        return self.folder / "results" / system / "1986" / "fold_1"


@pytest.fixture(scope="module")
def training(tmp_path_factory, twelve_blocks):
    folder = tmp_path_factory.mktemp("change_it")
    write_corpus(folder)
    with pytest.MonkeyPatch.context() as patch:
        # it asks pip for all packages, at every run
        describe = "speechbrain.utils.logger.get_environment_description"
        patch.setattr(describe, lambda: "")
        yield Training(folder, twelve_blocks)


@pytest.fixture(scope="module")
def teacher(training):
    return training.run("teacher", "teacher")


@pytest.fixture(scope="module")
def student(training, teacher):
    return training.run("student", "student")


def changed(weights, others):
    assert all(value.isfinite().all() for value in weights.values())
    return weights.keys() != others.keys() or not all(
        value.shape == others[name].shape and torch.equal(value, others[name])
        for name, value in weights.items()
    )


def name_of(line):
    return re.sub(r"\W+", "_", line).strip("_")


def test_the_page_has_all_its_lines():
    assert (len(STUDENT), len(EITHER), len(BOTH)) == (9, 7, 2)


def test_the_same_command_gives_the_same_weights(training, teacher):
    """Else the next tests would show nothing."""
    assert not changed(training.run("teacher", "again"), teacher)


@pytest.mark.parametrize("line", STUDENT)
def test_a_line_of_the_students(training, student, line):
    assert changed(training.run("student", name_of(line), line), student)


@pytest.mark.parametrize("line", EITHER)
def test_a_line_of_eithers(training, teacher, line):
    assert changed(training.run("teacher", name_of(line), line), teacher)


@pytest.mark.parametrize("line", BOTH)
def test_a_line_of_boths(training, teacher, line):
    name = name_of(line)
    weights = training.run("teacher", name, line)
    assert changed(weights, teacher)
    folder = training.folder_of(name)
    own = training.run("student", f"s{name}", line, teacher_folder=folder)
    assert own.keys() < weights.keys()  # half of the blocks


def test_a_teacher_with_another_pooling_is_refused(training, teacher):
    from mlkd_brain.errors import InputError

    with pytest.raises(InputError, match="with pooling mean, not attentive"):
        training.run("student", "mixed", "--pooling attentive")


def test_a_frozen_transformer_stays_as_it_was(training, teacher):
    frozen = training.run("teacher", "frozen", "--freeze_transformer True")
    line = "--freeze_transformer True"
    again = training.run("teacher", "frozen_2", line, lr=0.01)
    moved = {n for n in frozen if not torch.equal(frozen[n], again[n])}
    assert moved == {"head.weight", "head.bias"}
