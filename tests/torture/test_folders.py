"""Folders as they come: one file ends no run, and nothing is passed over in silence."""

import csv
import io
import json
import logging
import os

import numpy as np
import pytest
import soundfile
from emodb_prepare import list_utterances
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.audio import SUFFIXES, find_recordings
from mlkd_brain.data.manifests import write_manifests
from mlkd_brain.errors import cli_errors
from mlkd_brain.inference.predict import FORMS, predict, recordings
from recordings import Uniform, encoded, hiss

NAMED = "named, the rest goes on"
WAV = encoded(hiss(0.2, 16000), 16000, "WAV", None)


class Broken(Uniform):
    """A backend that fails for every recording but the shortest."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def logits(self, wavs, lengths):
        if wavs.shape[1] > 4000:
            raise self.error
        return super().logits(wavs, lengths)


def classified(capsys, model, folder, form="json"):
    """Exit status as a count, rows, lines on standard error."""
    with cli_errors():
        count = predict(model, recordings([folder]), form)
    out, err = capsys.readouterr()
    lines = [e for e in err.splitlines() if e.startswith(("error", "warning"))]
    return count, out.splitlines(), lines


def test_what_cannot_be_read_is_named(tally, tmp_path, capsys):
    bad = {
        "headerless.raw": bytes(2000),
        "empty.wav": b"",
        "text.flac": b"no audio\n" * 50,
        "cut.mp3": b"\xff\xfb\x90",
        "short.wav": encoded(np.zeros(99), 16000, "WAV", None),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "gone.wav").symlink_to("nowhere")
    (tmp_path / "z_good.wav").write_bytes(WAV)
    count, rows, lines = classified(capsys, Uniform(), tmp_path)
    assert count == len(lines) == len(bad) + 1
    assert [json.loads(row)["file"][-10:] for row in rows] == ["z_good.wav"]
    for name in (*bad, "gone.wav"):
        assert sum(name in line for line in lines) == 1
        tally.count("files", "unusable files in a folder", NAMED)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] not enough memory"),
        ValueError("bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        IndexError(),
    ],
)
def test_what_a_runtime_raises_belongs_to_its_file(
    tally, tmp_path, capsys, error
):
    (tmp_path / "a_long.wav").write_bytes(
        encoded(hiss(1, 16000), 16000, "WAV", None)
    )
    (tmp_path / "b.wav").write_bytes(WAV)
    count, rows, (line,) = classified(capsys, Broken(error), tmp_path)
    assert (count, len(rows)) == (1, 1)
    assert "a_long.wav" in line and type(error).__name__ in line
    assert "--window" in line
    tally.count("files", "errors of a runtime", NAMED)


NASTY = [
    b"caf\xe9.wav",
    b"\xff\xfe.wav",
    b"new\nline.wav",
    b"tab\t.wav",
    b'quote".wav',
    b"comma,.wav",
    b" .wav",
    b"-.wav",
    b"--csv.wav",
    b"\xf0\x9f\x98\x80.wav",
    b"\x1b[31mred.wav",
    b"NA.wav",
    b"%s{0}.wav",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_name_is_printed(tally, tmp_path, capsysbinary, form):
    for name in NASTY:
        (tmp_path / os.fsdecode(name)).write_bytes(WAV)
    with cli_errors():
        assert predict(Uniform(), recordings([tmp_path]), form) == 0
    out = capsysbinary.readouterr().out.decode()  # UTF-8
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(out, newline="")))
    else:
        rows = out.splitlines()
    assert len(rows) == len(NASTY)
    assert "\x1b" not in out or form == "csv"
    tally.count("files", "nasty names", "printed, escaped", len(NASTY))


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=40))
def test_any_name_is_found_and_read(tally, tmp_path_factory, name):
    name = name.replace(b"\0", b"").replace(b"/", b"")
    folder = tmp_path_factory.mktemp("names")
    path = os.path.join(os.fsencode(folder), b"x" + name + b".wav")
    with open(path, "wb") as file:
        file.write(WAV)
    (found,), _ = find_recordings(folder)
    assert Uniform().recognize(found).end == 0.2
    tally.count("files", "nasty names", "read")


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_suffixes_have_no_case(tally, tmp_path, spell):
    for suffix in SUFFIXES:
        (tmp_path / f"a{spell(suffix)}").touch()
    found, passed_over = find_recordings(tmp_path)
    assert (len(found), passed_over) == (len(SUFFIXES), "")
    tally.count("files", "suffixes in any case", "found", len(SUFFIXES))


@pytest.mark.parametrize("suffix", ["m4a", "wma", "txt", "amr", "webm", ""])
def test_what_is_passed_over_is_counted(tally, tmp_path, capsys, suffix):
    (tmp_path / "b.wav").write_bytes(WAV)
    for number in range(3):
        (tmp_path / f"a{number}.{suffix}".rstrip(".")).touch()
    _, rows, (line,) = classified(capsys, Uniform(), tmp_path)
    assert len(rows) == 1
    assert "passed over 3 files" in line and suffix in line and "a0" in line
    tally.count("files", "files of other kinds", "counted and named")


def test_emodb_is_found_in_capitals(tally, tmp_path, caplog):
    names = ["03a01Wa.WAV", "03a01Na.wav", "08a01Fa.Wav", "08a02Ta.wav"]
    for name in [*names, "03a01La.wav", "boredom.wav", "03a01Nb.m4a"]:
        (tmp_path / name).write_bytes(WAV)
    with caplog.at_level(logging.WARNING):
        found = list_utterances(tmp_path)
    assert sorted(row["wav"] for row in found) == sorted(names)
    assert "boredom.wav" in caplog.text and "03a01Nb.m4a" in caplog.text
    tally.count("files", "suffixes in any case", "found", len(names))


def test_a_corpus_finds_its_recordings_in_any_case(tally, tmp_path, caplog):
    corpus, sound = tmp_path / "corpus", hiss(1, 16000)
    corpus.mkdir()
    soundfile.write(corpus / "a.WAV", sound, 16000)
    soundfile.write(corpus / "b.wav", 0 * sound, 16000)
    rows = [
        {
            "ID": name,
            "wav": f"{name}.wav",
            "spk_id": "1",
            "session": "",
            "gender": "",
            "style": "",
            "emo": "sad",
        }
        for name in "ab"
    ]
    with caplog.at_level(logging.WARNING):
        write_manifests(rows, corpus, tmp_path / "manifests")
    assert "$data_root/a.WAV" in (tmp_path / "manifests" / "1.csv").read_text()
    assert "1 recordings are silent, such as b.wav" in caplog.text
    tally.count("files", "suffixes in any case", "found")
