"""The recipe's scripts, run as a user runs them, on the embedded corpus."""

import contextlib
import importlib
import io
import json
import os
import shutil
import sys
from unittest import mock

import numpy as np
import pandas
import pytest
import soundfile
import torch
from mlkd_brain.audio import read_mono
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.noise_grid import noise_grid
from mlkd_brain.export.formats import export
from mlkd_brain.inference.loading import TrainedRun
from mlkd_brain.inference.recognizer import load_recognizer
from mlkd_brain.report import report
from mlkd_brain.report.leakage import find_problems
from places import CORPORA, RECIPE
from tiny_encoders import save_encoder
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
from workplace import NOISES, TEST_UTTERANCES, make_workplace

pytest.importorskip("parselmouth", reason="the embedded corpus needs Praat")

EMOTIONS = ["ang", "hap", "neu", "sad"]
HEADER = "system,seed,fold,ID,spk_id,noise,snr_db,emo,predicted," + ",".join(
    f"p_{emotion}" for emotion in EMOTIONS
)
SNRS = 5
ANEW = {"system": "anew"}  # in a folder that holds no run yet


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, twelve_blocks):
    return make_workplace(tmp_path_factory.mktemp("workplace"), twelve_blocks)


@pytest.fixture(scope="module")
def trained(workplace):
    """The three systems of fold 1, trained and evaluated; what was printed."""
    pytest.importorskip("ray")
    workplace.run("run_folds.py", "study", folds=1, cpus_per_run=1)
    return "".join(
        (workplace.of(system) / "console.log").read_text() for system in SYSTEMS
    )


SYSTEMS = ["teacher", "student_unsupervised", "student"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_leaves_its_files(workplace, trained, system):
    folder = workplace.of(system)
    left = {path.name for path in folder.iterdir()}
    assert left >= {
        "train_log.txt",
        "log.txt",
        "env.log",
        "hyperparams.yaml",
        "save",
        "protocol.json",
        "predictions.csv",
        "noise_grid.csv",
    }
    assert (folder / "save" / "label_encoder.txt").is_file()
    log = (folder / "train_log.txt").read_text().splitlines()
    assert len(log) == 2 and "time left" in log[0]
    terms = ["ce", "kl", "mse"] if system == "student" else ["ce"]
    assert all(f"train {term}: " in log[0] for term in terms)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_utterance_is_scored_once_in_every_condition(
    workplace, trained, system
):
    path = workplace.of(system) / "predictions.csv"
    assert path.read_text().splitlines()[0] == HEADER
    table = pandas.read_csv(path)
    conditions = 1 + len(NOISES) * SNRS
    assert len(table) == TEST_UTTERANCES * conditions
    assert not table.duplicated(["ID", "noise", "snr_db"]).any()
    assert set(table["spk_id"]) == {"Ses01F"} and set(table["fold"]) == {1}
    assert (table["noise"] == "clean").sum() == TEST_UTTERANCES
    assert table["snr_db"].isna().equals(table["noise"] == "clean")
    probabilities = table[[f"p_{emotion}" for emotion in EMOTIONS]]
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    chosen = probabilities.idxmax(axis=1).str.removeprefix("p_")
    assert chosen.equals(table["predicted"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_noise_grid_follows_from_the_predictions(
    workplace, trained, system
):
    folder = workplace.of(system)
    written = pandas.read_csv(folder / "noise_grid.csv")
    computed = noise_grid(pandas.read_csv(folder / "predictions.csv"))
    pandas.testing.assert_frame_equal(written, computed)
    assert list(written) == ["noise", "snr_db", "utterances", "ua", "wa"]


def test_evaluation_prints_the_protocol_and_the_table(trained):
    said = trained
    assert f"leave-one-speaker-out, {TEST_UTTERANCES} utterances" in said
    assert "UA" in said and "WA" in said
    assert "| UA % | 0 dB | 5 dB | 10 dB | 15 dB | 20 dB | mean |" in said
    assert all(f"| {noise} |" in said for noise in NOISES)


def test_the_report_puts_the_three_systems_side_by_side(workplace, trained):
    text = report(workplace.results)
    for system in SYSTEMS:
        assert f"\n| {system} | 1 | 1986 |" in text
    assert "g712" in text


def test_the_leakage_check_finds_nothing_in_what_the_scripts_leave(
    workplace, trained
):
    assert find_problems(workplace.results) == []
    card = json.loads((workplace.of("student") / "protocol.json").read_text())
    assert card["corpus"] == "IEMOCAP"
    speakers = card["speakers"]
    assert card["teacher_speakers"] == speakers
    for name in NOISES:
        ranges = card["noise_ranges"][name]
        assert card["noise_ranges_evaluated"][name] == ranges["test"]
        assert ranges["train"][1] <= ranges["valid"][0] < ranges["test"][0]
    assert card["best_epoch"]["epoch"] in (1, 2)


def test_the_student_costs_less_than_its_teacher(workplace, trained):
    teacher, student = (
        json.loads((workplace.of(system) / "complexity.json").read_text())
        for system in ("teacher", "student")
    )
    for fact in ("parameters", "bytes", "macs"):
        assert 0 < student[fact] < teacher[fact]
    assert student["milliseconds"] > 0 and "cores" in student["machine"]


def test_two_systems_hear_the_same_mixtures(workplace, trained, tmp_path):
    for system in ("teacher", "student"):
        workplace.run("evaluate.py", system, save_mixtures=tmp_path / system)
    names = sorted(path.name for path in (tmp_path / "teacher").iterdir())
    assert len(names) == TEST_UTTERANCES * len(NOISES) * SNRS
    for name in names:
        ours, theirs = (
            (tmp_path / system / name).read_bytes()
            for system in ("teacher", "student")
        )
        assert ours == theirs
    assert soundfile.info(tmp_path / "student" / names[0]).subtype == "PCM_16"


def test_another_folder_of_noises_goes_beside_and_is_marked_unseen(
    workplace, trained, tmp_path
):
    before = (workplace.of("student") / "predictions.csv").read_bytes()
    other = tmp_path / "kitchen"
    other.mkdir()
    hiss = np.random.default_rng(0).uniform(-0.1, 0.1, 48000)
    soundfile.write(other / "kettle.wav", hiss, 16000)
    said = workplace.run(
        "evaluate.py", "student", noise_folder=other, snrs_db="[-5, 5]"
    ).stdout
    assert "| kettle (unseen) |" in said and "-5 dB" in said
    (folder,) = workplace.of("student").glob("noise_kitchen_*_snr_-5_5")
    grid = pandas.read_csv(folder / "noise_grid.csv")
    assert grid["snr_db"].dropna().tolist() == [-5, 5]
    assert (workplace.of("student") / "predictions.csv").read_bytes() == before


def test_the_other_weighting_goes_beside_and_is_said(workplace, trained):
    before = (workplace.of("teacher") / "predictions.csv").read_bytes()
    said = workplace.run("evaluate.py", "teacher", weighting="none").stdout
    assert "SNR weighting: none" in said
    assert (workplace.of("teacher") / "predictions.csv").read_bytes() == before
    other = workplace.of("teacher") / "weighting_none" / "predictions.csv"
    tables = [pandas.read_csv(path) for path in (io.BytesIO(before), other)]
    clean = [t[t["noise"] == "clean"] for t in tables]
    pandas.testing.assert_frame_equal(*clean)
    assert not tables[0].equals(tables[1])


def test_a_runs_folder_is_enough_to_evaluate_it(workplace, trained):
    run = workplace.of("student")
    before = (run / "predictions.csv").read_bytes()
    main = importlib.import_module("evaluate").main
    environment = mock.patch.dict(os.environ, workplace.environment)
    with contextlib.chdir(RECIPE), environment:
        main([str(run)])
        assert (run / "predictions.csv").read_bytes() == before
        with pytest.raises(InputError, match="--alpha belongs to the tra"):
            main([str(run), "--alpha", "0.5"])
        with pytest.raises(InputError, match="is no folder of a run"):
            main([str(run.parent)])


def test_a_held_out_noise_is_marked_unseen(workplace, trained, tmp_path):
    options = {
        "held_out_noise": "synthetic_volvo",
        "system": "student_held_out",
        "number_of_epochs": 1,
    }
    workplace.run("train_student.py", "student", **options)
    said = workplace.run("evaluate.py", "student", **options).stdout
    assert "| synthetic_volvo (unseen) |" in said
    assert "| synthetic_babble |" in said
    card = json.loads(
        (workplace.of("student_held_out") / "protocol.json").read_text()
    )
    assert set(card["noise_heard"]) == {
        "synthetic_babble",
        "synthetic_factory1",
    }
    shutil.rmtree(workplace.results / "student_held_out")


def test_a_second_fold_tests_another_speaker_in_another_folder(
    workplace, trained
):
    first = (workplace.of("teacher") / "train_log.txt").read_bytes()
    workplace.run("train_teacher.py", "teacher", fold=2, number_of_epochs=1)
    tested = pandas.read_csv(workplace.of("teacher", 2) / "test.csv")
    assert set(tested["spk_id"]) == {"Ses01M"}
    assert (workplace.of("teacher") / "train_log.txt").read_bytes() == first


def test_the_same_seed_gives_the_same_log(workplace, trained, tmp_path):
    again = tmp_path / "results"
    workplace.run("train_teacher.py", "teacher", results_folder=again)
    logs = [
        [
            line.partition(" - ")[2]  # the time left differs
            for line in (folder / "train_log.txt").read_text().splitlines()
        ]
        for folder in (
            workplace.of("teacher"),
            again / "teacher" / "1986" / "fold_1",
        )
    ]
    assert logs[0] == logs[1] and len(logs[0]) == 2


def test_two_processes_leave_the_files_of_one(workplace, trained):
    options = {"system": "student_of_two", "number_of_epochs": 1}
    workplace.call(
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        "--nproc_per_node=2",
        "train_student.py",
        *workplace.words("student", options),
        "--distributed_backend=gloo",
    )
    workplace.run("evaluate.py", "student", **options)
    ours, theirs = (workplace.of(s) for s in ("student_of_two", "student"))
    (line,) = (ours / "train_log.txt").read_text().splitlines()
    assert "train mse: " in line and "padding: " in line
    grids = [pandas.read_csv(run / "noise_grid.csv") for run in (ours, theirs)]
    scores = ["ua", "wa"]
    pandas.testing.assert_frame_equal(*(g.drop(columns=scores) for g in grids))
    shutil.rmtree(workplace.results / "student_of_two")


def test_a_second_student_finds_the_teachers_answers(workplace, trained):
    (folder,) = (workplace.of("teacher") / "targets").glob("[!.]*")
    answers = set(folder.glob("*.safetensors"))
    heard = pandas.read_csv(workplace.of("student") / "train.csv")
    assert len(answers) == len(heard)
    before = {path: path.stat().st_mtime_ns for path in answers}
    options = {"system": "student_again", "number_of_epochs": 1}
    workplace.run("train_student.py", "student", **options)
    assert before == {path: path.stat().st_mtime_ns for path in answers}
    shutil.rmtree(workplace.results / "student_again")


# ----------------------------------------------------------------- exports


def heard_in_the_wild(folder):
    """Real speech where it is there, noise, silence, 0.1 s and 60 s."""
    random = np.random.default_rng(0)
    sounds = {
        "noise": random.uniform(-0.3, 0.3, 32000),
        "silence": np.zeros(16000),
        "short": random.uniform(-0.3, 0.3, 1600),
        "long": np.sin(np.arange(60 * 16000) ** 1.1 / 50) / 3,
    }
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, 16000, "FLOAT")
    real = sorted(CORPORA.glob("emodb/*.wav"))[::50]
    return [*sorted(folder.glob("*.wav")), *real]


@pytest.mark.parametrize(
    ("to", "tolerance"),
    [("hf", 1e-4), ("speechbrain", 1e-6), ("onnx", 1e-4), ("onnx-int8", 0.05)],
)
def test_an_exported_trained_student_answers_as_its_run(
    workplace, trained, tmp_path, to, tolerance
):
    if to.startswith("onnx"):
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    run = TrainedRun(workplace.of("student"))
    export(run.folder, to, tmp_path / to)
    answer = logits_of(tmp_path / to, to)
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for path in heard_in_the_wild(sounds):
        wav = read_mono(path)[None]
        with torch.no_grad():
            ours = run.model(wav).logits
        difference = (answer(wav) - ours).abs().max().item()
        assert difference < tolerance * ours.abs().max().item(), path.name


def logits_of(folder, to):
    """The exported model, as a function from one waveform to logits."""
    if to == "hf":
        model = AutoModelForAudioClassification.from_pretrained(folder).eval()
        extractor = AutoFeatureExtractor.from_pretrained(folder)

        def answer(wav):
            inputs = extractor(
                wav[0].numpy(), sampling_rate=16000, return_tensors="pt"
            )
            with torch.no_grad():
                return model(**inputs).logits

        return answer
    recognizer = load_recognizer(folder)

    def answer_batch(wav):
        with torch.no_grad():
            return recognizer.logits(wav, torch.tensor([wav.shape[1]]))

    return answer_batch


# -------------------------------------------------------------- bad input


def test_a_student_without_a_teacher_is_told_how_to_make_it(workplace, trained):
    said = workplace.refused("train_student.py", "student", fold=3)
    assert "python train_teacher.py hparams/teacher.yaml --fold 3" in said
    assert "teacher/1986/fold_3" in said


def test_a_teacher_that_heard_the_test_speaker_is_refused(workplace, trained):
    shutil.copytree(workplace.of("teacher", 1), workplace.of("teacher", 4))
    said = workplace.refused("train_student.py", "student", fold=4)
    shutil.rmtree(workplace.of("teacher", 4))
    assert "the student's test speaker" in said
    assert "fold_4/train.csv" in said
    assert not workplace.of("student", 4).exists()


def test_a_teacher_with_another_encoder_is_refused(
    workplace, trained, tmp_path
):
    narrow = {"num_hidden_layers": 12, "intermediate_size": 48}
    other = save_encoder("wav2vec2", tmp_path, **narrow)
    said = workplace.refused(
        "train_student.py", "student", encoder_hub=other, system="other"
    )
    assert "another encoder" in said and "--encoder_hub" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 11}, "folds go from 1 to 4"),
        ({"foldd": 3}, "hparams/teacher.yaml has no key 'foldd'"),
        ({"data_folder": "/none"}, "data_folder '/none' is not a folder"),
        ({"allow_partial": False, **ANEW}, "not the counts of IEMOCAP"),
        ({"emotions": "[ang, hap]", **ANEW}, "unknown emotion"),
        ({"encoder_hub": "/none"}, "encoder '/none' cannot be loaded"),
    ],
)
def test_a_wrong_option_gets_one_line(workplace, options, message):
    assert message in workplace.refused(
        "train_teacher.py", "teacher", **options
    )


def test_other_settings_do_not_go_on_in_the_folder_of_a_run(workplace, trained):
    said = workplace.refused(
        "train_student.py", "student", held_out_noise="synthetic_volvo"
    )
    assert "student/1986/fold_1 was trained with held_out_noise None" in said
    assert "--system" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"emotions": "[neu, ang, hap, sad]"}, "was trained with emotions"),
        (
            {"noise_shares": "{train: 0.2, valid: 0.2, test: 0.6}"},
            "was trained with noise_shares",
        ),
        ({"weighting": "a_weight"}, "weighting is 'a_weight'; expected one of"),
        ({"data_folder": "/none"}, "data_folder '/none' has not the 8 of 8"),
    ],
)
def test_an_evaluation_keeps_to_what_its_run_was_trained_with(
    workplace, trained, options, message
):
    before = (workplace.of("student") / "predictions.csv").read_bytes()
    assert message in workplace.refused("evaluate.py", "student", **options)
    assert (workplace.of("student") / "predictions.csv").read_bytes() == before


def test_other_noise_in_the_folder_does_not_go_on_in_a_trained_run(
    workplace, trained, tmp_path
):
    shutil.copytree(workplace.folder / "corpus" / "noise", tmp_path / "noise")
    hiss = np.random.default_rng(0).uniform(-0.1, 0.1, 96000)
    soundfile.write(tmp_path / "noise" / f"{NOISES[0]}.wav", hiss, 16000)
    before = (workplace.of("student") / "protocol.json").read_bytes()
    said = workplace.refused(
        "train_student.py", "student", noise_folder=tmp_path / "noise"
    )
    assert "another value of noise_heard" in said
    assert (workplace.of("student") / "protocol.json").read_bytes() == before


def test_an_untrained_system_cannot_be_evaluated(workplace, trained):
    said = workplace.refused("evaluate.py", "student", fold=2)
    assert (
        "holds no trained model; make it with `python train_student.py" in said
    )


def test_a_weight_out_of_range_gets_one_line(workplace, trained):
    said = workplace.refused("train_student.py", "student", alpha=1.5)
    assert "alpha is 1.5" in said and said.count("\n") == 1


def test_a_missing_yaml_is_named(workplace):
    said = workplace.refused("train_teacher.py", "nonsense")
    assert "nonsense.yaml: no such file" in said
