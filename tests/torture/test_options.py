"""Options as they come: used, or refused in one line that leaves nothing."""

import os

import pytest
import torch
import yaml
from hyperpyyaml import resolve_references
from mlkd_brain.errors import InputError
from mlkd_brain.run.command_line import read_command_line
from mlkd_brain.run.experiment import load_hparams
from mlkd_brain.run.options import OPTIONS
from mlkd_brain.run.plain_yaml import plain_values
from mlkd_brain.study.command import read_study
from places import REPOSITORY

REFUSED, USED = "one line that names the option", "used"
RECIPES = REPOSITORY / "recipes"
#: yaml, option and words that cannot be used.
WRONG = {
    "student": {
        "seed": ["-1", "1.5", "seven", "null", "4294967296"],
        "data_folder": ["", " "],
        "noise_folder": [""],
        "results_folder": [""],
        "system": ["", "a/b", "/a", "search/../b", "..", ".hidden", "x" * 101],
        "fold": ["0", "-1", "1.0", "one", "[1]", "null", "True"],
        "fold_groups": ["2", "0", "five"],
        "emotions": ["[ang]", "[ang, ang]", "ang", "[]", "[1, 2]", "null", "3"],
        "validates_on": ["last", "null", ""],
        "skip_prep": ["yes", "1", "null"],
        "allow_partial": ["maybe", "0"],
        "num_workers": ["-1", "many", "0.5"],
        "noise_types": ["babble", "[]", "[1]", "[a, a]", "{a: b}"],
        "held_out_noise": ["\n"],
        "snrs_db": ["[]", "5", "[a]", "[.nan]", "[.inf]", "[0, 0]", "[1000]"],
        "weighting": ["a_weight", "null", ""],
        "noise_shares": ["{train: 1}", "[0.6, 0.2, 0.2]", "0.6"],
        "number_of_epochs": ["0", "-3", "2.5", "ten"],
        "batch_size": ["0", "-1", "8.0", "eight", "null", "[8]"],
        "bucket_jitter": ["-0.1", "some", ".nan"],
        "lr": ["0", "-1e-4", "fast", ".inf", "null"],
        "lr_warmup": ["1", "-0.1", "2", "long"],
        "weight_decay": ["-1", "none"],
        "precision": ["fp8", "fp16", "32"],
        "grad_accumulation_factor": ["0", "-2", "1.5"],
        "max_grad_norm": ["-1", "big"],
        "train_dataloader_opts": [
            "{persistent_workers: True, num_workers: 2}",
            "{num_workers: -1}",
            "7",
        ],
        "encoder_hub": ["", "null\n"],
        "freeze_feature_extractor": ["1", "no"],
        "teacher_layers": ["[2, 2]", "[2.0]", "[0]", "[]", "2", "[two]"],
        "initialisation": ["zeros", "null"],
        "temperature": ["0", "-7", "warm", ".nan"],
        "times_squared_temperature": ["2", "yes"],
        "alpha": ["1.5", "-0.1", "x", "null", "[0.7]"],
        "feature_weight": ["-1", "heavy"],
        "over_pairs": ["max"],
        "distance": ["l2"],
        "balance_batches": ["-1", "all"],
        "teacher_cache": ["ram", "null"],
        "teacher_cache_dtype": ["int8"],
        "model": ["3", "null"],
        "objective": ["mse"],
        "device": ["gpu", "cuda:x", "", "7"],
        "distributed_backend": ["tcp"],
        "eval_precision": ["fp16"],
        "optimizer_step_limit": ["many", "0"],
        "nonfinite_patience": ["-1", "x"],
        "debug_batches": ["0"],
    },
    "vad_nmf": {
        "noisy_copies": ["-1", "1.5", "three"],
        "noise_knowledge": ["all"],
        "vad_detector": ["best"],
        "vad": ["off", "3"],
        "order": ["vad"],
        "features": ["MFCC"],
        "descriptor_hop": ["0", "10.5"],
        "kernel": ["poly"],
        "C": ["[]", "[0]", "0.1", "[-1]", "[a]"],
    },
}
CASES = [
    (file, key, word)
    for file, keys in WRONG.items()
    for key, words in keys.items()
    for word in words
]
#: Words that look wrong and are right.
RIGHT = [
    ("system", "1e3", "1e3"),
    ("system", "search/1_fold_1/alpha_0.3", "search/1_fold_1/alpha_0.3"),
    ("system", "null", "null"),
    ("held_out_noise", "1.wav", "1.wav"),
    ("held_out_noise", "null", None),
    ("data_folder", "/a=b: c #d", "/a=b: c #d"),
    ("data_folder", "~/[x], {y}", "~/[x], {y}"),
    ("noise_types", "null", None),
    ("noise_types", '["007", "no"]', ["007", "no"]),
    ("lr", "1e-4", 1e-4),
    ("temperature", "7", 7),
    ("snrs_db", "[-5, 0.5]", [-5, 0.5]),
    ("fold_groups", "null", None),
    ("bucket_jitter", "null", None),
]


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A folder with the yaml files alone, and nothing else."""
    (tmp_path / "hparams").symlink_to(RECIPES / "IEMOCAP/MLKD/hparams")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(function, *words):
    with pytest.raises(InputError) as found:
        function(list(words))
    message = str(found.value)
    assert "\n" not in message and len(message) < 700
    assert os.listdir() == ["hparams"]
    return message


@pytest.mark.parametrize(("file", "key", "word"), CASES)
def test_a_wrong_value_is_refused(tally, recipe, file, key, word):
    message = refused(
        read_command_line, f"hparams/{file}.yaml", f"--{key}={word}"
    )
    assert key in message
    tally.count("options", "values of options", REFUSED)


def test_there_are_more_than_a_hundred_of_them():
    assert len(CASES) > 130


@pytest.mark.parametrize(("key", "word", "value"), RIGHT)
def test_text_stays_text_and_numbers_numbers(tally, recipe, key, word, value):
    line = read_command_line(["hparams/student.yaml", f"--{key}", word])
    assert plain_values(line.overrides) == {key: value}
    tally.count("options", "values of options", USED)


@pytest.mark.parametrize(
    "words",
    [
        ["--alfa", "0.5"],
        ["--noprogresbar"],
        ["--alpha"],
        ["--snrs_db", "[1, 2"],
        ["--lr", "{"],
        ["--dev", "cpu"],
        ["extra.yaml"],
        ["--alpha", "0.5", "stray"],
        ["--noprogressbar", "True"],
        ["--fold", "--seed", "3"],
    ],
)
def test_a_wrong_word_is_refused(tally, recipe, words):
    message = refused(read_command_line, "hparams/student.yaml", *words)
    assert words[0].strip("-")[:4] in message or words[-1] in message
    tally.count("options", "mistyped options", REFUSED)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("alfa", "alpha"), ("qqq", ""), ("devise", "device")],
)
def test_the_nearest_option_is_named(recipe, typed, meant):
    message = refused(
        read_command_line, "hparams/student.yaml", f"--{typed}", "1"
    )
    assert f"has no key '{typed}'" in message
    assert ("Did you mean" in message) == bool(meant)
    assert f"'{meant}'?" in message or not meant


def test_the_last_of_an_option_given_twice_counts(tally, recipe):
    words = ["--alpha", "0.1", "--device=cpu", "--alpha=0.2", "--alpha", "0.3"]
    line = read_command_line(["hparams/student.yaml", *words])
    assert plain_values(line.overrides) == {"alpha": 0.3}
    tally.count("options", "given twice", "the last counts")


@pytest.mark.parametrize("file", ["teacher", "student", "vad_nmf"])
@pytest.mark.parametrize("device", ["cuda:99", "cuda"])
def test_a_device_that_is_not_there_is_refused(tally, recipe, file, device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    words = f"hparams/{file}.yaml", "--device", device
    assert f"device is '{device}'" in refused(load_hparams, *words)
    tally.count("options", "devices that are not there", REFUSED)


@pytest.mark.parametrize(
    "content",
    ["", "a: [", "- 1\n- 2\n", "just text", "a: !ref <b>\n", b"\xff\xfe\x00"],
)
def test_a_yaml_that_is_none_is_refused(tally, recipe, content):
    (recipe / "hparams").unlink()
    (recipe / "hparams").mkdir()
    path = recipe / "hparams" / "x.yaml"
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    assert "x.yaml" in refused(read_command_line, "hparams/x.yaml")
    tally.count("options", "damaged yaml files", "one line that names the file")


STUDY = {
    "folds": ["3-1", "0", "a", "1-", "1,,2", "-1"],
    "seeds": ["-5", "x", "1.5"],
    "systems": ["", "nobody", "teacher,teacher"],
    "cpus_per_run": ["0", "two"],
    "gpus_per_run": ["-1", "half"],
    "retries": ["-1", "0.5"],
    "changed": ["maybe"],
    "results_folder": [""],
    "retriess": ["2"],
}


@pytest.mark.parametrize(
    ("key", "word"), [(k, w) for k, words in STUDY.items() for w in words]
)
def test_a_study_refuses_what_it_cannot_run(tally, recipe, key, word):
    for script in ("train_teacher.py", "train_student.py", "train_baseline.py"):
        (recipe / script).symlink_to(RECIPES / "IEMOCAP/MLKD" / script)
    with pytest.raises(InputError) as found:
        read_study(["hparams/study.yml", f"--{key}={word}"])
    message = str(found.value)
    assert "\n" not in message
    assert key in message or word in message
    tally.count("options", "values of a study", REFUSED)


def test_every_key_of_every_yaml_has_a_schema_that_its_default_fits():
    seen = set()
    for path in RECIPES.glob("*/*/hparams/*.yaml"):
        if path.stem.startswith("corpus") or path.is_symlink():
            continue
        for key, value in yaml.compose(path.read_text()).value:
            plain = value.tag.startswith("tag:yaml.org")
            mapping = isinstance(value, yaml.MappingNode)
            if plain and not mapping:
                assert key.value in OPTIONS.properties, (path, key.value)
                seen.add(key.value)
        resolved = resolve_references(path.read_text(), {"data_folder": "x"})
        OPTIONS.check(plain_values(resolved), "{key}")
    assert len(seen) > 70
