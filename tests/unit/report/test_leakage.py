"""The leakage check: a sound study passes, each violation is one line."""

import json
import shutil

import numpy as np
import pandas
import pytest
from fabricated_study import FabricatedStudy
from mlkd_brain.noise.copies import acoustic_fingerprint
from mlkd_brain.report.command import report
from mlkd_brain.report.leakage import find_problems, main
from scipy.signal import resample_poly


@pytest.fixture()
def study(tmp_path):
    return FabricatedStudy(tmp_path, folds=(1, 2), utterances=4)


def check(study, capsys):
    """Exit status of the command line and what it prints."""
    status = main([str(study.folder)])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def the_problem(study, capsys):
    """The one line that is printed after a violation."""
    status, printed = check(study, capsys)
    assert status == 1 and len(printed.splitlines()) == 1, printed
    return printed


def test_a_sound_study_passes(study, capsys):
    status, printed = check(study, capsys)
    assert status == 0 and printed.startswith("No test speaker")


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_test_speaker_in_another_part_is_found(study, capsys, part):
    study.edit_protocol(
        lambda protocol: protocol["speakers"][part].append("03"), "student"
    )
    printed = the_problem(study, capsys)
    assert f"student/1986/fold_1: speaker 03 is in its {part}" in printed


def test_predictions_of_a_training_speaker_are_found(study, capsys):
    # the protocol claims another test speaker than was scored
    for system in ("teacher", "student_unsupervised"):
        shutil.rmtree(study.folder / system)
    study.edit_predictions(lambda table: table.assign(spk_id="16"), "student")
    status, printed = check(study, capsys)
    assert status == 1
    assert "speaker 16 is in its train and its test part" in printed


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_teacher_that_learned_from_the_test_speaker_is_found(
    study, capsys, part
):
    study.edit_protocol(
        lambda protocol: protocol["teacher_speakers"][part].append("08"),
        "student",
        2,
    )
    printed = the_problem(study, capsys)
    assert "student/1986/fold_2: test speaker 08" in printed
    assert f"in the {part} part of its teacher" in printed


def test_a_validation_speaker_that_the_teacher_has_learned_from_is_found(
    study, capsys
):
    study.edit_protocol(
        lambda protocol: protocol["teacher_speakers"]["train"].append("08"),
        "student",
    )
    assert "validation speaker 08 is in the train part of its teacher" in (
        the_problem(study, capsys)
    )


def test_a_teacher_is_looked_up_where_the_protocol_does_not_name_its_speakers(
    study, capsys
):
    for system in ("student", "student_unsupervised"):
        study.edit_protocol(
            lambda protocol: protocol.pop("teacher_speakers"), system
        )
    assert check(study, capsys)[0] == 0
    shutil.rmtree(study.folder_of("teacher"))
    shutil.rmtree(study.folder_of("teacher", 2))
    status, printed = check(study, capsys)
    assert (
        status == 1
        and printed.count("does not say who trained its teacher") == 2
    )


def test_a_run_that_names_no_speakers_is_found(study, capsys):
    study.edit_protocol(lambda protocol: protocol.pop("speakers"), "teacher")
    assert "does not say who trained it" in the_problem(study, capsys)


@pytest.mark.parametrize(
    "part, used", [("train", [256000, 256001]), ("valid", [192000, 256001])]
)
def test_noise_that_was_used_in_training_is_found(study, capsys, part, used):
    study.edit_protocol(
        lambda protocol: protocol["noise_ranges"]["babble"].update(
            {part: used}
        ),
        "student",
    )
    printed = the_problem(study, capsys)
    assert "babble is tested with samples 256000 to 320000" in printed
    assert f"its {part} part uses samples {used[0]} to 256001" in printed


def test_a_recording_under_another_name_is_the_same_recording(study):
    def renamed(protocol):
        protocol["noise_heard"] = {"hum": protocol["noise_evaluated"]["babble"]}
        protocol["noise_ranges"] = {
            "hum": {"train": [0, 320000], "valid": [0, 0]}
        }

    study.edit_protocol(renamed, "student")
    (problem,) = find_problems(study.folder)
    assert problem.kind == "noise" and "babble is tested" in problem.text


def test_other_recordings_share_nothing(study):
    def other(protocol):
        protocol["noise_heard"] = {"babble": "another content"}
        protocol["noise_ranges"] = {"babble": {"train": [0, 320000]}}

    study.edit_protocol(other, "student")
    assert find_problems(study.folder) == []


def test_ranges_that_nobody_wrote_down_are_no_proof(study, capsys):
    study.edit_protocol(
        lambda protocol: protocol.pop("noise_ranges"), "student"
    )
    assert "does not say which part of babble" in the_problem(study, capsys)


@pytest.mark.parametrize("valid", [[0, 192000], [191999, 256000]])
def test_validation_noise_out_of_the_training_range_is_found(
    study, capsys, valid
):
    study.edit_protocol(
        lambda protocol: protocol["noise_ranges"]["babble"].update(valid=valid),
        "student",
    )
    printed = the_problem(study, capsys)
    assert (
        f"babble has samples {valid[0]} to {valid[1]} in its valid" in printed
    )


def sounds(**changes):
    """Checksum to acoustic fingerprint, of seeded noise; some of them copies."""
    random = np.random.default_rng(0)
    noise = {
        name: random.normal(size=160000) for name in ("babble", "factory1")
    }
    return {name: acoustic_fingerprint(x) for name, x in noise.items()} | {
        name: acoustic_fingerprint(change(noise["babble"]))
        for name, change in changes.items()
    }


def unseen(copy, fingerprints, ranges):
    """The test of a student with a recording that claims to be new."""

    def change(protocol):
        protocol["noise_heard"] = {"babble": "babble"}
        protocol["noise_evaluated"] = {"street": copy}
        protocol["noise_ranges_evaluated"] = {"street": ranges}
        parts = {"train": [0, 192000], "valid": [192000, 256000]}
        protocol["noise_ranges"] = {"babble": parts}
        protocol["noise_fingerprints"] = fingerprints

    return change


def test_a_copy_of_a_training_recording_is_not_unseen(tmp_path, capsys):
    def resampled(wave):
        return resample_poly(resample_poly(wave, 1, 2), 2, 1)

    study = FabricatedStudy(
        tmp_path, ["student"], folds=(1,), utterances=4, noises=["street"]
    )
    fingerprints = sounds(copy=resampled)
    change = unseen("copy", fingerprints, [256000, 320000])
    study.edit_protocol(change, "student")
    printed = the_problem(study, capsys)
    assert "street of the test is a copy of babble of the training" in printed
    assert "(unseen)" not in report(study.folder)
    change = unseen("factory1", fingerprints, [256000, 320000])
    study.edit_protocol(change, "student")
    assert check(study, capsys)[0] == 0
    assert "street (unseen)" in report(study.folder)


def test_the_seconds_of_a_trimmed_copy_are_those_of_the_recording(
    tmp_path, capsys
):
    study = FabricatedStudy(
        tmp_path, ["student"], folds=(1,), utterances=4, noises=["street"]
    )
    # the copy begins 2 s later: 14 s of it are 16 s of the recording, where
    # validation ends
    fingerprints = sounds(copy=lambda wave: wave[32000:])
    change = unseen("copy", fingerprints, [224000, 240000])
    study.edit_protocol(change, "student")
    assert "is a copy of babble" in the_problem(study, capsys)
    change = unseen("copy", fingerprints, [144000, 160000])
    study.edit_protocol(change, "student")
    status, printed = check(study, capsys)
    assert status == 1 and "tested with samples 144000 to 160000" in printed


def test_labels_replaced_by_predictions_are_found(study, capsys):
    study.edit_predictions(lambda t: t.assign(emo=t["predicted"]), "student")
    status, printed = check(study, capsys)
    assert status == 1
    assert "student/1986/fold_1:" in printed and "another emo than" in printed


def test_labels_replaced_in_every_file_of_a_run_are_found(study, capsys):
    for system in ("teacher", "student", "student_unsupervised"):
        for fold in (1, 2):
            folder = study.folder_of(system, fold)
            study.edit_predictions(
                lambda table: table.assign(emo=table["predicted"]), system, fold
            )
            (folder / "test.csv").unlink()
    status, printed = check(study, capsys)
    assert status == 1 and "the label changes of" in printed


def test_another_class_than_the_most_probable_is_found(study, capsys):
    study.edit_predictions(
        lambda table: table.assign(predicted=table["emo"]), "student", 2
    )
    printed = the_problem(study, capsys)
    assert "student/1986/fold_2:" in printed
    assert "are not the most probable class" in printed


def everywhere(study, change):
    for system in ("teacher", "student", "student_unsupervised"):
        for fold in (1, 2):
            study.edit_predictions(change, system, fold)


@pytest.mark.parametrize(
    "query, example",
    [
        ("noise != 'babble'", "in babble at 0 dB"),
        ("noise != 'clean'", "03_00, clean"),
        ("snr_db != 10", "in babble at 10 dB"),
    ],
)
def test_what_is_missing_everywhere_is_missing(study, capsys, query, example):
    everywhere(study, lambda table: table.query(query))
    status, printed = check(study, capsys)
    assert status == 1 and len(printed.splitlines()) == 6
    assert example in printed


def test_an_utterance_without_a_trace_is_missing(study, capsys):
    everywhere(study, lambda table: table[~table["ID"].str.endswith("_02")])
    for path in study.folder.rglob("test.csv"):
        table = pandas.read_csv(path, dtype=str)
        table[~table["ID"].str.endswith("_02")].to_csv(path, index=False)
    status, printed = check(study, capsys)
    assert status == 1 and len(printed.splitlines()) == 6
    assert "3 test utterances are there, protocol.json has 4" in printed


def test_missing_predictions_are_found(study, capsys):
    study.edit_predictions(lambda table: table.drop(index=[5, 6]), "student")
    printed = the_problem(study, capsys)
    assert "student/1986/fold_1: 2 of 28 predictions are missing" in printed
    assert "e.g. 03_01 in babble at 0 dB" in printed


def test_an_utterance_that_no_system_has_scored_is_missing(study):
    for system in ("teacher", "student", "student_unsupervised"):
        study.edit_predictions(lambda t: t[t["ID"] != "03_02"], system)
    problems = find_problems(study.folder)
    assert len(problems) == 3
    assert all("7 of 28 predictions are missing" in p.text for p in problems)


def test_doubled_predictions_are_found(study, capsys):
    study.edit_predictions(
        lambda table: pandas.concat([table, table.iloc[:1]]), "teacher"
    )
    printed = the_problem(study, capsys)
    assert "teacher/1986/fold_1: 1 of 28 predictions are doubled" in printed
    assert "e.g. 03_00, clean" in printed


def test_a_condition_that_one_system_lacks_is_missing(study, capsys):
    study.edit_predictions(lambda t: t[t["snr_db"] != 20], "student", 2)
    printed = the_problem(study, capsys)
    assert "student/1986/fold_2: 8 of 28" in printed and "at 20 dB" in printed


def test_a_fold_that_others_have_is_missing(study, capsys):
    shutil.rmtree(study.folder_of("student", 2))
    printed = the_problem(study, capsys)
    assert "student/1986/fold_2: has no predictions.csv" in printed


def test_a_trained_run_without_predictions_is_missing(study, capsys):
    study.write_run("student", 1986, 3)
    (study.folder_of("student", 3) / "predictions.csv").unlink()
    assert "fold_3: has no predictions.csv" in the_problem(study, capsys)


@pytest.mark.parametrize(
    "key, value", [("weighting", "none"), ("noise_evaluated", {"babble": "?"})]
)
def test_systems_with_other_mixtures_are_found(study, capsys, key, value):
    study.edit_protocol(
        lambda protocol: protocol.update({key: value}), "teacher"
    )
    printed = the_problem(study, capsys)
    assert f"was evaluated with another {key} than" in printed


def test_speakers_named_by_digits_stay_text(study):
    protocol = json.loads(
        (study.folder_of("teacher") / "protocol.json").read_text()
    )
    assert protocol["speakers"]["test"] == ["03"]  # and not 3
    assert find_problems(study.folder, folds=[1]) == []
