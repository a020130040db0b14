"""Manifests and noise folders as they come: one line that names file and row."""

import os

import numpy as np
import pandas
import pytest
import soundfile
from mlkd_brain.data.folds import write_fold
from mlkd_brain.data.manifests import COLUMNS, read_manifest
from mlkd_brain.data.own_corpus import folder_of, prepare_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.sampling import NoiseSampler

REFUSED, USED = "one line that names file and row", "used"
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
LONG = "x" * 131_073
GOOD = {
    "ID": "u1",
    "duration": "1.5",
    "wav": "$data_root/a.wav",
    "spk_id": "01",
    "session": "",
    "gender": "",
    "style": "",
    "emo": "ang",
    "level_none": "-20.0",
    "level_band_4khz": "-21.0",
    "level_g712": "-22.5",
}
#: Column and a value that it cannot have.
BAD_CELLS = [
    ("ID", ""),
    ("ID", LONG),
    ("ID", "a\0b"),
    ("wav", ""),
    ("wav", LONG),
    ("spk_id", ""),
    ("spk_id", "s" * 300),
    ("emo", ""),
    ("emo", "joy"),
    ("session", LONG),
    ("style", LONG),
    ("duration", ""),
    ("duration", "long"),
    ("duration", "0"),
    ("duration", "-1"),
    ("duration", "nan"),
    ("duration", "inf"),
    ("duration", "1e300"),
    ("duration", "1,5"),
    ("duration", "True"),
    ("level_none", "loud"),
    ("level_none", ""),
    ("level_g712", "nan"),
    ("level_g712", "-inf"),
    ("level_band_4khz", "1e9"),
]
#: Values that look wrong and are right.
GOOD_CELLS = [
    ("ID", "i" * 300),
    ("ID", "é" * 300),
    ("ID", "NA"),
    ("ID", "$5"),
    ("spk_id", "007"),
    ("spk_id", "../01"),
    ("spk_id", " "),
    ("wav", "a $x.wav"),
    ("duration", "1e1"),
    ("level_none", "-100"),
    ("session", "a,b\"c'"),
]


def written(folder, **changes):
    path = folder / "01.csv"
    pandas.DataFrame([{**GOOD, **changes}]).to_csv(path, index=False)
    return path


def refused(function, *args, **options):
    with pytest.raises(InputError) as found:
        function(*args, **options)
    message = str(found.value)
    assert "\n" not in message and len(message) < 700
    return message


@pytest.mark.parametrize(("column", "value"), BAD_CELLS)
def test_a_cell_that_cannot_be_is_named(tally, tmp_path, column, value):
    path = written(tmp_path, **{column: value})
    message = refused(read_manifest, path, ["ang", "sad"])
    assert str(path) in message
    assert "row 2" in message or "u1" in message or "cannot be read" in message
    tally.count("options", "manifests", REFUSED)


@pytest.mark.parametrize(("column", "value"), GOOD_CELLS)
def test_a_cell_that_can_be_stays_as_it_is(tally, tmp_path, column, value):
    table = read_manifest(written(tmp_path, **{column: value}), ["ang"])
    kept = table[column].iloc[0]
    assert kept == (value if isinstance(kept, str) else float(value))
    tally.count("options", "manifests", USED)


def no_rows(path):
    path.write_text(",".join(COLUMNS) + "\n")


def folder(path):
    path.mkdir()


def pipe(path):
    os.mkfifo(path)


FILES = {
    "empty": lambda path: path.write_bytes(b""),
    "no rows": no_rows,
    "a folder": folder,
    "a pipe that nobody writes into": pipe,
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\0junk"),
    "HTML": lambda path: path.write_text("<!doctype html>\n<p>Not found"),
    "an open quote": lambda path: path.write_text('ID,wav\n"a,b\n'),
    "more fields than columns": lambda path: path.write_text(
        "ID\na,b\nc,d,e\n"
    ),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "semicolons": lambda path: path.write_text(";".join(COLUMNS) + "\na;b\n"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("reader", ["of a speaker", "of an own corpus"])
def test_a_file_that_is_no_manifest_is_named(tally, tmp_path, kind, reader):
    path = tmp_path / "01.csv"
    FILES[kind](path)
    if reader == "of a speaker":
        message = refused(read_manifest, path)
    else:
        out = tmp_path / "out" / "manifests"
        message = refused(prepare_manifest, tmp_path, out, manifest=path)
        assert not out.parent.exists()
    assert str(path) in message
    tally.count("options", "manifests", REFUSED)


OWN = {
    "an empty speaker": "a.wav,,joy\nb.wav,1,rage",
    "a speaker of spaces": "a.wav,  ,joy\nb.wav,1,rage",
    "a name too long": f"a.wav,{'s' * 300},joy\nb.wav,1,rage",
    "a long field": f"a.wav,1,{LONG}\nb.wav,1,rage",
    "a missing recording": "gone.wav,1,joy\nb.wav,2,rage",
    "no recording": "my.csv,1,joy\na.wav,2,rage",
    "a folder": ".,1,joy\na.wav,2,rage",
    "one label": "a.wav,1,joy\nb.wav,2,joy",
}


@pytest.mark.parametrize("kind", OWN)
def test_an_own_corpus_is_refused_before_anything_is_written(
    tally, tmp_path, kind
):
    random = np.random.default_rng(0)
    for name in ("a.wav", "b.wav"):
        samples = random.uniform(-0.1, 0.1, 8000)
        soundfile.write(tmp_path / name, samples, 16000)
    path = tmp_path / "my.csv"
    path.write_text(f"wav,spk_id,emo\n{OWN[kind]}\n")
    out = tmp_path / "results" / "manifests"
    refused(prepare_manifest, folder_of(path), out, manifest=path)
    assert not out.parent.exists()
    tally.count("options", "manifests", REFUSED)


@pytest.mark.parametrize("speakers", [0, 1, 2])
def test_too_few_speakers_are_refused(tally, tmp_path, speakers):
    (tmp_path / "manifests").mkdir()
    for number in range(speakers):
        row = {**GOOD, "ID": f"u{number}", "spk_id": str(number)}
        table = pandas.DataFrame([row])
        table.to_csv(tmp_path / "manifests" / f"{number}.csv", index=False)
    options = ("next", ["ang", "sad"], tmp_path / "run")
    refused(write_fold, tmp_path / "manifests", 3, *options)
    assert not (tmp_path / "run").exists()
    tally.count("options", "manifests", REFUSED)


# ------------------------------------------------------------ noise folders


def hiss(path, seconds=1.5, rate=16000, silent=(0.0, 0.0)):
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, int(seconds * rate))
    start, stop = (int(share * len(samples)) for share in silent)
    samples[start:stop] = 0
    soundfile.write(path, samples, rate)


def with_babble(content):
    return lambda folder: (folder / "babble.wav").write_bytes(content)


def cut(folder):
    hiss(folder / "babble.wav")
    content = (folder / "babble.wav").read_bytes()
    (folder / "babble.wav").write_bytes(content[:-20000])


NOISE_FOLDERS = {
    "empty": lambda folder: None,
    "no recording": lambda folder: (folder / "README.txt").write_text("noise"),
    "hidden": lambda folder: hiss(folder / "._babble.wav"),
    "a dangling link": lambda f: (f / "babble.wav").symlink_to("nowhere"),
    "a link to itself": lambda f: (f / "babble.wav").symlink_to("babble.wav"),
    "a folder": lambda folder: (folder / "babble.wav").mkdir(),
    "empty file": with_babble(b""),
    "text": with_babble(b"no audio\n" * 99),
    "a header alone": with_babble(b"RIFF\x24\0\0\0WAVEfmt "),
    "HTML": with_babble(b"<!doctype html><p>Not found"),
    "a git-lfs pointer": with_babble(b"version https://git-lfs.github.com/"),
    "cut": cut,
    "too short": lambda folder: hiss(folder / "babble.wav", 0.5),
    "no samples": lambda folder: hiss(folder / "babble.wav", 0),
    "silent": lambda f: hiss(f / "babble.wav", silent=(0, 1)),
    "silent in training": lambda f: hiss(f / "babble.wav", silent=(0, 0.6)),
    "silent in validation": lambda f: hiss(f / "babble.wav", silent=(0.5, 0.9)),
    "silent in the test": lambda f: hiss(f / "babble.wav", silent=(0.75, 1)),
    "called clean": lambda folder: hiss(folder / "clean.wav"),
    "one beside a damaged one": lambda folder: (
        hiss(folder / "a.wav"),
        with_babble(b"")(folder),
    ),
}


@pytest.mark.parametrize("kind", NOISE_FOLDERS)
@pytest.mark.parametrize("types", [None, ["babble"]])
def test_a_noise_folder_that_cannot_be_used_leaves_nothing(
    tally, tmp_path, kind, types
):
    source = tmp_path / "noise"
    source.mkdir()
    NOISE_FOLDERS[kind](source)
    cache = tmp_path / "results" / "noise"
    bank = NoiseBank(source, cache, types, SHARES)
    assert str(source) in refused(bank.prepare)
    assert not cache.parent.exists()
    tally.count("options", "noise folders", REFUSED)


@pytest.mark.parametrize("name", ["nowhere", "a_file"])
def test_what_is_no_folder_is_named(tally, tmp_path, name):
    (tmp_path / "a_file").write_text("")
    bank = NoiseBank(tmp_path / name, tmp_path / "cache", None, SHARES)
    assert name in refused(bank.prepare)
    assert not (tmp_path / "cache").exists()
    tally.count("options", "noise folders", REFUSED)


@pytest.mark.parametrize("held_out", ["gone", "babble"])
def test_a_noise_that_cannot_be_held_out_is_named(tally, tmp_path, held_out):
    hiss(tmp_path / "babble.wav")
    bank = NoiseBank(tmp_path, tmp_path / "cache", None, SHARES)
    bank.prepare()
    sampler = NoiseSampler(
        bank, "train", [0], "none", seed=1, held_out_noise=held_out
    )
    assert held_out in refused(sampler.resolve)
    tally.count("options", "noise folders", REFUSED)


@pytest.mark.parametrize("name", ["babble.WAV", "babble.flac", "a b.ogg"])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_noise_folder_that_can_be_used_is_used(tally, tmp_path, name, rate):
    hiss(tmp_path / name, rate=rate)
    (tmp_path / "notes.txt").write_text("")
    bank = NoiseBank(tmp_path, tmp_path / "cache", None, SHARES)
    bank.prepare()
    assert bank.types == [name.rpartition(".")[0]]
    tally.count("options", "noise folders", USED)
