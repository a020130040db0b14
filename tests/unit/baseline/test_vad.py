"""What is kept of an utterance, on signals whose speech is known."""

import pytest
import torch
from mlkd_brain.audio import SAMPLE_RATE, read_mono
from mlkd_brain.baseline.vad import DETECTORS, VoiceActivity, _louder_frames
from mlkd_brain.errors import InputError

SETTINGS = {
    "window_seconds": 0.025,
    "hop_seconds": 0.01,
    "hangover_seconds": 0.1,
    "shortest_seconds": 0.3,
}
BURSTS = [(0.5, 1.0), (1.8, 2.6)]  # seconds
EDGE = 0.025  # seconds; a window hears a burst that it overlaps


def bursts_in_noise(snr_db=20.0, seconds=3.5):
    """Tones that come and go in steady noise, (time,)."""
    random = torch.Generator().manual_seed(1986)
    time = torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wav = 10 ** (-snr_db / 20) * torch.randn(len(time), generator=random) / 4
    for start, stop in BURSTS:
        inside = (time >= start) & (time < stop)
        wav = wav + inside * torch.sin(2 * torch.pi * 300 * time) / 4
    return wav


def within(start, stop):
    return slice(round(start * SAMPLE_RATE), round(stop * SAMPLE_RATE))


@pytest.fixture(params=DETECTORS)
def detector(request):
    if request.param == "webrtc":
        pytest.importorskip("webrtcvad")
    if request.param == "silero":
        pytest.importorskip("silero_vad")
    return VoiceActivity(request.param, **SETTINGS)


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 40.0])
def test_bursts_and_their_hangover_are_kept_and_the_noise_between_is_not(
    snr_db,
):
    active = VoiceActivity("energy", **SETTINGS).active(bursts_in_noise(snr_db))
    hangover = SETTINGS["hangover_seconds"]
    silent = torch.ones_like(active)
    for start, stop in BURSTS:
        assert active[within(start, stop)].all()
        # the end of speech is found within a window, and then the hangover runs
        assert active[within(stop, stop + hangover - EDGE)].all()
        silent[within(start - EDGE, stop + hangover + EDGE)] = False
    assert not active[silent].any()


def test_a_longer_hangover_keeps_so_much_more():
    wav = bursts_in_noise()
    kept = [
        len(VoiceActivity("energy", **{**SETTINGS, "hangover_seconds": s})(wav))
        for s in (0.0, 0.2)
    ]
    assert kept[1] - kept[0] == len(BURSTS) * 0.2 * SAMPLE_RATE


def test_what_is_kept_are_the_samples_themselves():
    wav = bursts_in_noise()
    cut = VoiceActivity("energy", **SETTINGS)
    assert torch.equal(cut(wav), wav[cut.active(wav)])


def test_loudness_changes_nothing():
    cut, wav = VoiceActivity("energy", **SETTINGS), bursts_in_noise()
    assert torch.equal(cut.active(wav), cut.active(0.01 * wav))


def test_the_whole_utterance_is_kept_rather_than_a_shred():
    wav = 0.001 * torch.randn(2 * SAMPLE_RATE, generator=torch.manual_seed(1))
    wav[within(1.0, 1.1)] += 0.5
    settings = {**SETTINGS, "hangover_seconds": 0.0}
    assert torch.equal(VoiceActivity("energy", **settings)(wav), wav)
    settings["shortest_seconds"] = 0.05
    assert 0.1 <= len(VoiceActivity("energy", **settings)(wav)) / 16000 < 0.15


def test_the_loudest_frames_are_speech_however_wide_the_quiet_gaussian_is():
    random = torch.Generator().manual_seed(1)
    quiet = -60 + 15 * torch.randn(200, generator=random)
    loud = -20 + torch.randn(100, generator=random)
    levels = torch.cat([quiet, loud, torch.tensor([0.0, 5.0])])
    assert _louder_frames(levels)[200:].all()


def test_frames_of_two_levels_are_told_apart():
    levels = torch.tensor([-60.0, -58.0, -20.0, -22.0, -61.0])
    assert _louder_frames(levels).tolist() == [False, False, True, True, False]


@pytest.mark.parametrize(
    "wav",
    [
        torch.zeros(SAMPLE_RATE),
        torch.zeros(1),
        torch.ones(1),
        torch.ones(161),
        torch.randn(1600, generator=torch.manual_seed(1)),
        (9 * torch.randn(SAMPLE_RATE, generator=torch.manual_seed(1))).clamp(
            -1, 1
        ),
    ],
    ids=["silence", "one zero", "one sample", "161", "0.1 s", "clipped"],
)
def test_odd_utterances_stay_finite_and_never_vanish(detector, wav):
    kept = detector(wav)
    assert 0 < len(kept) <= len(wav)
    assert torch.isfinite(kept).all()


def test_digital_silence_around_speech_is_dropped(detector, corpora):
    speech = read_mono(sorted((corpora / "emodb").rglob("*.wav"))[0])
    silence = torch.zeros(SAMPLE_RATE)
    kept = detector(torch.cat([silence, speech, silence]))
    assert 0.5 * len(speech) < len(kept) < len(speech) + SAMPLE_RATE


def test_the_same_utterance_is_cut_alike_twice(detector):
    assert torch.equal(detector(bursts_in_noise()), detector(bursts_in_noise()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"detector": "loudness"}, "'loudness' for detector, expected one of"),
        ({"hop_seconds": 0.0}, "hop_seconds is 0.0 .* at most the window"),
        ({"hop_seconds": 0.03}, "hop_seconds is 0.03 .* at most the window"),
        (
            {"hangover_seconds": -1.0},
            "hangover_seconds is -1.0; it is at least",
        ),
        ({"aggressiveness": 4}, "aggressiveness is 4, expected 0, 1, 2 or 3"),
        ({"threshold": 1.5}, "threshold is 1.5; it is a probability"),
    ],
)
def test_a_bad_value_is_named(change, message):
    with pytest.raises(InputError, match=message):
        VoiceActivity(**{"detector": "energy", **SETTINGS, **change})


@pytest.mark.parametrize(
    ("detector", "package", "pip"),
    [
        ("webrtc", "webrtcvad", "webrtcvad-wheels"),
        ("silero", "silero_vad", "silero-vad"),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    detector, package, pip, monkeypatch
):
    monkeypatch.setattr("mlkd_brain.optional.is_installed", lambda _: False)
    with pytest.raises(InputError, match=f"{package} .* `pip install {pip}`"):
        VoiceActivity(detector, **SETTINGS)


def test_silero_leaves_the_threads_alone():
    pytest.importorskip("silero_vad")
    before = torch.get_num_threads()
    VoiceActivity("silero", **SETTINGS)
    assert torch.get_num_threads() == before
