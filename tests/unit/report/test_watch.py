"""The curves of a run, as text and as a picture."""

import threading
import time

import pytest
from fabricated_study import training_log
from mlkd_brain.__main__ import main
from mlkd_brain.report.figures import training
from mlkd_brain.report.results import RunFiles
from PIL import Image


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "student" / "1986" / "fold_3"
    folder.mkdir(parents=True)
    (folder / "hyperparams.yaml").write_text("number_of_epochs: 8\n")
    log = training_log("student", 3).replace(
        "train UA", "train cosine: 2.5e-01, train lr: 1.0e-04, train UA"
    )
    (folder / "train_log.txt").write_text(log)
    return folder


def watched(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main(["watch", *map(str, words)])
    return stopped.value.code, capsys.readouterr()


def test_every_logged_term_has_a_row(run, capsys):
    code, said = watched(capsys, run)
    assert not code
    head, *rows = said.out.splitlines()
    assert head == "student/1986/fold_3, epoch 8"
    names = [" ".join(row.split()[:2]) for row in rows]
    assert len(names) == len(RunFiles(run).log().groupby(["part", "term"]))
    assert {"train kl", "train cosine", "train lr", "valid UA"} <= {*names}
    (falling,) = (row for row in rows if row.startswith("train ce"))
    assert falling.split()[-1][0] == "█" and falling.split()[-1][-1] == "▁"


def test_a_picture_has_a_panel_for_every_logged_term(run, capsys):
    out = run / "curves.png"
    code, said = watched(capsys, run, "--out", out, "--once")
    assert not code and said.out.strip() == str(out)
    assert Image.open(out).width > 1000
    curves = RunFiles(run).log()
    titles = {
        panel.get_title(loc="left")
        for panel in training(curves, every=True).axes
        if panel.axison
    }
    assert len(titles) == len(curves.groupby(["part", "term"]))
    assert "cosine, training" in titles


def test_a_report_draws_an_added_term_and_no_statistics(run):
    titles = {
        p.get_title(loc="left") for p in training(RunFiles(run).log()).axes
    }
    assert "cosine, training" in titles
    assert not any(title.startswith(("lr", "WA", "loss")) for title in titles)


def test_it_goes_on_until_the_last_epoch(run, capsys):
    lines = (run / "train_log.txt").read_text().splitlines(keepends=True)
    (run / "train_log.txt").write_text("".join(lines[:7]))

    def train_on():
        time.sleep(0.3)
        with open(run / "train_log.txt", "a") as log:
            log.write(lines[7])

    training = threading.Thread(target=train_on)
    training.start()
    code, said = watched(capsys, run, "--seconds", "0.05")
    training.join()
    assert not code
    heads = [row for row in said.out.splitlines() if "fold_3" in row]
    assert [head.split()[-1] for head in heads] == ["7", "8"]


def test_what_is_no_run_is_named(run, capsys, tmp_path):
    code, said = watched(capsys, tmp_path)
    assert code == 2 and "is no run" in said.err
    (run / "train_log.txt").unlink()
    code, said = watched(capsys, run, "--once")
    assert code == 2 and "has no epoch yet" in said.err
