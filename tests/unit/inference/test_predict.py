"""The command: many files, broken files, a pipe."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
import soundfile
import torch
from exported_runs import (
    EMOTIONS,
    RATE,
    exports,  # noqa: F401 - fixtures
    runs,  # noqa: F401
    speech_like,
)
from mlkd_brain.errors import InputError
from mlkd_brain.inference.command import main
from mlkd_brain.inference.predict import recordings
from mlkd_brain.inference.recognizer import load_recognizer


@pytest.fixture
def model(exports):  # noqa: F811
    return str(exports("speechbrain"))


@pytest.fixture
def folder(tmp_path):
    """Two recordings, one in a folder of its own, and something else."""
    (tmp_path / "sub").mkdir()
    for number, name in enumerate(("a.wav", "sub/b.flac")):
        wav = speech_like(0.5 + number).numpy()
        soundfile.write(tmp_path / name, wav, RATE)
    (tmp_path / "notes.txt").write_text("no recording")
    return tmp_path


def test_csv_has_a_row_for_each_recording(model, folder, capsys):
    assert main([model, str(folder), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    names = [str(folder / "a.wav"), str(folder / "sub" / "b.flac")]
    assert [row["file"] for row in rows] == names
    recognizer = load_recognizer(model)
    for row in rows:
        expected, _, _, label = recognizer.classify_file(row["file"])
        shares = [float(row[f"p_{emotion}"]) for emotion in EMOTIONS]
        assert shares == pytest.approx(expected[0].tolist(), abs=1e-6)
        assert row["emotion"] == label[0]


def test_json_has_an_object_a_line(model, folder, capsys):
    assert main([model, str(folder / "a.wav"), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    row = json.loads(line)
    shares = [f"p_{emotion}" for emotion in EMOTIONS]
    assert list(row) == ["file", "emotion", *shares, "warning"]
    assert row["warning"] == ""


def test_text_names_file_emotion_and_share(model, folder, capsys):
    main([model, str(folder / "a.wav")])
    file, emotion, share = capsys.readouterr().out.strip().split("\t")
    assert file == str(folder / "a.wav")
    assert emotion in EMOTIONS
    assert 0.25 <= float(share) <= 1  # the largest of four


def test_a_broken_file_is_named_and_the_others_are_classified(
    model, folder, capsys
):
    (folder / "a_broken.wav").write_bytes(b"RIFF, and no more")
    (folder / "sub" / "gone.wav").symlink_to("nowhere")
    assert main([model, str(folder), "--csv"]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1 + 2
    errors = [e for e in captured.err.splitlines() if "error:" in e]
    assert len(errors) == 2
    assert "a_broken.wav: cannot be read as audio" in errors[0]
    assert "gone.wav" in errors[1]


def test_many_files_show_progress_and_one_does_not(model, folder, capsys):
    main([model, str(folder)])
    assert "2/2" in capsys.readouterr().err
    main([model, str(folder / "a.wav")])
    assert "1/1" not in capsys.readouterr().err


def test_a_window_gives_a_timeline(model, folder, capsys):
    file = str(folder / "sub" / "b.flac")
    main([model, file, "--json", "--window", "1.0", "--hop", "0.25"])
    rows = [json.loads(x) for x in capsys.readouterr().out.splitlines()]
    assert [row["start"] for row in rows] == [0.0, 0.25, 0.5]
    assert [row["end"] for row in rows] == [1.0, 1.25, 1.5]


def test_a_hop_needs_a_window_and_leaves_no_gap(model, folder):
    with pytest.raises(InputError, match="--hop needs --window"):
        main([model, str(folder), "--hop", "1"])
    with pytest.raises(InputError, match="hop is 3.0 s"):
        main([model, str(folder), "--window", "2", "--hop", "3"])


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no recording"):
        recordings([tmp_path])


def wav_bytes(wav, announced=None):
    """A wav file; a program that writes into a pipe cannot know its length."""
    stream = io.BytesIO()
    soundfile.write(stream, wav.numpy(), RATE, format="WAV")
    data = bytearray(stream.getvalue())
    if announced is not None:
        data[4:8] = data[40:44] = announced
    return bytes(data)


@pytest.mark.parametrize("announced", [None, b"\xff\xff\xff\xff"])
def test_a_pipe_is_read(model, folder, announced):
    command = [
        sys.executable,
        "-m",
        "mlkd_brain",
        "predict",
        model,
        "-",
        "--json",
    ]
    done = subprocess.run(
        command,
        input=wav_bytes(speech_like(0.5), announced),
        capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["file"] == "-"
    expected, *_ = load_recognizer(model).classify_file(folder / "a.wav")
    shares = torch.tensor([row[f"p_{emotion}"] for emotion in EMOTIONS])
    assert torch.allclose(shares, expected[0], atol=1e-5)


def test_errors_of_the_command_are_one_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "mlkd_brain",
        "predict",
        tmp_path,
        "-",
    ]
    done = subprocess.run(command, input=b"", capture_output=True, text=False)
    assert done.returncode == 2
    (line,) = done.stderr.decode().strip().splitlines()
    assert line.startswith("error:")
    assert "is neither the folder of a run" in line
