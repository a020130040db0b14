"""What the embedded encoder learns from: descriptors, distortions, targets."""

import hashlib
import json

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import (
    given,
    strategies as st,
)
from mlkd_brain.data.descriptors import FrameDescriptors, functionals
from mlkd_brain.errors import InputError
from mlkd_brain.method.embedded import EMBEDDED, FOLDER, WEIGHTS
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.pretraining.brain import FrameMasking, MaskedSpans, drop_blocks
from mlkd_brain.pretraining.distortions import (
    DistortedSpeech,
    coloured_noise,
    equalise,
    generator,
)
from mlkd_brain.pretraining.targets import (
    ClusterPrediction,
    FrameRegression,
    Standardiser,
    UtteranceRegression,
)
from torch._subclasses.fake_tensor import FakeTensorMode

from speechbrain.utils.epoch_loop import EpochCounter

HOP, FIRST_CENTRE = 640, 388
RATE = 16000


@pytest.fixture(scope="module")
def descriptors():
    return FrameDescriptors(hop=HOP, first_centre=FIRST_CENTRE)


def tone(hertz, seconds=1.0):
    time = torch.arange(int(seconds * RATE)) / RATE
    # three harmonics: a voice has more than one
    return sum(torch.sin(2 * torch.pi * k * hertz * time) for k in (1, 2, 3))


@given(hertz=st.floats(75, 450))
def test_f0_of_a_tone_is_its_frequency(descriptors, hertz):
    f0 = descriptors(tone(hertz)[None])[0, 5:-5, 0]
    # a lag is a whole number of samples: at most 3 % at 450 Hz, half a semitone
    assert (f0 - 12 * np.log2(hertz / 70)).abs().max() < 0.6


def test_noise_and_silence_have_no_f0_and_nothing_infinite(descriptors):
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1))
    for wav in (noise, torch.zeros(1, RATE)):
        values = descriptors(wav)[0]
        assert values[:, 0].isnan().all()
        assert values[:, 1:].isfinite().all()


@given(gain=st.floats(1e-2, 1e2))
def test_loudness_of_the_recording_is_not_described(descriptors, gain):
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(1))
    wav = (tone(200) + 0.1 * noise)[None]
    ours, louder = descriptors(wav), descriptors(gain * wav)
    assert torch.allclose(ours, louder, 1e-3, 1e-2, equal_nan=True)


@pytest.mark.parametrize(
    ("offset", "seen"),
    [(-513, False), (-512, True), (511, True), (512, False)],
)
def test_a_frame_reaches_half_a_window_to_both_sides(descriptors, offset, seen):
    wav = torch.zeros(1, RATE)
    wav[0, FIRST_CENTRE + 7 * HOP + offset] = 1.0
    energy = descriptors(wav)[0, 7, descriptors.names.index("energy")]
    assert (energy > -79) == seen  # -80 dB is silence


def test_frames_are_those_of_the_embedded_encoder():
    config = json.loads((FOLDER / "config.json").read_text())
    span, hop = 1, 1
    for kernel, stride in zip(config["conv_kernel"], config["conv_stride"]):
        span, hop = span + (kernel - 1) * hop, hop * stride
    assert (hop, span // 2) == (HOP, FIRST_CENTRE)


def test_there_is_a_description_for_every_hidden_state(descriptors):
    encoder_frames = [  # of the embedded encoder: 776 samples, every 640
        (samples - 776) // 640 + 1 for samples in (776, 1416, 16000, 47999)
    ]
    for samples, frames in zip((776, 1416, 16000, 47999), encoder_frames):
        assert descriptors(torch.zeros(1, samples)).shape[1] >= frames


def test_functionals_do_not_see_the_padding():
    values = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(2, 9).bool()
    mask[1, 4:] = False
    alone = functionals(values[1:, :4], mask[1:, :4])
    assert torch.allclose(functionals(values, mask)[1:], alone)


@pytest.fixture
def recordings(tmp_path):
    for name, hertz in (("low", 100), ("high", 300)):
        soundfile.write(tmp_path / f"{name}.wav", 0.2 * tone(hertz, 2), RATE)
    return [str(tmp_path / f"{name}.wav") for name in ("low", "high")]


def distortion(recordings, **changes):
    options = {
        "seed": 1986,
        "seconds": 1.0,
        "speeds": [1.0],
        "noisy_ratio": 1.0,
        "snrs_db": [10.0, 10.0],
        "babble_ratio": 1.0,
        "babble_speakers": 2,
        "equalised_ratio": 0.0,
        "equaliser_db": 5.0,
    }
    distorted = DistortedSpeech(**{**options, **changes})
    distorted.take_babble_from(recordings)
    return distorted


def test_the_same_epoch_has_the_same_samples_and_another_others(recordings):
    counter = EpochCounter(limit=9)
    counter.current = 1
    first = distortion(recordings, epoch_counter=counter)
    _, once = first("u1", recordings[0])
    _, again = distortion(recordings, epoch_counter=counter)(
        "u1", recordings[0]
    )
    assert torch.equal(once, again)
    counter.current = 2
    assert not torch.equal(once, first("u1", recordings[0])[1])


@pytest.mark.parametrize("babble_ratio", [0.0, 1.0])
def test_noise_is_added_at_the_snr_that_was_sampled(recordings, babble_ratio):
    sample = distortion(recordings, babble_ratio=babble_ratio)
    clean, distorted = sample("u1", recordings[0])
    snr = 10 * torch.log10(
        clean.square().mean() / (distorted - clean).square().mean()
    )
    assert abs(snr - 10) < 0.01


def test_every_crop_has_the_wanted_length(recordings):
    # floats: 3.0 * 0.7 and 2.01 * 1.1 are a little less than they seem
    for seconds, speed in ((1.0, 0.8), (3.5, 1.2), (3.0, 0.7), (2.01, 1.1)):
        sample = distortion(recordings, seconds=seconds, speeds=[speed])
        for sig in sample("u1", recordings[0]):
            assert sig.shape == (round(seconds * RATE),)


def test_a_faster_crop_is_a_higher_voice(recordings, descriptors):
    clean, _ = distortion(recordings, speeds=[1.2])("u1", recordings[0])
    f0 = descriptors(clean[None])[0, 5:-5, 0].nanmean()
    assert abs(f0 - 12 * np.log2(1.2 * 100 / 70)) < 0.6


def test_without_noise_the_crop_is_clean(recordings):
    clean, same = distortion(recordings, noisy_ratio=0.0)("u", recordings[1])
    assert torch.equal(clean, same)


@given(seed=st.integers(0, 99))
def test_noise_and_equaliser_are_finite(seed):
    noise = coloured_noise(4000, generator(seed))
    assert np.isfinite(noise).all() and noise.std() > 0
    assert np.isfinite(equalise(noise, 6.0, generator(seed))).all()


@given(ratio=st.floats(0.05, 0.6))
def test_about_the_wanted_ratio_of_frames_is_masked(ratio):
    masked = MaskedSpans(ratio, span=5)(("u", ratio), 20000).mean()
    # spans overlap: 1 - (1 - p)^5 with p = ratio / 5
    assert abs(masked - (1 - (1 - ratio / 5) ** 5)) < 0.03


@pytest.mark.parametrize(("ratio", "span"), [(1.0, 5), (-0.1, 5), (0.3, 0)])
def test_a_mask_that_cannot_be_sampled_is_refused(ratio, span):
    with pytest.raises(ValueError, match=f"{ratio} and masked_frames {span}"):
        MaskedSpans(ratio, span)


def test_masked_frames_reach_the_transformer_as_one_vector(tiny_wav2vec2):
    encoder = SpeechEncoder(tiny_wav2vec2).eval()
    masking = FrameMasking(encoder)
    wavs = torch.randn(2, 8000, generator=torch.Generator().manual_seed(1))
    frames = encoder(wavs).frame_mask
    masking.masked = frames
    with torch.no_grad():
        one, other = encoder(wavs).last
        assert torch.allclose(one, other, atol=1e-6)
        masking.masked = ~frames
        masked = encoder(wavs).last
        masking.masked = None
        assert torch.equal(masked, encoder(wavs).last)


def test_a_dropped_block_passes_its_input_on_in_training_alone(tiny_wav2vec2):
    encoder = drop_blocks(SpeechEncoder(tiny_wav2vec2), 1.0)
    untouched = SpeechEncoder(tiny_wav2vec2).eval()
    wav = torch.randn(1, 8000, generator=torch.Generator().manual_seed(1))
    blocks = encoder.train()(wav).blocks
    assert len(blocks) == 4
    assert all(torch.equal(block, blocks[0]) for block in blocks)
    assert torch.equal(encoder.eval()(wav).last, untouched(wav).last)


def test_a_head_leaves_out_padding_and_what_is_unknown():
    head = FrameRegression(hidden_size=4, descriptors=2, block=None)
    hidden = torch.randn(1, 3, 4)
    target = head.predict(hidden).detach()
    target[0, 1, 0] = torch.nan
    target[0, 2] = 99.0
    frame_mask = torch.tensor([[True, True, False]])
    assert head(hidden, target, frame_mask).item() == 0.0


def test_the_mean_over_frames_can_be_made_to_hold_functionals():
    torch.manual_seed(1)
    head = UtteranceRegression(hidden_size=4, descriptors=2, block=None)
    target, frame_mask = torch.randn(2, 6, 2), torch.ones(2, 6).bool()
    head.measure([target[:1], target[1:]])
    loss = head(torch.randn(2, 6, 4), target, frame_mask)
    loss.backward()
    assert loss > 0 and head.predict.weight.grad.abs().sum() > 0


def test_clusters_are_named_on_masked_frames():
    torch.manual_seed(1)
    head = ClusterPrediction(4, 2, clusters=2, block=None, unmasked_weight=0)
    ends = torch.tensor([[0.0, 0.0], [9.0, 9.0]])
    head.measure([ends.repeat(20, 1)[None]])
    order = head.centres[:, 0].argsort()
    assert torch.allclose(head.centres[order], ends)
    hidden, target = torch.randn(1, 2, 4), ends[None]
    masked = torch.tensor([[True, False]])
    loss = head(hidden, target, torch.ones(1, 2).bool(), masked)
    wanted = torch.nn.functional.cross_entropy(
        head.predict(hidden[0, :1]), order[:1]
    )
    assert torch.isclose(loss, wanted)


def test_targets_are_made_where_the_modules_are():
    with FakeTensorMode():  # a GPU that computes shapes alone
        with torch.device("cuda"):
            describe = FrameDescriptors(HOP, first_centre=FIRST_CENTRE)
            scale = Standardiser(64)
            head = UtteranceRegression(8, 64, block=None)
        targets = scale(describe(torch.empty(2, RATE, device="cuda")))
        head.measure([targets])
        assert targets.device.type == head.scale.mean.device.type == "cuda"


def test_fewer_frames_than_clusters_are_refused():
    head = ClusterPrediction(4, 2, clusters=9, block=None, unmasked_weight=0)
    with pytest.raises(InputError, match="5 frames.*clusters = 9"):
        head.measure([torch.zeros(1, 5, 2)])


def test_the_embedded_encoder_is_the_one_that_its_card_describes():
    weights = (FOLDER / WEIGHTS).read_bytes()
    assert len(weights) < 12e6
    card = (FOLDER / "README.md").read_text()
    assert f"`{hashlib.sha256(weights).hexdigest()}`" in card


def test_the_embedded_encoder_is_used_in_float32():
    encoder = SpeechEncoder(EMBEDDED).eval()
    assert encoder.model.dtype == torch.float32
    with torch.no_grad():
        encoding = encoder(0.1 * tone(200)[None])
    assert len(encoding.blocks) == 12 and encoding.last.isfinite().all()
