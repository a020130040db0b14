"""Whisper without padding is Whisper; beyond 30 s the rule holds."""

import pytest
import torch
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier
from places import MODELS
from transformers import AutoModel, WhisperFeatureExtractor

REACH = 30 * 16000


def noise(samples, seed=2):
    return 0.1 * torch.randn(
        samples, generator=torch.Generator().manual_seed(seed)
    )


def relative(value, reference):
    return ((value - reference).norm() / reference.norm()).item()


@pytest.fixture
def encoder(encoders):
    return SpeechEncoder(encoders("whisper")).eval()


@pytest.mark.parametrize("samples", [400, 7001, 16000])
def test_the_spectrogram_is_that_of_transformers(encoder, samples):
    wav = noise(samples)
    expected = WhisperFeatureExtractor()(
        wav.numpy(), sampling_rate=16000, padding=False, return_tensors="pt"
    ).input_features
    mel, frames = encoder.log_mel(wav[None], torch.tensor([samples]))
    assert mel.shape == expected.shape and frames.item() == mel.shape[2]
    assert (mel - expected).abs().max() < 1e-4  # of values from -1 to 2


def test_thirty_seconds_are_encoded_as_by_transformers(encoder, encoders):
    reference = AutoModel.from_pretrained(encoders("whisper")).eval()
    wav = noise(REACH)
    inputs = WhisperFeatureExtractor()(
        wav.numpy(), sampling_rate=16000, return_tensors="pt"
    ).input_features
    with torch.no_grad():
        output = reference.encoder(inputs, output_hidden_states=True)
        encoding = encoder(wav[None])
    assert relative(encoding.last, output.last_hidden_state) < 1e-4
    for own, other in zip(encoding.blocks, output.hidden_states[1:]):
        assert relative(own, other) < 1e-4


def test_beyond_thirty_seconds_each_stretch_is_encoded_on_its_own(encoder):
    wav = noise(REACH + 16000)
    with torch.no_grad():
        whole = encoder(wav[None]).last
        first = encoder(wav[None, :REACH]).last
        padded = encoder(
            torch.stack([torch.cat([wav, noise(5000)]), noise(REACH + 21000)]),
            torch.tensor([len(wav) / (REACH + 21000), 1.0]),
        ).last
    assert whole.shape[1] == 1550
    # all but the frames beside the border, which the convolutions cross
    assert relative(whole[:, :1498], first[:, :1498]) < 1e-4
    assert relative(padded[:1, :1550], whole) < 1e-5


def test_the_shortest_utterance_has_a_frame(encoder):
    assert encoder(noise(400)[None]).last.shape == (1, 1, 32)


def test_convolutions_and_positions_are_frozen_by_their_switch(encoders):
    for frozen in (True, False):
        model = SpeechEncoder(
            encoders("whisper"), freeze_feature_extractor=frozen
        ).model
        assert model.conv1.weight.requires_grad != frozen
    assert not SpeechEncoder(
        encoders("whisper")
    ).model.embed_positions.weight.requires_grad


def test_the_decoder_is_left_aside(encoder):
    names = {name for name, _ in encoder.named_parameters()}
    assert names and not any("decoder" in name for name in names)


def test_a_pretrained_whisper_is_read(monkeypatch):
    folder = MODELS / "whisper-tiny.en-encoder"
    if not folder.is_dir():
        pytest.skip("needs the encoder in ../shared/models")
    model = EmotionClassifier(SpeechEncoder(str(folder)), 4).eval()
    assert sum(p.numel() for p in model.parameters()) == 8_209_924 - 384 * 0
    wav = noise(7001)
    batch = torch.stack([torch.cat([wav, noise(9000)]), noise(16001)])
    with torch.no_grad():
        alone = model(wav[None]).logits
        padded = model(batch, torch.tensor([7001 / 16001, 1.0])).logits
    assert relative(padded[:1], alone) < 1e-5
