"""Names are text: of noises, speakers, utterances, whatever they look like."""

import os
from urllib.parse import quote

import pandas
import pytest
import soundfile
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.data.folds import fold_speakers
from mlkd_brain.data.manifests import NAME_BYTES, read_speakers, write_manifests
from mlkd_brain.errors import InputError
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.report.results import TEXTS, read_texts
from recordings import hiss

LOOK_LIKE_OTHERS = (
    "1 2 007 010 1e3 0x1F 1_000 .5 -1 +1 1.0 inf nan NaN NA N/A na n/a none "
    "None null NULL True False yes no on off ~ 2024-01-01 12:30 1,5 #NA #N/A "
    "<NA> -nan 1.#IND a.none a a.npy noises.csv = + *x &y ! | % @ ` {} []"
).split()
LETTERS = st.characters(exclude_categories=("Cs", "Cc"))
NAMES = st.one_of(
    st.sampled_from(LOOK_LIKE_OTHERS), st.text(LETTERS, min_size=1)
).filter(lambda name: len(quote(name, safe="")) <= NAME_BYTES)
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def utterance(name, speaker, wav):
    rest = dict.fromkeys(("session", "gender", "style"), name)
    return {"ID": name, "wav": wav, "spk_id": speaker, **rest, "emo": name}


def test_noises_may_have_any_name(tally, tmp_path):
    names = [n for n in LOOK_LIKE_OTHERS if "/" not in n]
    for number, name in enumerate(names):
        sound = hiss(1, 16000, seed=number)
        soundfile.write(tmp_path / f"{name}.wav", sound, 16000)
    bank = NoiseBank(tmp_path, tmp_path / "cache", shares=SHARES)
    bank.prepare()
    bank._opened.clear()  # as in another process
    for number, name in enumerate(names):
        assert bank.part_range(name, "test") == (12800, 16000)
        segment = bank.segment(name, "test", 0.0, 100)
        sound = hiss(1, 16000, seed=number)[12800:12900, 0]
        assert abs(segment - sound).max() < 1e-4  # 16 bits
        bank.level(name, "test", 0.0, 100, "g712")
        tally.count("files", "names that look like other types", "kept as text")


def test_a_noise_that_yaml_reads_as_a_number_is_found(tmp_path):
    for name in ("1", "007"):
        soundfile.write(tmp_path / f"{name}.wav", hiss(1, 16000), 16000)
    bank = NoiseBank(tmp_path, tmp_path / "cache", [1], SHARES)
    bank.prepare()
    assert bank.types == ["1"]
    with pytest.raises(InputError, match=r"a number has quotes: '\[\"007\"\]'"):
        NoiseBank(tmp_path, tmp_path / "cache", [7], SHARES).prepare()


@pytest.mark.parametrize(
    "name", [b"caf\xe9.wav", b"\xff.wav", b"a\rb.wav", b"a\nb.wav"]
)
def test_a_name_that_is_not_utf8_is_refused_in_a_table(tally, tmp_path, name):
    soundfile.write(tmp_path / "a.wav", hiss(1, 16000), 16000)
    os.rename(tmp_path / "a.wav", os.path.join(os.fsencode(tmp_path), name))
    bank = NoiseBank(tmp_path, tmp_path / "cache", shares=SHARES)
    with pytest.raises(InputError, match="is not UTF-8"):
        bank.prepare()
    tally.count("files", "names that no table holds", "refused in one line")


@settings(max_examples=25)
@given(st.lists(NAMES, min_size=3, max_size=6, unique=True))
def test_speakers_and_utterances_may_have_any_name(
    tally, tmp_path_factory, names
):
    folder = tmp_path_factory.mktemp("names")
    soundfile.write(folder / "a.wav", hiss(0.2, 16000), 16000)
    rows = [utterance(name, name, "a.wav") for name in names]
    write_manifests(rows, folder, folder / "manifests")
    speakers = read_speakers(folder / "manifests", names)
    assert set(speakers) == set(names)
    for name, table in speakers.items():
        for column in ("ID", "spk_id", "session", "gender", "style", "emo"):
            assert table[column].tolist() == [name]
    held = fold_speakers([[name] for name in sorted(names)], 2, "next")
    assert held["test"] == [sorted(names)[1]]
    outcome = "kept as text"
    tally.count(
        "files", "names of speakers and utterances", outcome, len(names)
    )


@settings(max_examples=25)
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_predictions_keep_every_name(tally, tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "predictions.csv"
    table = pandas.DataFrame(dict.fromkeys(TEXTS, names))
    table.assign(snr_db=[None] * len(names)).to_csv(path, index=False)
    back = read_texts(path, TEXTS)
    for text in TEXTS:
        assert back[text].tolist() == names
    assert back["snr_db"].isna().all()
    tally.count("files", "names in predictions", "kept as text", len(names))
