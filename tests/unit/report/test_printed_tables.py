"""The printed tables follow from predictions alone."""

import json
import shutil

import pandas
import pytest
from mlkd_brain.errors import InputError
from mlkd_brain.markdown import write_into
from mlkd_brain.report import read_predictions, report
from mlkd_brain.report.command import main

EMOTIONS = ["ang", "hap", "neu", "sad"]
PROTOCOL = {
    "weighting": "g712",
    "system": "student",
    "noise_heard": {"volvo": "x"},
    "noise_evaluated": {"volvo": "x", "factory1": "y"},
}


def predictions(system, fold, hits):
    """Four utterances in three conditions, ``hits`` of them right in each."""
    rows = []
    for noise, snr in (("clean", None), ("volvo", 0), ("factory1", 0)):
        for number, emotion in enumerate(EMOTIONS):
            right = number < hits
            rows.append(
                {
                    "system": system,
                    "seed": 1986,
                    "fold": fold,
                    "ID": f"speaker{fold}_{emotion}",
                    "spk_id": f"speaker{fold}",
                    "noise": noise,
                    "snr_db": snr,
                    "emo": emotion,
                    "predicted": emotion if right else EMOTIONS[number - 1],
                }
            )
    return pandas.DataFrame(rows)


def write_run(results, system, fold, hits):
    folder = results / system / "1986" / f"fold_{fold}"
    folder.mkdir(parents=True)
    table = predictions(system, fold, hits)
    table.to_csv(folder / "predictions.csv", index=False)
    protocol = {**PROTOCOL, "system": system}
    if system == "teacher":
        protocol.pop("noise_heard")
    (folder / "protocol.json").write_text(json.dumps(protocol))
    return folder


@pytest.fixture()
def results(tmp_path):
    write_run(tmp_path, "teacher", 1, hits=4)
    write_run(tmp_path, "student", 1, hits=3)
    write_run(tmp_path, "student", 2, hits=1)
    return tmp_path


def test_ua_is_the_mean_over_runs_with_its_spread_over_runs(results):
    # folds 75 and 25
    text = report(results)
    assert "| 50.0 ± 35.4 | 50.0 ± 35.4 |" in text
    assert "mean over runs (folds and seeds) ± their standard" in text


def test_the_mean_stands_with_its_own_spread_and_not_the_pooled_number(results):
    # fold 1 has 3 angry utterances, all right, fold 2 one, wrong: recall of ang
    # is 3/4 pooled, 1/2 as the mean of folds
    for fold, wanted, right in ((1, 3, True), (2, 1, False)):
        path = results / f"student/1986/fold_{fold}/predictions.csv"
        table = pandas.read_csv(path).query("emo == 'ang'")
        table = pandas.concat([table.assign(ID=k) for k in range(wanted)])
        predicted = table["emo"] if right else "sad"
        table.assign(predicted=predicted).to_csv(path, index=False)
    assert "| student | 1–2 | 1986 | 50.0 ± 70.7 |" in report(results)


def test_a_row_has_the_folds_and_seeds_of_its_system(results):
    text = report(results)
    assert "| teacher | 1 | 1986 | 100.0 | 100.0 |" in text
    assert "| student | 1–2 | 1986 | 50.0" in text
    assert "8 utterances of 2 speakers" in text
    assert text.index("| teacher") < text.index("| student")


def test_some_folds_alone(results):
    text = report(results, folds=[2])
    assert "| student | 2 | 1986 | 25.0 | 25.0 |" in text
    assert "teacher" not in text.split("- SNR")[0]


def test_an_unseen_noise_is_marked_for_the_student_alone(results):
    student = report(results).split("**student, UA by noise**")[1]
    assert "| factory1 (unseen) |" in student and "| volvo |" in student
    teacher = report(results).split("**teacher, UA by noise**")[1]
    assert "(unseen)" not in teacher.split("**student")[0]


def test_recordings_are_told_apart_by_content_and_not_by_name(results):
    for fold in (1, 2):
        path = results / "student" / "1986" / f"fold_{fold}" / "protocol.json"
        protocol = json.loads(path.read_text())
        protocol["noise_evaluated"] = {"volvo": "another", "factory1": "x"}
        path.write_text(json.dumps(protocol))
    student = report(results).split("**student, UA by noise**")[1]
    assert "| volvo (unseen) |" in student and "| factory1 |" in student


def test_the_titles_name_unseen_noises_and_wa_stands_beside_ua(results):
    text = report(results, brief=True)
    assert "**UA, 2 noises (factory1 unseen by student)**" in text
    assert (
        "**WA, 2 noises" in text and "| WA % | folds | seeds | 0 dB |" in text
    )
    assert "**UA, factory1 (factory1 unseen by student)**" in text
    assert "by noise" not in text


def test_systems_with_other_snrs_and_noises_share_a_report(results):
    folder = write_run(results, "student_other", 1, hits=4)
    table = pandas.read_csv(folder / "predictions.csv")
    table["snr_db"] = table["snr_db"].replace(0, -5)
    table["noise"] = table["noise"].replace("factory1", "kettle")
    table.to_csv(folder / "predictions.csv", index=False)
    text = report(results)
    assert "**UA, 1 noise**" in text
    assert "| UA % | folds | seeds | -5 dB | 0 dB | clean |" in text
    assert "| student_other | 1 | 1986 | 100.0 | – | 100.0 |" in text


def test_table_2_has_a_true_mean(results):
    shutil.rmtree(results / "student")
    folder = write_run(results, "student", 1, hits=3)
    table = pandas.read_csv(folder / "predictions.csv")
    factory = table["noise"] == "factory1"
    table.loc[factory, "predicted"] = "ang"
    table.to_csv(folder / "predictions.csv", index=False)
    student = report(results).split("**student, UA by noise**")[1]
    assert "| volvo | 75.0 | 75.0 |" in student
    assert "| factory1 (unseen) | 25.0 | 25.0 |" in student
    assert "| mean | 50.0 | 50.0 |" in student


def test_another_evaluation_has_its_own_report(results):
    folder = results / "student" / "1986" / "fold_1" / "weighting_none"
    folder.mkdir()
    predictions("student", 1, 0).to_csv(folder / "predictions.csv", index=False)
    protocol = {**PROTOCOL, "weighting": "none"}
    (folder / "protocol.json").write_text(json.dumps(protocol))
    text = report(results, "weighting_none")
    assert (
        "SNR weighting: none" in text and "| student | 1 | 1986 | 0.0 |" in text
    )
    assert "SNR weighting: g712" in report(results)


def test_missing_predictions_are_refused(tmp_path):
    with pytest.raises(InputError, match="run evaluate.py first"):
        read_predictions(tmp_path)


def test_the_table_replaces_what_stands_between_its_markers(results, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n")
    main([str(results), "--into", str(page), "--marker", "x"])
    once = page.read_text()
    assert "\nold\n" not in once and "| student" in once
    assert once.startswith("a\n") and once.endswith("<!-- end x -->\nb\n")
    main([str(results), "--into", str(page), "--marker", "x"])
    assert page.read_text() == once
    with pytest.raises(InputError, match="begin y"):
        write_into(page, "y", "text")
