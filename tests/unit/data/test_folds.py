"""Folds share no speaker, and manifests are checked before they are used."""

import numpy as np
import pandas
import pytest
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.data.folds import (
    fold_speakers,
    read_groups,
    speaker_groups,
    write_fold,
)
from mlkd_brain.data.manifests import COLUMNS, FOLD, read_manifest
from mlkd_brain.errors import InputError

IEMOCAP = [
    f"Ses0{session}{letter}" for session in range(1, 6) for letter in "FM"
]
EMODB = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
EMOTIONS = ["ang", "hap", "neu", "sad"]


def alone(speakers):
    return [[name] for name in speakers]


@pytest.fixture()
def manifests(tmp_path):
    folder = tmp_path / "manifests"
    folder.mkdir()
    for speaker in EMODB:
        rows = [
            {
                **dict.fromkeys(COLUMNS, -20.0),
                "ID": f"{speaker}_{emotion}",
                "duration": 1.5,
                "wav": f"$data_root/{speaker}_{emotion}.wav",
                "spk_id": speaker,
                "session": "a01",
                "gender": "F",
                "style": "scripted",
                "emo": emotion,
            }
            for emotion in EMOTIONS
        ]
        pandas.DataFrame(rows).to_csv(folder / f"{speaker}.csv", index=False)
    return folder


@pytest.mark.parametrize("speakers", [IEMOCAP, EMODB])
@pytest.mark.parametrize("rule", ["session_partner", "next"])
@pytest.mark.parametrize("fold", range(1, 11))
def test_every_fold_holds_its_speakers_apart(speakers, rule, fold):
    parts = fold_speakers(alone(speakers), fold, rule)
    assert parts["test"] == [speakers[fold - 1]]
    everyone = parts["train"] + parts["valid"] + parts["test"]
    assert sorted(everyone) == speakers
    assert len(parts["train"]) == 8 and len(parts["valid"]) == 1


def test_iemocap_validates_on_the_other_speaker_of_the_session():
    for fold, test in enumerate(IEMOCAP, start=1):
        (valid,) = fold_speakers(alone(IEMOCAP), fold, "session_partner")[
            "valid"
        ]
        assert valid[:5] == test[:5] and valid != test


def test_emodb_validates_on_the_next_speaker():
    assert fold_speakers(alone(EMODB), 3, "next")["valid"] == ["10"]
    assert fold_speakers(alone(EMODB), 10, "next")["valid"] == ["03"]


@pytest.mark.parametrize("fold", [0, 11, -1, "x", 1.5, True])
def test_a_fold_outside_the_speakers_is_refused(fold):
    with pytest.raises(InputError, match=f"fold is {fold}.*from 1 to 10"):
        fold_speakers(alone(IEMOCAP), fold, "next")


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="'random' for validates_on"):
        fold_speakers(alone(IEMOCAP), 1, "random")


def test_a_session_partner_needs_two_speakers_a_session():
    message = "3 speakers .* even number, two in .* Use --validates_on next"
    with pytest.raises(InputError, match=message):
        fold_speakers(alone(["a", "b", "c"]), 3, "session_partner")


def test_two_speakers_are_too_few_to_train_validate_and_test():
    with pytest.raises(InputError, match="2 speakers.* too few: .* Bring 3"):
        fold_speakers(alone(["a", "b"]), 1, "next")


def test_a_folds_parts_are_written_from_the_speakers(manifests, tmp_path):
    run = tmp_path / "results" / "run"
    write_fold(manifests, 2, "next", EMOTIONS, run)
    parts = {
        part: read_manifest(run / f"{part}.csv")
        for part in ("train", "valid", "test")
    }
    assert set(parts["test"]["spk_id"]) == {"08"}
    assert set(parts["valid"]["spk_id"]) == {"09"}
    assert len(parts["train"]) == 32
    identifiers = np.concatenate([part["ID"] for part in parts.values()])
    assert len(set(identifiers)) == 40


def damage(manifests, **changes):
    path = manifests / "03.csv"
    table = pandas.read_csv(path, dtype={"spk_id": str})
    for column, value in changes.items():
        if value is None:
            table = table.drop(columns=column)
        else:
            table[column] = value
    table.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emo": None}, "03.csv: has no column emo"),
        ({"level_g712": None}, "has no column level_g712"),
        (
            {"emo": "joy"},
            "03.csv: utterance 03_ang has the unknown emotion 'joy'",
        ),
        (
            {"duration": 0.0},
            "03.csv, row 2: duration is 0.0; expected a number",
        ),
        ({"duration": "nan"}, "03.csv, row 2: duration is 'nan'"),
        ({"ID": "same"}, "ID same occurs twice"),
    ],
)
def test_a_damaged_manifest_is_named_with_row_and_key(
    manifests, tmp_path, changes, message
):
    damage(manifests, **changes)
    with pytest.raises(InputError, match=message) as caught:
        write_fold(manifests, 1, "next", EMOTIONS, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_missing_speaker_does_not_shift_the_partners(manifests, tmp_path):
    for number, path in enumerate(sorted(manifests.glob("*.csv"))):
        table = pandas.read_csv(path, dtype={"spk_id": str})
        table["session"] = f"Session{number // 2 + 1}"
        table.to_csv(path, index=False)
    write_fold(manifests, 3, "session_partner", EMOTIONS, tmp_path / "whole")
    (manifests / "03.csv").unlink()
    (manifests / "16.csv").unlink()
    message = (
        "08 and 09 do not share a session, so validates_on session_partner "
        "does not fit these speakers: 08, 09, 10, 11, 12, 13, 14, 15. "
        "Complete the corpus, or use --validates_on next"
    )
    with pytest.raises(InputError, match=message):
        write_fold(manifests, 1, "session_partner", EMOTIONS, tmp_path / "run")


def test_a_trained_run_keeps_its_utterances(manifests, tmp_path):
    run = tmp_path / "run"
    (manifests / "03.csv").rename(tmp_path / "03.csv")
    write_fold(manifests, 2, "next", EMOTIONS, run)
    before = (run / "test.csv").read_bytes()
    (run / "save" / "CKPT+1").mkdir(parents=True)
    write_fold(manifests, 2, "next", EMOTIONS, run)
    (tmp_path / "03.csv").rename(manifests / "03.csv")
    message = (
        "train.csv: the run there was trained with 28 utterances .* now gives "
        "32 or others. Delete the run's folder, or give another --results_fold"
    )
    with pytest.raises(InputError, match=message):
        write_fold(manifests, 2, "next", EMOTIONS, run)
    assert (run / "test.csv").read_bytes() == before


def test_an_empty_manifest_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no manifest.*--skip_prep"):
        write_fold(tmp_path, 1, "next", EMOTIONS, tmp_path / "run")


def test_a_manifest_that_is_no_csv_is_named(manifests, tmp_path):
    (manifests / "03.csv").write_bytes(b"\xff\xfe\x00junk")
    with pytest.raises(InputError, match="03.csv: cannot be read as CSV"):
        write_fold(manifests, 1, "next", EMOTIONS, tmp_path / "run")


# ------------------------------------------------------- groups of speakers


COUNTS = st.lists(
    st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(sum),
    min_size=5,
    max_size=20,
)


def table_of(counts):
    names = [f"s{i:02d}" for i in range(len(counts))]
    return pandas.DataFrame(counts, index=names, columns=EMOTIONS)


@settings(max_examples=50)
@given(COUNTS, st.integers(3, 5))
def test_groups_share_no_speaker_and_hold_them_all(counts, number):
    groups = speaker_groups(table_of(counts), number)
    assert len(groups) == number and all(groups)
    members = sorted(name for group in groups for name in group)
    assert members == list(table_of(counts).index)


def test_uneven_speakers_make_even_groups():
    """URDU's: 80, 48, 40, 38, 28, 28, 22 utterances and many small ones."""
    sizes = [80, 48, 40, 38, 28, 28, 22, *[8] * 8, *[4] * 8, *[2] * 10]
    counts = [[size / 4] * 4 for size in sizes]
    groups = speaker_groups(table_of(counts), 5)
    total = [4 * len(g) and table_of(counts).loc[g].sum().sum() for g in groups]
    assert max(total) <= 1.1 * min(total)


def test_groups_are_alike_in_labels_too():
    """Two speakers of each label, all of one size: one of each in a group."""
    counts = np.repeat(np.eye(4, dtype=int) * 10, 3, axis=0).tolist()
    groups = speaker_groups(table_of(counts), 3)
    for group in groups:
        assert table_of(counts).loc[group].sum().tolist() == [10] * 4


def test_speakers_of_unlike_labels_fill_one_another_up():
    """One joy and four fears in each group; other sums of shares miss it."""
    counts = pandas.DataFrame(
        {"joy": [1, 0, 0, 1, 1], "fear": [4, 4, 1, 3, 0]}, index=[*"abcde"]
    )
    assert speaker_groups(counts, 3) == [["a"], ["b", "e"], ["c", "d"]]


def test_a_rare_label_is_spread_as_a_frequent_one_is():
    """By size alone the two small ones, who are afraid, would be together."""
    counts = pandas.DataFrame(
        {"joy": [40, 30, 20, 10], "fear": [0, 0, 1, 1]}, index=[*"abcd"]
    )
    assert speaker_groups(counts, 3) == [["a"], ["b", "d"], ["c"]]


def test_a_label_that_a_speaker_lacks_counts_for_none_of_his_utterances():
    labels = {"a": "xxxxyy", "b": "yy", "c": "xxy", "d": "xxxx", "e": "xxy"}
    manifests = {
        name: pandas.DataFrame({"emo": [*own]}) for name, own in labels.items()
    }
    assert read_groups(manifests, 3) == [["a"], ["b", "d"], ["c", "e"]]


def test_speakers_of_one_size_are_dealt_out_in_their_order():
    groups = speaker_groups(table_of([[1] * 4] * 40), 3)
    assert groups == [[f"s{i:02d}" for i in range(k, 40, 3)] for k in range(3)]


def test_as_many_groups_as_speakers_leave_each_alone():
    groups = speaker_groups(table_of([[1] * 4] * 4), 4)
    assert sorted(groups) == [["s00"], ["s01"], ["s02"], ["s03"]]


@pytest.mark.parametrize("groups", [0, 2, 11, 2.5, "x"])
def test_groups_that_cannot_be_are_refused(groups):
    message = f"fold_groups is {groups}.*3 to 10, or null for one speaker each"
    with pytest.raises(InputError, match=message):
        speaker_groups(table_of([[1] * 4] * 10), groups)


def test_a_fold_of_groups_is_written(manifests, tmp_path):
    write_fold(manifests, 1, "next", EMOTIONS, tmp_path / "run", fold_groups=5)
    parts = {
        part: set(read_manifest(tmp_path / "run" / f"{part}.csv")["spk_id"])
        for part in ("train", "valid", "test")
    }
    assert [len(parts[p]) for p in ("train", "valid", "test")] == [6, 2, 2]
    assert len(set.union(*parts.values())) == 10


def take_out(manifests, labels, speakers):
    for speaker in speakers:
        path = manifests / f"{speaker}.csv"
        table = pandas.read_csv(path, dtype=str)
        table[~table["emo"].isin(labels)].to_csv(path, index=False)


def test_a_part_without_a_label_is_a_warning(manifests, tmp_path, caplog):
    take_out(manifests, ["hap", "sad"], ["03"])
    write_fold(manifests, 1, "next", EMOTIONS, tmp_path / "run")
    assert (
        "the test part of this fold, 2 utterances, has none of hap, sad: UA "
        "there is the mean recall of the other 2 classes. `mlkd check` of the "
        "CSV shows all folds; fold_groups or a column fold joins speakers."
    ) in caplog.text


def test_a_label_that_nobody_trains_is_a_warning(manifests, tmp_path, caplog):
    take_out(manifests, ["sad"], EMODB[2:])
    write_fold(manifests, 1, "next", EMOTIONS, tmp_path / "run")
    assert (
        "the train part of this fold, 24 utterances, has none of sad: no model "
        "of this fold can learn them. `mlkd check`"
    ) in caplog.text


def test_folds_of_a_column_come_by_number_and_behind_them_by_name():
    folds = {"a": "late", "b": "10", "c": "2", "d": "early", "e": "2"}
    manifests = {
        speaker: pandas.DataFrame({FOLD: [fold]})
        for speaker, fold in folds.items()
    }
    assert read_groups(manifests, None) == [["c", "e"], ["b"], ["d"], ["a"]]
