"""The synthetic corpus has IEMOCAP's layout and comes out the same each time.

Authors
 * The MLKD team 2026
"""

import ctypes
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("parselmouth", reason="pip install praat-parselmouth")

RECIPE = Path(__file__).parents[2] / "recipes" / "IEMOCAP" / "MLKD"
SMALL = {"utterances": 8, "speakers": 4, "noise_seconds": 3}
TURN = re.compile(
    r"^\[\d+\.\d{4} - \d+\.\d{4}\]\t"
    r"(Ses0[1-5][FM]_(?:impro\d\d|script\d\d_\d[a-z]?)_([FM])\d{3})\t"
    r"([a-z]{3})\t\[\d\.\d{4}, \d\.\d{4}, \d\.\d{4}\]$"
)


@pytest.fixture(scope="module")
def synthesis():
    """The script as a module, its folder on the path as when it is run."""
    sys.path.insert(0, str(RECIPE))
    try:
        import synthesise_corpus
    finally:
        sys.path.remove(str(RECIPE))
    return synthesise_corpus


@pytest.fixture(scope="module")
def corpus(synthesis, tmp_path_factory):
    """A corpus of four speakers."""
    return synthesis.synthesise(tmp_path_factory.mktemp("a") / "c", **SMALL)


def label_files(corpus):
    """Every label file, without the junk."""
    return sorted(corpus.glob("IEMOCAP/Session*/dialog/EmoEvaluation/Ses*.txt"))


def read_turns(corpus):
    """(wav, speaker, label) of every utterance that a label file names."""
    turns = []
    for path in label_files(corpus):
        wavs = path.parents[2] / "sentences" / "wav" / path.stem
        for line in path.read_text().splitlines():
            if line.startswith("["):
                name, gender, label = TURN.match(line).groups()
                assert name.startswith(f"{path.stem}_")
                wav = wavs / f"{name}.wav"
                turns.append((wav, name[:5] + gender, label))
    return turns


def contents(corpus):
    """Bytes of every file by its relative name."""
    files = (path for path in corpus.rglob("*") if path.is_file())
    return {str(path.relative_to(corpus)): path.read_bytes() for path in files}


def test_each_speaker_has_balanced_classes_and_labels_to_skip(corpus):
    counts = Counter(
        (speaker, label) for _, speaker, label in read_turns(corpus)
    )
    assert {speaker for speaker, _ in counts} == {
        *("Ses01F", "Ses01M", "Ses02F", "Ses02M")
    }
    expected = {"ang": 2, "hap": 1, "exc": 1, "neu": 2, "sad": 2}
    expected |= {"fru": 2, "xxx": 1}
    for (speaker, label), count in counts.items():
        assert count == expected[label], (speaker, label)
    assert len(counts) == 4 * len(expected)


def test_the_default_plan_has_forty_utterances_of_four_classes(synthesis):
    labels = Counter(turn.label for turn in synthesis.plan_turns(9, 40))
    assert labels == {
        **{"ang": 10, "hap": 5, "exc": 5, "neu": 10, "sad": 10},
        **{"fru": 2, "xxx": 1},
    }


def test_a_dialog_holds_both_speakers_and_more_than_one_class(corpus):
    for path in label_files(corpus):
        turns = [
            turn for turn in read_turns(corpus) if path.stem in turn[0].name
        ]
        assert len({speaker for _, speaker, _ in turns}) == 2
        assert len({label for _, _, label in turns}) > 1


def test_every_wav_is_labelled_and_every_label_has_a_wav(corpus):
    named = {wav for wav, _, _ in read_turns(corpus)}
    assert named == set(corpus.glob("IEMOCAP/Session*/sentences/wav/*/*.wav"))
    assert len(named) == 4 * (8 + 3)


def test_oddities_of_the_release_are_there(corpus):
    first, *others = label_files(corpus)
    assert first.read_text().startswith("% [START_TIME - END_TIME] TURN_NAME")
    junk = first.with_name("._Ses01F_impro01.txt")
    assert b"\x00" in junk.read_bytes()
    crlf = [path.name for path in others if b"\r\n" in path.read_bytes()]
    assert crlf == ["Ses01M_impro02.txt"]
    suffixed = {wav.name for wav, _, _ in read_turns(corpus)}
    assert "Ses02M_script01_1b_F000.wav" in suffixed


def test_annotators_agree_unless_the_label_is_xxx(corpus):
    blocks = label_files(corpus)[0].read_text().split("\n\n")[1:-1]
    assert len(blocks) > 3
    for block in blocks:
        votes = re.findall(r"^C-E\d:\t([\w ]+);\t\(\)$", block, re.MULTILINE)
        agree = 1 if "\txxx\t" in block else 2
        assert Counter(votes).most_common(1)[0][1] == agree
        ratings = r"^A-E\d:\tval [1-5]; act [1-5]; dom  [1-5];\t\(\)$"
        assert len(re.findall(ratings, block, re.MULTILINE)) == 2


def test_wavs_are_mono_16_bit_of_one_to_four_seconds(corpus):
    for wav, _, _ in read_turns(corpus):
        info = soundfile.info(wav)
        assert (info.samplerate, info.channels) == (16000, 1)
        assert info.subtype == "PCM_16"
        assert 1 <= info.duration <= 4, wav.name


def test_no_two_utterances_are_the_same_nor_clipped(corpus):
    sounds = [soundfile.read(wav)[0] for wav, _, _ in read_turns(corpus)]
    assert len({sound.tobytes() for sound in sounds}) == len(sounds)
    assert all(0.01 < np.abs(sound).max() < 1 for sound in sounds)


def test_noises_differ_and_are_silent_nowhere(corpus):
    noises = {
        path.stem: soundfile.read(path)[0] for path in corpus.glob("noise/*")
    }
    names = ("babble", "factory1", "f16", "hfchannel", "volvo")
    assert set(noises) == {f"synthetic_{name}" for name in names}
    for noise in noises.values():
        assert noise.shape == (3 * 16000,)
        assert np.abs(noise).max() <= 0.9
        assert noise.reshape(-1, 1600).std(1).min() > 1e-3  # every 100 ms
    # independent noises correlate by about 1 / sqrt(samples), 0.005; the low
    # tones of two of them by more
    correlation = np.abs(np.corrcoef(list(noises.values())) - np.eye(5))
    assert correlation.max() < 0.1


def test_a_second_run_gives_the_same_bytes(synthesis, corpus, tmp_path):
    again = synthesis.synthesise(tmp_path / "again", **SMALL)
    assert contents(again) == contents(corpus)


def test_speech_does_not_depend_on_what_its_caller_drew(synthesis):
    spoken = []
    for seed in (7, 8):
        ctypes.CDLL(None).srand(seed)
        # a voice that breathes
        spoken.append(
            synthesis.in_fresh_process(synthesis.speak, 1986, 2, 0, "ang")
        )
    assert np.array_equal(*spoken)


def test_sounds_depend_neither_on_size_nor_on_process(corpus, tmp_path):
    # another process: Praat's random numbers start from the clock in each
    script = str(RECIPE / "synthesise_corpus.py")
    sizes = "--utterances 4 --speakers 2 --noise_seconds 3".split()
    command = [sys.executable, script, str(tmp_path / "b"), *sizes]
    subprocess.run(command, check=True)
    smaller, larger = contents(tmp_path / "b"), contents(corpus)
    sounds = [name for name in smaller if name.endswith(".wav")]
    assert len(sounds) == 2 * (4 + 3) + 5
    assert [n for n in sounds if smaller[n] != larger[n]] == []


def test_another_seed_gives_another_utterance(synthesis):
    first, second = (
        synthesis.in_fresh_process(synthesis.speak, seed, 0, 3, "ang")
        for seed in (1, 2)
    )
    assert first.tobytes() != second.tobytes()


def test_a_complete_corpus_is_left_alone(synthesis, corpus, monkeypatch):
    monkeypatch.setattr(synthesis, "write_corpus", None)
    assert synthesis.synthesise(corpus, **SMALL) == corpus


def test_an_interrupted_run_leaves_nothing(synthesis, monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthesis, "sample_noise", interrupt)
    with pytest.raises(KeyboardInterrupt):
        synthesis.synthesise(tmp_path / "c", utterances=4, speakers=2)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_utterance_is_reported(synthesis, capfd):
    with pytest.raises(RuntimeError, match="speak failed on .*'joy'"):
        synthesis.in_fresh_process(synthesis.speak, 1986, 0, 0, "joy")
    assert "KeyError: 'joy'" in capfd.readouterr().err


def test_another_corpus_in_the_folder_is_an_error(synthesis, corpus):
    with pytest.raises(FileExistsError, match="'seed': 1986.*'seed': 7"):
        synthesis.synthesise(corpus, **SMALL, seed=7)


def test_a_folder_of_other_files_is_an_error(synthesis, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="holds other files"):
        synthesis.synthesise(tmp_path, **SMALL)


@pytest.mark.parametrize(
    "numbers, message",
    [
        ({"utterances": 6}, "--utterances 6, expected a multiple of 4"),
        ({"utterances": 0}, "--utterances 0, expected a multiple of 4"),
        ({"speakers": 3}, "--speakers 3, expected an even number"),
        ({"speakers": 12}, "--speakers 12, expected .* to 10"),
        ({"seed": -1}, "--seed -1 .* expected at least 0"),
        ({"noise_seconds": 0}, "--noise_seconds 0, expected at least"),
    ],
)
def test_bad_numbers_are_errors(synthesis, tmp_path, numbers, message):
    with pytest.raises(ValueError, match=message):
        synthesis.synthesise(tmp_path / "c", **numbers)


def test_missing_praat_is_an_instruction(synthesis, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["synthesise_speech"], "call", None)
    with pytest.raises(ImportError, match="pip install praat-parselmouth$"):
        synthesis.synthesise(tmp_path / "c")
