"""The gain of the enhancement: measured on unseen speakers and seconds."""

import numpy as np
import pandas
import pytest
import soundfile
import torch
from mlkd_brain.baseline.command import main
from mlkd_brain.baseline.enhancement import KNOWLEDGE
from mlkd_brain.baseline.enhancement_gain import (
    gain_table,
    gains,
    learn_fold,
    mixture,
    prepared,
    read_all,
    sdr_db,
    si_sdr_db,
)
from mlkd_brain.data.manifests import read_speakers, write_manifests
from mlkd_brain.errors import InputError
from places import REPOSITORY
from scipy.signal import correlate

SPEAKERS = ("a", "b", "c")
YAML = REPOSITORY / "recipes" / "EmoDB" / "MLKD" / "hparams" / "vad_nmf.yaml"


def syllables(pitch):
    time = np.arange(24000) / 16000
    voice = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 12))
    return 0.2 * voice * np.clip(np.sin(2 * np.pi * 2 * time), 0, 1)


def utterance(path, speaker):
    return {
        "ID": path.stem,
        "wav": path.name,
        "spk_id": speaker,
        "session": speaker,
        "gender": "F",
        "style": "acted",
        "emo": "ang",
    }


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Three speakers, a rumble, and the recipe's own settings."""
    folder = tmp_path_factory.mktemp("gain")
    speech, noise = folder / "speech", folder / "noise"
    speech.mkdir()
    noise.mkdir()
    for number, speaker in enumerate(SPEAKERS):
        wav = syllables(100 + 30 * number)
        soundfile.write(speech / f"{speaker}1.wav", wav, 16000)
    utterances = [utterance(speech / f"{name}1.wav", name) for name in SPEAKERS]
    write_manifests(utterances, speech, folder / "results" / "manifests")
    rumble = np.random.default_rng(1).normal(0, 0.01, 160000).cumsum()
    rumble -= np.convolve(rumble, np.ones(801) / 801, "same")
    soundfile.write(noise / "rumble.wav", rumble, 16000)
    return recipe(speech, noise, folder / "results", "rumble")


def recipe(speech, noise, results, noise_type):
    return [
        str(YAML),
        f"--data_folder={speech}",
        f"--noise_folder={noise}",
        f"--results_folder={results}",
        f"--noise_types=[{noise_type}]",
    ]


def test_a_mixture_has_its_snr_for_a_ratio_before_the_enhancement(options):
    with prepared(options) as hparams:
        clean = torch.from_numpy(syllables(120)).float()
        for snr_db in (0.0, 10.0):
            noisy = mixture(
                clean, hparams["noise_bank"], "a1", "rumble", snr_db
            )
            assert sdr_db(clean, noisy) == pytest.approx(snr_db, abs=1e-3)


def test_what_is_added_comes_from_the_seconds_that_nothing_learns_from(options):
    with prepared(options) as hparams:
        bank, clean = hparams["noise_bank"], torch.zeros(8000) + 0.1
        added = (mixture(clean, bank, "a1", "rumble", 0.0) - clean).numpy()
        first, stop = bank.part_range("rumble", "test")
        unseen = bank.segment("rumble", "test", 0.0, stop - first)
    start = correlate(unseen, added, "valid").argmax()
    similarity = np.corrcoef(unseen[start : start + len(added)], added)[0, 1]
    assert similarity > 0.999


def test_every_speaker_is_tested_with_every_noise_and_knowledge(options):
    with prepared(options) as hparams:
        results = gains(hparams, [0.0])
    assert len(results) == len(SPEAKERS) * 2 * len(KNOWLEDGE)
    assert set(results["noise"]) == {"rumble", "white"}
    assert (results.groupby("noise")["sdr"].mean() > 3).all()


def test_the_atoms_of_a_fold_have_not_heard_its_test_speaker(options):
    with prepared(options) as hparams:
        manifests = read_speakers(hparams["manifest_folder"])

        def atoms(speaker, heard):
            changed = {**manifests, speaker: manifests[heard]}
            tested = learn_fold(hparams, changed, 1)
            assert tested is changed["a"]
            return hparams["enhancement"].speech_atoms.clone()

        usual = atoms("a", "a")
        assert torch.equal(usual, atoms("a", "b"))
        # nor the validation speaker, so that the third alone is left
        assert torch.equal(usual, atoms("b", "a"))
        assert not torch.equal(usual, atoms("c", "b"))


def test_white_and_car_noise_lose_four_decibels_on_real_speech(
    corpora, tmp_path
):
    wavs = sorted((corpora / "emodb").rglob("*.wav"))
    rows = [
        utterance(path, path.name[:2])
        for path in wavs
        if path.name[2:5] == "a01"  # one of the sentences
    ]
    write_manifests(rows, wavs[0].parent, tmp_path / "manifests")
    options = recipe(wavs[0].parent, corpora / "noise", tmp_path, "volvo")
    with prepared(options) as hparams:
        bank, enhance = hparams["noise_bank"], hparams["enhancement"]
        tested = learn_fold(
            hparams, read_speakers(hparams["manifest_folder"]), 1
        )
        heard = list(read_all(tested, hparams["data_folder"]))
        assert len(heard) > 1 and bank.types == ["volvo", "white"]
        for noise in bank.types:
            gained = [
                sdr_db(clean, enhance(mixture(clean, bank, row.ID, noise, 0)))
                for row, clean in heard  # at 0 dB, the gain is what is reached
            ]
            assert np.mean(gained) > 4


def test_the_command_writes_table_and_picture(options, tmp_path):
    readme, picture = tmp_path / "README.md", tmp_path / "gain.png"
    kept = tmp_path / "gains.csv.xz"
    readme.write_text("<!-- begin gain -->\n<!-- end gain -->\n")
    main(
        [*options, f"--into={readme}", "--marker=gain"]
        + [f"--picture={picture}", f"--keep={kept}"]
    )
    assert gain_table(pandas.read_csv(kept)) in readme.read_text()
    lines = readme.read_text().splitlines()
    assert lines[1] == "| SNR | noise | oracle | pooled | blind |"
    assert lines[3].startswith("| 0 dB | rumble | +")
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--enhancement=null", "enhancement is null"),
        ("--manifest_folder=nowhere", "nowhere: holds no manifest"),
        ("--noise_folder=nowhere", "noise_folder 'nowhere' is not a folder"),
    ],
)
def test_bad_input_is_one_line(options, change, message):
    key = change.split("=")[0]
    kept = [option for option in options if not option.startswith(key)]
    with pytest.raises(InputError, match=message):
        main([*kept, change])


def test_scale_lowers_one_ratio_and_not_the_other():
    wav = torch.randn(1000, generator=torch.manual_seed(1))
    noisy = wav + 0.1 * torch.randn(1000, generator=torch.manual_seed(2))
    assert sdr_db(wav, noisy) == pytest.approx(20, abs=0.5)
    assert si_sdr_db(wav, noisy) == pytest.approx(20, abs=0.5)
    assert sdr_db(wav, 0.5 * noisy) < 7
    assert si_sdr_db(wav, 0.5 * noisy) == pytest.approx(
        si_sdr_db(wav, noisy), abs=1e-3
    )
