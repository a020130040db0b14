"""EmoDB's preparer, on made-up names and on the real recordings."""

import importlib.util
from collections import Counter

import numpy as np
import pytest
import soundfile
from mlkd_brain.data.folds import write_fold
from mlkd_brain.data.manifests import read_manifest, read_speakers
from mlkd_brain.errors import InputError
from places import REPOSITORY

FOLDER = REPOSITORY / "recipes" / "EmoDB" / "MLKD"
SPEAKERS = {
    "03": 39,
    "08": 42,
    "09": 30,
    "10": 21,
    "11": 35,
    "12": 22,
    "13": 36,
    "14": 41,
    "15": 34,
    "16": 39,
}


@pytest.fixture(scope="module")
def emodb():
    spec = importlib.util.spec_from_file_location(
        "emodb_prepare", FOLDER / "emodb_prepare.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def add(folder, *names):
    for name in names:
        samples = np.random.default_rng(0).uniform(-0.1, 0.1, 8000)
        soundfile.write(folder / f"{name}.wav", samples, 16000)


def test_four_of_seven_emotions_are_kept(emodb, tmp_path):
    add(tmp_path, "03a01Wa", "03a01Fa", "03a01Nc", "03a01Tb")
    add(tmp_path, "03a01La", "03a01Ea", "03a01Aa", "noise")
    kept = {u["ID"]: u["emo"] for u in emodb.list_utterances(tmp_path)}
    assert kept == {
        "03a01Wa": "ang",
        "03a01Fa": "hap",
        "03a01Nc": "neu",
        "03a01Tb": "sad",
    }


def test_a_wrong_count_is_refused_unless_it_is_allowed(emodb, tmp_path):
    add(tmp_path, "03a01Wa")
    with pytest.raises(InputError, match="has 1 utterances.*EmoDB has 339"):
        emodb.prepare_emodb(tmp_path, tmp_path / "manifests")
    emodb.prepare_emodb(tmp_path, tmp_path / "manifests", allow_partial=True)
    assert (tmp_path / "manifests" / "03.csv").is_file()


def test_missing_and_empty_folders_are_named(emodb, tmp_path):
    with pytest.raises(InputError, match="EMODB_ROOT; `make demo`"):
        emodb.list_utterances(tmp_path / "none")
    with pytest.raises(InputError, match="no file named as in EmoDB"):
        emodb.list_utterances(tmp_path)


def test_the_real_recordings_give_the_published_counts(
    emodb, corpora, tmp_path
):
    emodb.prepare_emodb(corpora / "emodb", tmp_path / "manifests")
    manifests = read_speakers(tmp_path / "manifests")
    assert {name: len(table) for name, table in manifests.items()} == SPEAKERS
    emotions = Counter(e for t in manifests.values() for e in t["emo"])
    assert emotions == {"ang": 127, "hap": 71, "neu": 79, "sad": 62}
    genders = {n: t["gender"].unique().tolist() for n, t in manifests.items()}
    assert [n for n, g in genders.items() if g == ["F"]] == [
        "08",
        "09",
        "13",
        "14",
        "16",
    ]
    levels = np.concatenate([t["level_none"] for t in manifests.values()])
    assert ((-35 < levels) & (levels < -5)).all()


def test_ten_folds_of_the_real_recordings_share_no_speaker(
    emodb, corpora, tmp_path
):
    emodb.prepare_emodb(corpora / "emodb", tmp_path / "manifests")
    tested = []
    for fold in range(1, 11):
        run = tmp_path / f"fold_{fold}"
        write_fold(
            tmp_path / "manifests",
            fold,
            "next",
            ["ang", "hap", "neu", "sad"],
            run,
        )
        speakers = [
            set(read_manifest(run / f"{part}.csv")["spk_id"])
            for part in ("train", "valid", "test")
        ]
        assert not speakers[0] & speakers[1] and not speakers[0] & speakers[2]
        assert not speakers[1] & speakers[2] and len(set.union(*speakers)) == 10
        tested += speakers[2]
    assert sorted(tested) == sorted(SPEAKERS)
