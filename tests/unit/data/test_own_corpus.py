"""A CSV is a corpus: what it may hold, and what is refused in one line."""

import numpy as np
import pytest
import soundfile
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.data.folds import read_groups
from mlkd_brain.data.manifests import read_speakers, write_manifests
from mlkd_brain.data.own_corpus import (
    folder_of,
    labels,
    prepare_manifest,
    read_rows,
)
from mlkd_brain.errors import InputError

HEADER = "wav,spk_id,emo"


def csv(folder, *rows, header=HEADER):
    path = folder / "my.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_three_columns_are_enough(tmp_path):
    random = np.random.default_rng(0)
    for name, rate in (("a.wav", 8000), ("b.flac", 44100)):
        samples = random.uniform(-0.1, 0.1, rate)
        soundfile.write(tmp_path / name, samples, rate)
    path = csv(tmp_path, "a.wav,../01,Freude", "b.flac,NA,怒り")
    prepare_manifest(folder_of(path), tmp_path / "m", manifest=path)
    speakers = read_speakers(tmp_path / "m", labels(path))
    assert list(speakers) == ["../01", "NA"]
    row = speakers["NA"].iloc[0]
    assert (row["ID"], row["emo"]) == ("b", "怒り")
    assert row["duration"] == pytest.approx(1.0, abs=1e-3)


NAMES = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8
).filter(lambda text: text.strip() == text)


@settings(max_examples=60)
@given(st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_every_name_stays_the_text_that_it_is(tmp_path_factory, names):
    """Numbers, "NA", "none" and "1e3" are names too."""
    folder = tmp_path_factory.mktemp("names")
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    rows = [f"{i}.wav,{name},{name}" for i, name in enumerate(quoted)]
    table = read_rows(csv(folder, *rows))
    assert table["spk_id"].tolist() == table["emo"].tolist() == names


@pytest.mark.parametrize("name", ["1", "none", "NA", "1e3", "nan", "0x1f"])
def test_names_that_look_like_numbers_stay_text(tmp_path, name):
    path = csv(tmp_path, f"a.wav,{name},x", f"b.wav,{name},{name}")
    assert set(read_rows(path)["spk_id"]) == {name}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.wav,,joy", "b.wav,1,rage"], "row 2: spk_id is empty"),
        (["a.wav,1,joy", "b.wav,1,"], "row 3: emo is empty"),
        ([], "has no rows, only a header"),
        (["a.wav,1,joy", "a.flac,1,rage"], "rows 2 and 3: a.wav and a.flac"),
        (["a.wav,1,joy", "b.wav,1,joy"], "emo has 1 labels"),
        ([f"{i}.wav,1,{i}" for i in range(21)], "emo has 21 labels"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_rows(csv(tmp_path, *rows))


def test_a_missing_column_or_file_is_named(tmp_path):
    with pytest.raises(InputError, match="has no column emo; it needs wav"):
        read_rows(csv(tmp_path, "a.wav,1", header="wav,spk_id"))
    with pytest.raises(InputError, match="nowhere.csv: cannot be read"):
        read_rows(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="--manifest my.csv"):
        read_rows(None)


def test_wavs_elsewhere_are_found_in_training_too(tmp_path):
    (tmp_path / "corpus").mkdir()
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, 8000)
    soundfile.write(tmp_path / "far.wav", samples, 8000)
    soundfile.write(tmp_path / "corpus" / "near.wav", samples, 8000)
    path = csv(tmp_path / "corpus", f"{tmp_path}/far.wav,a,x", "near.wav,b,y")
    prepare_manifest(folder_of(path), tmp_path / "m", manifest=path)
    speakers = read_speakers(tmp_path / "m")
    assert speakers["a"]["wav"].item() == f"{tmp_path}/far.wav"
    assert speakers["b"]["wav"].item() == "$data_root/near.wav"


def test_a_column_fold_says_who_is_held_out_together(tmp_path):
    rows = [
        f"{speaker}{i}.wav,{speaker},{'xy'[i]},{fold}"
        for speaker, fold in (("a", 10), ("b", 2), ("c", 2), ("d", 9))
        for i in range(2)
    ]
    path = csv(tmp_path, *rows, header=f"{HEADER},fold")
    for row in rows:
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, 8000)
        soundfile.write(tmp_path / row.split(",")[0], noise, 16000)
    prepare_manifest(folder_of(path), tmp_path / "m", manifest=path)
    speakers = read_speakers(tmp_path / "m")
    assert read_groups(speakers, None) == [["b", "c"], ["d"], ["a"]]
    message = (
        "fold_groups is 3 and the corpus has a column fold, which says who is "
        "held out together; leave one of them out"
    )
    with pytest.raises(InputError, match=message):
        read_groups(speakers, 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.wav,1,x,1", "b.wav,1,y,2"], "speaker 1 is in the folds 1 and 2"),
        (["a.wav,1,x,1", "b.wav,2,y,2"], "has 2 folds; at least 3"),
        (["a.wav,1,x,1", "b.wav,2,y,"], "row 3: fold is empty"),
    ],
)
def test_folds_that_cannot_be_are_named(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_rows(csv(tmp_path, *rows, header=f"{HEADER},fold"))


def test_a_recording_is_one_utterance(tmp_path):
    path = csv(tmp_path, "1,a.wav,1,x", "2,a.wav,2,y", header=f"ID,{HEADER}")
    with pytest.raises(InputError, match="rows 2 and 3: both are a.wav"):
        read_rows(path)


def test_a_control_character_is_named(tmp_path):
    path = csv(tmp_path, 'a.wav,"1\n2",x', "b.wav,1,y")
    with pytest.raises(InputError, match="row 2: spk_id holds a control"):
        read_rows(path)


def test_doubled_ids_of_a_preparer_are_found_before_anything_is_measured(
    tmp_path,
):
    row = dict.fromkeys(["session", "gender", "style"], "")
    utterances = [
        {"ID": "u", "wav": wav, "spk_id": "a", "emo": "x", **row}
        for wav in ("no/such.wav", "nor/such.wav")
    ]
    with pytest.raises(
        InputError, match="nor/such.wav: has the ID u, as no/such.wav"
    ):
        write_manifests(utterances, tmp_path, tmp_path / "m")
