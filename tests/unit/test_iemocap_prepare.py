"""IEMOCAP's release, read as it is: junk, CRLF, letter-suffixed dialogs."""

import pathlib

import numpy as np
import pandas
import pytest
import soundfile
from iemocap_prepare import (
    EXPECTED_SPEAKERS,
    check,
    comparison,
    count,
    describe,
    expected,
    list_utterances,
    prepare_iemocap,
)
from mlkd_brain.errors import InputError

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def add_dialog(root, session, dialog, turns, newline="\n"):
    """Write one annotation page and its wavs in the release's layout."""
    page = root / session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
    page.parent.mkdir(parents=True, exist_ok=True)
    text = HEADER
    for turn, emotion in turns:
        name = f"{dialog}_{turn}"
        text += f"[6.2901 - 8.2357]\t{name}\t{emotion}\t[2.5, 2.5, 2.5]\n"
        text += "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
        wav = root / session / "sentences" / "wav" / dialog / f"{name}.wav"
        wav.parent.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(len(name)).uniform(-0.1, 0.1, 8000)
        soundfile.write(wav, samples, 16000, "PCM_16")
    page.write_bytes(text.replace("\n", newline).encode())
    return page


@pytest.fixture()
def release(tmp_path):
    add_dialog(
        tmp_path,
        "Session5",
        "Ses05M_script01_1b",
        [("F003", "neu"), ("M001", "exc"), ("M002", "fru"), ("F004", "xxx")],
    )
    page = add_dialog(
        tmp_path,
        "Session1",
        "Ses01F_impro01",
        [("F000", "ang"), ("M000", "hap"), ("M001", "sad")],
        newline="\r\n",
    )
    (page.parent / f"._{page.name}").write_bytes(b"\x00\x05\x16\x07" * 20)
    return tmp_path


def test_the_speaker_is_the_letter_after_the_last_underscore(release):
    speakers = {u["ID"]: u["spk_id"] for u in list_utterances(release)}
    assert speakers == {
        "Ses01F_impro01_F000": "Ses01F",
        "Ses01F_impro01_M000": "Ses01M",
        "Ses01F_impro01_M001": "Ses01M",
        "Ses05M_script01_1b_F003": "Ses05F",
        "Ses05M_script01_1b_M001": "Ses05M",
    }


def test_excitement_counts_as_happiness_and_other_emotions_are_left(release):
    emotions = {u["ID"]: u["emo"] for u in list_utterances(release)}
    assert emotions["Ses05M_script01_1b_M001"] == "hap"
    assert set(emotions.values()) == {"ang", "hap", "neu", "sad"}
    assert len(emotions) == 5


def test_what_a_name_tells():
    scripted = describe("Ses05M_script01_1b_F003", "neu", "Session5")
    assert scripted["style"] == "scripted" and scripted["gender"] == "F"
    assert scripted["wav"] == (
        "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_F003.wav"
    )
    improvised = describe("Ses01F_impro01_M000", "hap", "Session1")
    assert improvised["style"] == "improvised"


def test_the_expected_counts_add_up():
    assert expected()["all"] == 5531 == sum(EXPECTED_SPEAKERS.values())


def test_one_sorted_csv_for_each_speaker(release, tmp_path):
    folder = tmp_path / "manifests"
    prepare_iemocap(release, folder, allow_partial=True)
    assert sorted(p.name for p in folder.glob("*.csv")) == [
        "Ses01F.csv",
        "Ses01M.csv",
        "Ses05F.csv",
        "Ses05M.csv",
    ]
    table = pandas.read_csv(folder / "Ses01M.csv")
    assert table["ID"].tolist() == [
        "Ses01F_impro01_M000",
        "Ses01F_impro01_M001",
    ]
    assert table["wav"].str.startswith("$data_root/Session1/").all()
    assert table["duration"].tolist() == [0.5, 0.5]
    assert table["level_none"].between(-26, -24).all()  # uniform, 0.1


def test_a_second_preparation_does_nothing_until_a_recording_changes(
    release, tmp_path
):
    folder = tmp_path / "manifests"
    prepare_iemocap(release, folder, allow_partial=True)
    first = (folder / "Ses01F.csv").stat().st_mtime_ns
    prepare_iemocap(release, folder, allow_partial=True)
    assert (folder / "Ses01F.csv").stat().st_mtime_ns == first
    wav = next(release.rglob("Ses01F_impro01_F000.wav"))
    soundfile.write(wav, np.full(16000, 0.1), 16000)
    prepare_iemocap(release, folder, allow_partial=True)
    assert pandas.read_csv(folder / "Ses01F.csv")["duration"][0] == 1.0


def test_a_wrong_count_stops_with_a_table(release, tmp_path):
    with pytest.raises(InputError, match="not the counts of IEMOCAP") as caught:
        prepare_iemocap(release, tmp_path / "manifests")
    assert "Ses02F         0       481  differs by -481" in str(caught.value)
    assert "--allow_partial True" in str(caught.value)
    assert not (tmp_path / "manifests").exists()


def test_the_complete_counts_differ_nowhere():
    assert "differs" not in comparison(expected())
    assert "differs by +1" in comparison({**expected(), "ang": 1104})


def test_counting(release):
    counts = count(list_utterances(release))
    assert counts["all"] == 5 and counts["hap"] == 2 and counts["Ses01M"] == 2


def test_the_check_names_missing_and_damaged_files(release, capsys):
    wavs = sorted(release.rglob("*.wav"))
    wavs[0].unlink()
    wavs[1].write_bytes(wavs[1].read_bytes()[:500])
    soundfile.write(wavs[2], np.full((22050, 2), 0.1), 44100)
    assert check(release) is False
    said = capsys.readouterr().out
    assert f"missing: {wavs[0]}" in said
    assert f"unusable: {wavs[1]}: truncated" in said
    assert f"{wavs[2]}: 44100 Hz instead of 16000" in said


def test_a_missing_folder_says_where_to_get_it(tmp_path):
    with pytest.raises(InputError, match="IEMOCAP_ROOT.*make demo"):
        list_utterances(tmp_path / "nothing")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="no utterance found"):
        list_utterances(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda wav: wav.write_bytes(b""), "cannot be read as audio"),
        (lambda wav: wav.write_bytes(wav.read_bytes()[:2000]), "truncated"),
        (lambda wav: soundfile.write(wav, [], 16000), "lasts 0.000 s"),
        (pathlib.Path.unlink, "1 recordings of the annotation are missing"),
    ],
)
def test_a_damaged_recording_is_named_and_nothing_is_written(
    release, tmp_path, damage, message
):
    wav = next(release.rglob("Ses01F_impro01_F000.wav"))
    damage(wav)
    with pytest.raises(InputError, match=message) as caught:
        prepare_iemocap(release, tmp_path / "manifests", allow_partial=True)
    assert "Ses01F_impro01_F000.wav" in str(caught.value)
    assert "\n" not in str(caught.value)
    left = {path.name for path in tmp_path.glob("*manifests*")}
    assert left <= {".manifests.lock"}


def test_stereo_at_another_rate_is_handled(release, tmp_path):
    wav = next(release.rglob("Ses01F_impro01_F000.wav"))
    soundfile.write(wav, np.full((44100, 2), 0.1), 44100)
    prepare_iemocap(release, tmp_path / "manifests", allow_partial=True)
    table = pandas.read_csv(tmp_path / "manifests" / "Ses01F.csv")
    assert table["duration"][0] == 1.0
