"""A CSV is a corpus: what it may hold, and what is refused in one line."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkd_brain.data.manifests import read_speakers
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
