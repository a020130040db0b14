"""``mlkd manifest`` lists a folder, ``mlkd check`` says what a CSV lacks."""

import numpy as np
import pandas
import pytest
import soundfile
from mlkd_brain.__main__ import main as mlkd
from mlkd_brain.data.corpus_listing import compile_pattern, list_folder
from mlkd_brain.data.own_corpus import read_rows
from mlkd_brain.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Twelve recordings of four speakers, two rates, and a file beside."""
    random = np.random.default_rng(0)
    for speaker in range(4):
        for index, label in enumerate(["Freude", "怒り", "怒り"]):
            rate = 8000 if speaker == 3 else 16000
            place = tmp_path / "wavs" / f"part{speaker % 2}"
            place.mkdir(parents=True, exist_ok=True)
            samples = random.uniform(-0.1, 0.1, rate * (1 + index))
            name = f"s{speaker}_{index}_x_{label}.wav"
            soundfile.write(place / name, samples, rate)
    (tmp_path / "wavs" / "notes.txt").touch()
    return tmp_path


def run(*words):
    with pytest.raises(SystemExit) as stopped:
        mlkd([str(word) for word in words])
    return stopped.value.code


def manifest(folder, *options):
    pattern = "{spk_id}_{_}_{emo}.wav"
    out = folder / "my.csv"
    words = ("manifest", folder / "wavs", "--pattern", pattern, "--out", out)
    return run(*words, *options)


def test_a_folder_becomes_a_csv_that_passes_the_check(folder, capsys):
    assert not manifest(folder)
    printed = capsys.readouterr().out
    assert "12 utterances of 4 speakers; Freude 4, 怒り 8" in printed
    assert "left out: 1 other files, e.g. notes.txt" in printed
    rows = read_rows(folder / "my.csv")
    assert rows["wav"][0] == "wavs/part0/s0_0_x_Freude.wav"
    assert rows["ID"][0] == "part0-s0_0_x_Freude"
    assert run("check", folder / "my.csv", "--fewest", 3) == 0
    printed = capsys.readouterr().out
    assert "12 utterances of 4 speakers with 2 labels, 0.4 minutes" in printed
    assert "| s0 | 1 | 2 | 3 | 0.1 |" in printed
    assert "rates: 16000 Hz (9), 8000 Hz (3)" in printed
    assert "lengths: 1.00 to 3.00 s, median 2.00 s" in printed
    assert "| 4 | s3 | 3 | 3 | 6 |" in printed
    assert "Every part of every fold has every label." in printed


def test_the_csv_of_another_place_names_whole_paths(folder):
    (folder / "elsewhere").mkdir()
    assert not manifest(folder, "--out", folder / "elsewhere" / "my.csv")
    rows = read_rows(folder / "elsewhere" / "my.csv")
    assert rows["wav"][0].startswith(str(folder.resolve()))


def test_an_earlier_csv_is_not_lost(folder, capsys):
    (folder / "my.csv").write_text("made by hand")
    assert manifest(folder) == 2
    assert "exists and holds something else" in capsys.readouterr().err
    assert (folder / "my.csv").read_text() == "made by hand"


def test_labels_are_named_and_others_left_out(folder):
    pattern = compile_pattern("{spk_id}_{_}_x_{emo:1}{_}.wav")
    table, left = list_folder(folder / "wavs", pattern, "F=joy")
    assert set(table["emo"]) == {"joy"} and len(left) == 9
    with pytest.raises(InputError, match="--labels F: is a list such as"):
        list_folder(folder / "wavs", pattern, "F")


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{spk_id:2}{_:3}{emo:1}{_:1}.wav", "03a01Wa.wav", ("03", "W")),
        ("{spk_id}_{_}_{emo:1}{_}.flac", "SM5_F10_A010.flac", ("SM5", "A")),
        ("{emo}/{spk_id}-{_}.wav", "joy/anna-1-2.wav", ("anna", "joy")),
        ("{emo}/{spk_id}-{_}.wav", "deep/joy/anna-1.wav", None),
        ("{spk_id}_{emo}.wav", "deep/anna_joy.wav", ("anna", "joy")),
        ("{spk_id}_{emo}.wav", "anna_joy.flac", None),
        ("{spk_id}_{emo}.wav", "anna_b_joy.wav", None),
        ("(x).{spk_id}+{emo}", "(x).a+b", ("a", "b")),
    ],
)
def test_patterns(pattern, path, fields):
    found = compile_pattern(pattern).fullmatch(path)
    assert (found and found.group("spk_id", "emo")) == fields


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{spk_id}.wav", "it lacks {emo}"),
        ("{spk_id}_{emo}_{mood}.wav", "no field is called {mood}"),
        ("{spk_id}_{emo}_{emo}.wav", "it has twice {emo}"),
        ("{spk_id}_{emo.wav", "expected '}'"),
        ("{spk_id}_{emo:x}.wav", "{emo:x}: a width is a number"),
    ],
)
def test_a_pattern_that_cannot_be_is_named(pattern, message):
    with pytest.raises(InputError, match=message):
        compile_pattern(pattern)


def test_a_folder_without_such_files_is_named(folder):
    pattern = compile_pattern("{spk_id}-{emo}.wav")
    with pytest.raises(InputError, match="none of 13 files, e.g. notes.txt"):
        list_folder(folder / "wavs", pattern)


def test_the_check_names_all_that_training_would_refuse(folder, capsys):
    manifest(folder)
    table = pandas.read_csv(folder / "my.csv", dtype=str)
    table.loc[1, "emo"] = ""
    table.loc[2, "ID"] = table.loc[3, "ID"]
    table.loc[4, "wav"] = "gone.wav"
    (folder / table["wav"][5]).write_bytes(b"no audio")
    soundfile.write(folder / table["wav"][6], np.zeros(10), 16000)
    same = (folder / table["wav"][7]).read_bytes()
    (folder / table["wav"][10]).write_bytes(same)
    table.to_csv(folder / "my.csv", index=False)
    capsys.readouterr()
    assert run("check", folder / "my.csv") == 1
    errors = capsys.readouterr().err
    for problem in (
        "row 3: emo is empty",
        "rows 4 and 5: ",
        "gone.wav: no such file",
        "cannot be read as audio",
        "lasts 0.001 s",
        "the same recording",
    ):
        assert errors.count(problem) == 1, problem


def test_the_check_warns_of_what_a_fold_lacks(folder, capsys):
    manifest(folder)
    table = pandas.read_csv(folder / "my.csv", dtype=str)
    table = table[(table["spk_id"] != "s1") | (table["emo"] == "Freude")]
    table.loc[0, "emo"] = "freude"
    table.to_csv(folder / "my.csv", index=False)
    capsys.readouterr()
    assert run("check", folder / "my.csv") == 0
    printed = capsys.readouterr().out
    assert "note: emo has 'Freude' and 'freude'; are they one?" in printed
    assert "note: 1 of 4 speakers have a single label" in printed
    assert "fold 2 tests 1 utterances, fewer than 10" in printed
    assert "fold 2, test: no freude, 怒り; UA there is over the" in printed
    assert "fold 1, valid: no freude, 怒り; UA" in printed
    assert "fold 1, train: no freude; cannot be learned" in printed


def test_two_speakers_are_too_few(tmp_path, capsys):
    rows = ["a.wav,1,x", "b.wav,2,y"]
    (tmp_path / "my.csv").write_text("\n".join(["wav,spk_id,emo", *rows]))
    for name in "ab":
        noise = np.random.default_rng(ord(name)).uniform(size=8000)
        soundfile.write(tmp_path / f"{name}.wav", noise, 16000)
    assert run("check", tmp_path / "my.csv") == 1
    assert (
        "2 speakers, or groups of them, are too few" in capsys.readouterr().err
    )
