"""A whole report: what it says, in which files, and from what."""

import re
import shutil

import numpy as np
import pandas
import pytest
from fabricated_study import FabricatedStudy
from mlkd_brain.errors import InputError
from mlkd_brain.report.command import (
    main,
    report as printed,
)
from mlkd_brain.report.comparisons import (
    all_tests,
    crossings_frame,
    pairs_frame,
)
from mlkd_brain.report.costs import costs_frame
from mlkd_brain.report.figures import confusion, training
from mlkd_brain.report.formatting import to_csv
from mlkd_brain.report.pages import sections
from mlkd_brain.report.paper import (
    costs_beside_paper,
    frame_beside_paper,
    means_frame,
)
from mlkd_brain.report.protocol import protocol_table
from mlkd_brain.report.results import (
    evaluated_runs,
    pack,
    read_predictions,
    read_results,
    unpacked,
)
from mlkd_brain.report.style import spread
from mlkd_brain.report.systems import folds_and_seeds
from mlkd_brain.report.tables import all_cells, speakers_frame
from PIL import Image

FIGURES = {
    "ua_over_snr",
    "ua_by_noise",
    "confusion",
    "reliability",
    "speakers",
    "training",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four systems, three folds; the student lacks one."""
    folder = tmp_path_factory.mktemp("study")
    systems = ("teacher", "student_unsupervised", "student", "my_system")
    made = FabricatedStudy(folder / "results", systems)
    shutil.rmtree(made.folder_of("student", 3))
    return made


@pytest.fixture(scope="module")
def report(study):
    """The folder of its report."""
    out = study.folder.parent / "report"
    main([str(study.folder), "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def page(report):
    return (report / "report.md").read_text()


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_report_has_its_files(report):
    names = set(files(report))
    assert {"report.md", "report.html", "runs.tar.xz"} < names
    for ending in ("png", "pdf"):
        assert {f"figures/{name}.{ending}" for name in FIGURES} < names
    assert {"numbers/cells.csv", "numbers/tests.csv"} < names
    tables = ("table1_factory1", "table2", "table3", "speakers", "tests_all")
    for name in (*tables, "tests_lowest_factory1", "tests_clean"):
        assert f"tables/{name}.tex" in names


def test_every_picture_and_table_of_the_page_is_there(report, page):
    shown = re.findall(r"!\[\w+\]\((figures/\w+\.png)\)", page)
    assert set(shown) == {f"figures/{name}.png" for name in FIGURES}
    for path in shown:
        with Image.open(report / path) as picture:
            assert picture.width == 1275 and len(picture.getcolors()) > 8
    titles = re.findall(r"^\*\*(.+)\*\*$", page, re.M)
    assert len(titles) == len(list((report / "tables").iterdir()))


def test_the_archive_gives_the_same_report_again(report, tmp_path):
    main([str(report / "runs.tar.xz"), "--out", str(tmp_path / "again")])
    once, again = files(report), files(tmp_path / "again")
    assert once.keys() == again.keys()
    assert [name for name in once if once[name] != again[name]] == []


def test_another_evaluation_is_packed_beside_its_run(tmp_path):
    study = FabricatedStudy(tmp_path, ["student"], folds=(1, 2), utterances=4)
    below = study.folder_of("student") / "weighting_none"
    below.mkdir()
    for name in ("predictions.csv", "protocol.json"):
        shutil.copy(study.folder_of("student") / name, below)
    runs = evaluated_runs(tmp_path, "weighting_none")
    pack(runs, tmp_path, tmp_path / "runs.tar.xz")
    with unpacked(tmp_path / "runs.tar.xz") as folder:
        again = read_predictions(folder, "weighting_none")
        assert not (folder / "student/1986/fold_2").exists()
    assert again.equals(read_predictions(tmp_path, "weighting_none"))


def test_the_archive_names_no_folder_of_this_machine(report):
    with unpacked(report / "runs.tar.xz") as folder:
        protocols = [path.read_text() for path in folder.rglob("protocol.json")]
        assert len(protocols) == 11
        assert not any("somewhere" in protocol for protocol in protocols)
        kept = {path.name for path in folder.rglob("*") if path.is_file()}
    assert kept == {
        "predictions.csv",
        "protocol.json",
        "test.csv",
        "train_log.txt",
        "complexity.json",
    }


def test_the_protocol_stands_on_top_and_names_what_is_wrong(page):
    protocol = page.split("## ")[0]
    assert "| corpus | EmoDB |" in protocol
    assert "teachers included | none |" in protocol
    assert "between training, validation and test | none |" in protocol
    assert "student/1986/fold_3: has no predictions.csv" in protocol
    assert "**1–2** of 10 of student (seed 1986)" in protocol
    assert "teacher: none, clean speech" in protocol
    assert "student, my_system: babble, factory1 (none unseen)" in protocol
    assert "factory1 16.0–20.0 s" in protocol and "weighting g712" in protocol
    assert "UA on the validation speaker: 5 to 7" in protocol
    assert "of equal ones: lowest loss" in protocol
    assert "/somewhere" not in protocol and "| encoder | encoder |" in protocol


def test_a_system_without_encoder_and_epochs_stands_beside_the_others(tmp_path):
    study = FabricatedStudy(tmp_path / "results", ["teacher", "vad_nmf"])
    main([str(study.folder), "--out", str(tmp_path / "report")])
    page = (tmp_path / "report" / "report.md").read_text()
    protocol = page.split("## ")[0]
    assert "| encoder | encoder; none in vad_nmf |" in protocol
    assert (
        "vad_nmf: babble, factory1 in its noise atoms alone (none" in protocol
    )
    assert "UA on the validation speaker: 5 to 7" in protocol
    assert page.count("| vad_nmf |") >= 7
    curves = read_results(evaluated_runs(study.folder)).curves
    assert set(curves["system"]) == {"teacher"}


def test_a_study_of_baselines_alone_has_no_training_curves(tmp_path):
    study = FabricatedStudy(tmp_path / "results", ["vad_nmf"])
    main([str(study.folder), "--out", str(tmp_path / "report")])
    page = (tmp_path / "report" / "report.md").read_text()
    assert "the epoch was chosen" not in printed(study.folder)
    assert "## Training" not in page and "| encoder | none in vad_nmf |" in page


def test_every_row_of_a_system_has_its_folds_and_seeds(page):
    assert page.count("| student | 1–2 | 1986 |") >= 5
    assert page.count("| teacher | 1–3 | 1986 |") >= 5


def test_seeds_with_other_folds_stand_apart(tmp_path):
    study = FabricatedStudy(tmp_path, ["student"], seeds=(1, 2), utterances=4)
    whole = folds_and_seeds(read_predictions(tmp_path))
    assert whole == {"folds": "1–3", "seeds": "1–2"}
    shutil.rmtree(study.folder_of("student", 2, 2))
    less = folds_and_seeds(read_predictions(tmp_path))
    assert less == {"folds": "1–3 / 1, 3", "seeds": "1 / 2"}


def test_a_comparison_is_of_the_runs_that_both_have(tmp_path):
    systems = ["teacher", "student", "my_system"]
    study = FabricatedStudy(tmp_path, systems, seeds=(1, 2), utterances=4)
    shutil.rmtree(study.folder_of("student", 2, 2))
    shutil.rmtree(tmp_path / "my_system" / "2")
    text = printed(tmp_path, brief=True)
    assert "| teacher | 1–3 | 1–2 |" in text
    assert "| student | 1–3 / 1, 3 | 1 / 2 |" in text
    assert "| my_system | 1–3 | 1 |" in text
    scores = read_results(evaluated_runs(tmp_path)).scores
    tests = all_tests(scores, ["factory1"]).query("noise == 'clean'")
    found = tests.set_index(["first", "second"])["runs"].to_dict()
    assert found == {
        ("student", "teacher"): 5,
        ("my_system", "teacher"): 3,
        ("student", "my_system"): 3,
    }
    last = crossings_frame(scores, ["factory1"]).iloc[-1, :3]
    assert last.tolist() == ["my_system", "1–3", "1"]


def test_tests_of_all_snrs_leave_clean_speech_aside(tmp_path):
    FabricatedStudy(tmp_path, ["teacher", "student"], utterances=4)
    scores = read_results(evaluated_runs(tmp_path)).scores
    before = all_tests(scores, ["babble", "factory1"])
    clean = (scores["noise"] == "clean") & (scores["system"] == "student")
    scores.loc[clean, "UA"] = 0.0
    after = all_tests(scores, ["babble", "factory1"])
    changed = before["difference"] != after["difference"]
    assert set(before[changed]["noise"]) == {"clean"}
    assert {"all", "clean", "babble"} <= set(before["noise"])


def test_holm_corrects_for_the_systems_in_one_condition(report):
    tests = pandas.read_csv(report / "numbers" / "tests.csv")
    reference = tests[tests["first"] == "student"]
    assert tests[tests["first"] != "student"]["p_holm"].isna().all()
    for _, own in reference.groupby(["noise", "snr_db"]):
        least = own["p_value"].min()
        assert own["p_holm"].min() == pytest.approx(min(1, 3 * least), abs=1e-4)


def test_tables_of_tests_fit_a_column(report, page):
    part = page.split("## Systems against one another")[1].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 * (1 + 3)  # four conditions, three other systems
    assert max(len(row) for row in rows) < 80
    assert all(row.count("|") == 5 for row in rows)


def test_a_pair_is_compared_in_short(study, capsys):
    main([str(study.folder), "--compare", "student", "teacher"])
    (row,) = (x for x in capsys.readouterr().out.splitlines() if "−" in x[:30])
    assert row.startswith("| student − teacher |") and row.count("[") == 4
    scores = read_results(evaluated_runs(study.folder)).scores
    frame = pairs_frame(scores, ["factory1"], [("student", "teacher")])
    assert list(frame)[1:4] == ["0 dB", "factory1, 0 dB", "all noises and SNRs"]
    with pytest.raises(InputError, match="has no runs of nobody; it has teach"):
        main([str(study.folder), "--compare", "student", "nobody"])


def test_all_folds_are_all_folds(study):
    results = read_results(evaluated_runs(study.folder))
    speakers = {"train": ["a"], "valid": ["b"], "test": ["c"]}
    short = [
        {**protocol, "speakers": speakers} for protocol in results.protocols
    ]
    table = protocol_table(results._replace(protocols=short), [])
    assert "all 3 of my_system (seed 1986)" in table


def test_groups_of_speakers_are_the_folds(study):
    results = read_results(evaluated_runs(study.folder))
    grouped = [{**p, "fold_groups": 3} for p in results.protocols]
    table = protocol_table(results._replace(protocols=grouped), [])
    assert "leave one group of speakers out" in table
    assert "all 3 of my_system (seed 1986)" in table


def of_corpus(results, corpus):
    protocols = [{**p, "corpus": corpus} for p in results.protocols]
    results = results._replace(protocols=protocols)
    shown = sections(results, all_tests(results.scores, ["babble", "factory1"]))
    return [table for section in shown for table in section.tables]


def test_the_papers_numbers_stand_beside_its_corpus_alone(study, page):
    assert "paper" not in page.lower() and "| difference |" not in page
    results = read_results(evaluated_runs(study.folder))
    titles = {
        table.name: table.title for table in of_corpus(results, "IEMOCAP")
    }
    assert "the paper's, a mean over 10 folds" in titles["table1_factory1"]
    assert "paper: wav2vec 2.0 base" in titles["table3"]
    assert "beside the paper's" in titles["table2_means"]
    others = of_corpus(results, "URDU")
    assert "table2_means" not in {table.name for table in others}
    assert not any("paper" in table.title for table in others)


def test_the_papers_numbers_stand_below_ours_with_the_difference(study):
    results = read_results(evaluated_runs(study.folder))
    right = results.scores.assign(UA=100.0)
    rows = frame_beside_paper(right, ["factory1"]).to_numpy().tolist()
    assert rows[0] == ["teacher", "1–3", "1986", *["100.0 [100.0, 100.0]"] * 4]
    assert rows[1] == ["paper", "", "", "41.0", "65.0", "75.8", "77.8"]
    differences = ["+59.0", "+35.0", "+24.2", "+22.2"]
    assert rows[2] == ["difference", "", "", *differences]
    assert rows[-1][0] == "my_system"  # no such system in the paper
    assert means_frame(right).iloc[2, 3:].tolist() == ["100.0", "67.5", "+32.5"]
    costs = costs_beside_paper(costs_frame(results.costs))
    assert costs["paper, MiB"].tolist() == [
        "360.17",
        "197.91",
        "197.91",
        "–",
    ]


OUTSIDE = "<script>alert(1)</script>|[x](javascript:y)"


def test_names_from_outside_are_no_code(tmp_path):
    noise = "factory1=\\input{x} $a_b$ & ../"
    study = FabricatedStudy(
        tmp_path / "results",
        ["teacher", "student"],
        folds=(1, 2),
        utterances=4,
        noises=[noise],
        snrs=[0, 10],
    )
    for system in ("teacher", "student"):
        for fold in (1, 2):
            study.edit_predictions(
                lambda table: table.assign(spk_id=f"=1{OUTSIDE}"), system, fold
            )
            study.edit_protocol(
                lambda protocol: protocol.update(corpus=OUTSIDE), system, fold
            )
    main([str(study.folder), "--out", str(tmp_path / "report")])
    out = tmp_path / "report"
    for name in ("report.html", "report.md"):
        text = (out / name).read_text()
        assert "<script" not in text and "&lt;script" in text
        assert "<a" not in text
    assert "](javascript" not in (out / "report.md").read_text()
    latex = "".join(path.read_text() for path in out.glob("tables/*.tex"))
    assert r"\textbackslash{}input\{x\}" in latex and "<script" not in latex
    assert all(path.parent == out / "tables" for path in out.rglob("*.tex"))


def test_a_spreadsheet_computes_no_name(tmp_path):
    FabricatedStudy(tmp_path, ["teacher", "student"], (1, 2), noises=["=1+1"])
    results = read_results(evaluated_runs(tmp_path))
    for frame in (
        all_cells(results.predictions, results.scores),
        all_tests(results.scores, ["=1+1"]),
    ):
        text = to_csv(frame)
        assert "'=1+1" in text and not re.search(r"(^|,)[=+@]", text, re.M)


def test_every_term_that_is_logged_is_drawn():
    rows = [
        ("student", 1986, 1, epoch, part, term, 1.0 / epoch)
        for epoch in (1, 2)
        for part, term in (
            ("train", "ce"),
            ("train", "my_level"),
            ("train", "grad_share_ce"),
            ("valid", "UA"),
            ("valid", "WA"),
        )
    ]
    names = "system seed fold epoch part term value".split()
    figure = training(pandas.DataFrame(rows, columns=names))
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert [t for t in titles if t] == [
        "cross-entropy, training",
        "UA, validation, %",
        "cross-entropy's share of the gradient",
        "my level, training",
    ]


@pytest.mark.parametrize("classes", [4, 8, 20])
def test_numbers_of_a_confusion_matrix_stay_in_their_cells(classes):
    emotions = [f"emotion {number}" for number in range(classes)]
    table = pandas.DataFrame(
        {"system": "student", "noise": noise, "snr_db": snr}
        | {"emo": emotion, "predicted": emotion}
        for noise, snr in [("hum", 0), ("hum", 5), ("hum", 10), ("clean", None)]
        for emotion in emotions
    )
    figure = confusion(table, ["hum"])
    figure.draw_without_rendering()
    assert len(figure.axes) == (3 if classes > 5 else 4)
    for panel in figure.axes:
        cell = panel.get_window_extent().width / classes
        widths = [text.get_window_extent().width for text in panel.texts]
        assert len(widths) == (0 if classes == 20 else classes**2)
        assert all(width < cell for width in widths)
    labels = [t.get_window_extent() for t in panel.get_xticklabels()]
    assert all(a.x1 <= b.x0 + 1 for a, b in zip(labels, labels[1:]))


def test_latex_is_escaped(report):
    for path in (report / "tables").iterdir():
        text = path.read_text()
        body = text.replace(f"tab:{path.stem}", "")
        assert not re.search(r"(?<!\\)[_%#]", body), path
        assert "−" not in body and "±" not in body
    text = (report / "tables" / "table1_factory1.tex").read_text()
    assert (
        r"student\_unsupervised" in text
        and r"UA \% & folds & seeds & 0 dB" in text
    )


def test_html_holds_the_tables_and_pictures(report, page):
    html = (report / "report.html").read_text()
    assert html.count("<table>") == page.count("\n|---|")
    assert html.count("<img") == len(FIGURES)
    assert "**" not in html.split("<body>")[1]


def test_every_cell_has_its_interval_and_spread(report):
    cells = pandas.read_csv(report / "numbers" / "cells.csv")
    assert len(cells) == 4 * (1 + 2 * 3)
    assert (cells["ua_low"] <= cells["ua_mean_of_runs"]).all()
    assert set(cells.groupby("system")["runs"].first()) == {2, 3}


def test_every_two_systems_are_compared_in_every_condition(report):
    tests = pandas.read_csv(report / "numbers" / "tests.csv")
    conditions = 1 + (2 + 1) * (3 + 1)  # clean; noises and all x SNRs and all
    assert len(tests) == 6 * conditions
    assert tests["p_value"].between(0, 1).all()
    with_student = tests[tests["first"] == "student"]
    assert set(with_student["runs"]) == {2}  # the two common folds


def test_speakers_genders_and_styles_have_rows(study):
    frame = speakers_frame(read_predictions(study.folder), ["babble"])
    assert frame["UA %"].tolist() == [
        "03 (M)",
        "08 (F)",
        "09 (F)",
        "gender F",
        "gender M",
        "improvised",
        "scripted",
        "seeds",
    ]
    counts = frame["utterances"].tolist()
    assert counts == ["8", "8", "8", "16", "8", "9", "15", "–"]


def test_where_a_system_crosses_its_teacher():
    values = {
        "teacher": [0, 2, 4],
        "student": [2, 3, 3],
        "worse": [0, 1, 0],
        "same": [0, 2, 4],
        "wild": [1, 1, 5],
    }
    rows = [
        {"system": system, "noise": "hum", "snr_db": snr, "UA": float(ua)}
        | {"seed": 1, "fold": fold}
        for system, curve in values.items()
        for snr, ua in zip((0, 10, 20), curve)
        for fold in (1, 2)
    ]
    frame = crossings_frame(pandas.DataFrame(rows), ["hum"])
    columns = [
        "system",
        *(f"{w} at, dB" for w in ("better", "worse", "crossing")),
    ]
    assert frame[columns].to_numpy().tolist() == [
        ["student", "0, 10", "20", "15.0"],
        ["same", "none", "none", "none"],
        ["wild", "0, 20", "10", "5.0, 15.0"],
        ["worse", "none", "10, 20", "none"],
    ]


def test_better_and_worse_are_said_where_the_interval_says_so():
    rows = [
        {"system": system, "noise": "hum", "snr_db": snr, "UA": float(ua)}
        | {"seed": 1, "fold": fold}
        for system, curve in {
            "teacher": {0: [50] * 5, 10: [50] * 5},
            # better by 6 on average in both, at 10 dB by luck of one fold
            "student": {0: [54, 55, 56, 57, 58], 10: [80, 50, 50, 50, 50]},
        }.items()
        for snr, values in curve.items()
        for fold, ua in enumerate(values)
    ]
    (row,) = crossings_frame(pandas.DataFrame(rows), ["hum"]).to_dict("records")
    assert row["better at, dB"] == "0" and row["worse at, dB"] == "none"


def test_systems_without_probabilities_logs_or_costs_are_reported(tmp_path):
    study = FabricatedStudy(tmp_path / "results", folds=(1,), utterances=4)
    for system in ("teacher", "student", "student_unsupervised"):
        for name in ("test.csv", "train_log.txt", "complexity.json"):
            (study.folder_of(system) / name).unlink()
        study.edit_predictions(
            lambda table: table.drop(columns=list(table.filter(like="p_"))),
            system,
        )
    main([str(study.folder), "--out", str(tmp_path / "report")])
    names = set(files(tmp_path / "report"))
    assert "figures/training.png" not in names
    assert "figures/reliability.png" not in names
    assert "tables/table3.tex" not in names and "tables/table2.tex" in names
    assert "[" not in (tmp_path / "report/tables/table2.tex").read_text()


def test_a_repeated_epoch_counts_once(study):
    path = study.folder_of("teacher") / "train_log.txt"
    before = read_results(evaluated_runs(study.folder)).curves
    text = path.read_text()
    path.write_text(text + text.splitlines()[-1] + "\n")
    assert read_results(evaluated_runs(study.folder)).curves.equals(before)
    path.write_text(text)
    assert set(before["term"]) == {"loss", "ce", "kl", "mse", "UA", "WA"}
    assert before["epoch"].max() == 8


def test_a_report_replaces_a_report_and_nothing_else(study, tmp_path):
    (tmp_path / "thesis.md").write_text("mine")
    with pytest.raises(InputError, match="holds no earlier report"):
        main([str(study.folder), "--out", str(tmp_path)])
    assert (tmp_path / "thesis.md").read_text() == "mine"


def test_a_file_that_is_no_whole_archive_is_refused(report, tmp_path):
    whole = (report / "runs.tar.xz").read_bytes()
    broken = whole[:2000] + bytes(100) + whole[2100:]
    for content in (b"no", b"", whole[: len(whole) // 2], broken):
        (tmp_path / "runs").write_bytes(content)
        with pytest.raises(InputError, match="is no archive of runs"):
            with unpacked(tmp_path / "runs"):
                pass


def test_a_damaged_table_is_named(tmp_path):
    study = FabricatedStudy(tmp_path, ["student"], folds=(1,), utterances=4)
    study.edit_predictions(lambda table: table.drop(columns="emo"), "student")
    with pytest.raises(InputError, match="predictions.csv: has no column emo"):
        read_predictions(tmp_path)
    (study.folder_of("student") / "predictions.csv").write_text("")
    with pytest.raises(InputError, match="cannot be read"):
        read_predictions(tmp_path)


@pytest.mark.parametrize("text", ['{"parameters": 1', "{}", "[]", ""])
def test_half_a_complexity_json_is_one_line(tmp_path, text):
    study = FabricatedStudy(tmp_path, ["student"], folds=(1,), utterances=4)
    (study.folder_of("student") / "complexity.json").write_text(text)
    with pytest.raises(
        InputError, match="complexity.json: is damaged, it shou"
    ):
        read_results(evaluated_runs(tmp_path))


def test_probabilities_that_are_no_numbers_are_one_line(tmp_path):
    study = FabricatedStudy(tmp_path, ["student"], folds=(1,), utterances=4)
    study.edit_predictions(
        lambda table: table.assign(
            p_sad=np.where(table.index == 2, np.nan, table["p_sad"])
        ),
        "student",
    )
    with pytest.raises(
        InputError, match=r"1 rows have no .* 03_02 in clean \(r"
    ):
        read_predictions(tmp_path)


def test_labels_keep_their_distance_and_their_middle():
    assert spread([1.0, 1.0, 1.0], 2.0) == [-1.0, 1.0, 3.0]
    assert spread([0.0, 10.0], 2.0) == [0.0, 10.0]
