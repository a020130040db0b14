"""One answer per utterance, and students cut from teachers."""

import logging
import shutil

import mlkd_brain.method.encoders as encoders_module
import pytest
import torch
from hypothesis import (
    HealthCheck,
    given,
    settings,
    strategies as st,
)
from mlkd_brain.errors import InputError
from mlkd_brain.method.embedded import save_random_encoder
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, copy_teacher, freeze
from safetensors.torch import load_file, save_file
from tiny_encoders import FAMILY, save_encoder
from torch.nn.functional import cross_entropy
from transformers import AutoModel, Wav2Vec2Config, Wav2Vec2FeatureExtractor
from transformers.utils.logging import is_progress_bar_enabled

WAV2VEC = sorted(FAMILY)
KINDS = [*WAV2VEC, "whisper"]
SHORT = 7001  # samples; odd, and no multiple of any stride
PADDED = 34 * 16000


@pytest.fixture(params=KINDS)
def classifier(request, encoders):
    torch.manual_seed(1)
    return EmotionClassifier(SpeechEncoder(encoders(request.param)), 4).eval()


def padded(wav, time, junk=0.0):
    """A wav padded to ``time``, beside noise of that length."""
    batch = torch.randn(2, time, generator=torch.Generator().manual_seed(3))
    batch[0, len(wav) :] = junk
    batch[0, : len(wav)] = wav
    return batch, torch.tensor([len(wav) / time, 1.0])


def relative(value, reference):
    return ((value - reference).norm() / reference.norm()).item()


@pytest.mark.parametrize("time", [SHORT + 1, 9001, PADDED])
def test_an_utterance_alone_and_padded_gives_the_same(classifier, time):
    wav = torch.randn(SHORT, generator=torch.Generator().manual_seed(2))
    batch, lengths = padded(wav, time)
    with torch.no_grad():
        alone, together = classifier(wav[None]), classifier(batch, lengths)
    frames = alone.frame_mask.shape[1]
    assert together.frame_mask[0].sum() == frames
    assert relative(together.logits[:1], alone.logits) < 1e-5
    for block, reference in zip(together.blocks, alone.blocks):
        assert relative(block[:1, :frames], reference) < 1e-5


def test_junk_in_the_padding_changes_nothing(classifier):
    wav = torch.randn(SHORT, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        zeros = classifier(*padded(wav, 9001)).logits
        junk = classifier(*padded(wav, 9001, junk=5.0)).logits
    assert torch.equal(zeros, junk)


def test_the_order_in_the_batch_changes_nothing(classifier):
    wavs, lengths = torch.randn(3, 9001), torch.tensor([0.5, 1.0, 0.7])
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        logits = classifier(wavs, lengths).logits
        shuffled = classifier(wavs[order], lengths[order]).logits
    assert relative(shuffled, logits[order]) < 1e-5


@settings(
    max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.integers(1600, 20000), min_size=2, max_size=5),
    st.integers(0, 99),
)
def test_no_batch_changes_an_answer_or_a_training_loss(
    classifier, samples, seed
):
    random = torch.Generator().manual_seed(seed)
    wavs = [torch.randn(n, generator=random) for n in samples]
    labels = torch.randint(4, (len(wavs),), generator=random)
    batch = torch.nn.utils.rnn.pad_sequence(wavs, batch_first=True)
    lengths = torch.tensor(samples) / batch.shape[1]
    with torch.no_grad():
        together = classifier(batch, lengths).logits
        alone = torch.cat([classifier(wav[None]).logits for wav in wavs])
    assert relative(together, alone) < 1e-5
    losses = [cross_entropy(logits, labels) for logits in (together, alone)]
    assert relative(*losses) < 1e-5


def test_gradients_do_not_depend_on_the_batch(classifier):
    wav = torch.randn(SHORT, generator=torch.Generator().manual_seed(2))
    batch, lengths = padded(wav, 9001)
    gradients = []
    for inputs, scores in ((wav[None], None), (batch, lengths)):
        classifier.zero_grad()
        classifier(inputs, scores).logits[0].square().sum().backward()
        gradients.append(
            torch.cat(
                [
                    parameter.grad.flatten()
                    for parameter in classifier.parameters()
                    if parameter.grad is not None
                ]
            )
        )
    assert relative(*gradients) < 1e-4  # sums of some thousand float32 terms


def test_one_utterance_is_encoded_as_by_transformers(encoders):
    for kind in WAV2VEC:
        encoder = SpeechEncoder(encoders(kind)).eval()
        reference = AutoModel.from_pretrained(encoders(kind)).eval()
        extractor = Wav2Vec2FeatureExtractor.from_pretrained(encoders(kind))
        wav = torch.randn(SHORT, generator=torch.Generator().manual_seed(2))
        inputs = extractor(
            wav.numpy(), sampling_rate=16000, return_tensors="pt"
        )
        with torch.no_grad():
            expected = reference(inputs.input_values).last_hidden_state
            assert relative(encoder(wav[None]).last, expected) < 1e-6


def test_a_student_is_bit_equal_to_the_teachers_even_blocks(encoders):
    for kind in KINDS:
        teacher = EmotionClassifier(SpeechEncoder(encoders(kind)), 4)
        student = EmotionClassifier(
            SpeechEncoder(encoders(kind), kept_layers=[2, 4]), 4
        )
        for parameter in teacher.parameters():  # as if trained
            torch.nn.init.normal_(parameter)
        copy_teacher(student, teacher, [2, 4])
        for index, block in enumerate((2, 4)):
            kept = student.encoder.block_list[index].state_dict()
            taught = teacher.encoder.block_list[block - 1].state_dict()
            assert all(torch.equal(kept[k], v) for k, v in taught.items())
        shared = [n for n in student.state_dict() if ".layers." not in n]
        assert any("conv" in name for name in shared)
        for name in shared:
            assert torch.equal(
                student.state_dict()[name], teacher.state_dict()[name]
            )


def test_a_wavlm_student_keeps_the_position_bias(encoders):
    encoder = SpeechEncoder(encoders("wavlm"), kept_layers=[2, 4])
    assert encoder.model.encoder.layers[0].attention.rel_attn_embed is not None
    assert encoder(torch.randn(1, SHORT)).last.isfinite().all()


def test_sizes_of_teacher_and_student_at_base_size(tmp_path):
    folder = save_base(tmp_path)
    layers = [2, 4, 6, 8, 10, 12]
    teacher = EmotionClassifier(SpeechEncoder(folder), 4)
    student = EmotionClassifier(SpeechEncoder(folder, kept_layers=layers), 4)
    # ours, and the paper's, whose head is not described
    sizes = ((teacher, 360.01, 360.17), (student, 197.78, 197.91))
    for model, ours, papers in sizes:
        mebibytes = 4 * sum(p.numel() for p in model.parameters()) / 2**20
        assert mebibytes == pytest.approx(ours, abs=0.01)
        assert papers - mebibytes == pytest.approx(0.145, abs=0.02)


def save_base(folder):
    """facebook/wav2vec2-base's configuration, random weights."""
    config = Wav2Vec2Config()  # its defaults are the base model
    AutoModel.from_config(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return str(folder)


def test_a_frozen_teacher_has_neither_gradient_nor_dropout(tiny_wav2vec2):
    teacher = freeze(EmotionClassifier(SpeechEncoder(tiny_wav2vec2), 4))
    first, second = (teacher(torch.ones(1, SHORT).cumsum(1)) for _ in range(2))
    assert torch.equal(first.logits, second.logits)
    assert not first.logits.requires_grad


def test_a_block_that_does_not_exist_is_named(tiny_wav2vec2):
    with pytest.raises(InputError, match=r"\[2, 14\].*blocks 1 to 4"):
        SpeechEncoder(tiny_wav2vec2, kept_layers=[2, 14])


def test_a_missing_encoder_gets_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="encoder '/nowhere'.*local fold"):
        SpeechEncoder("/nowhere")


def test_the_conv_encoder_is_frozen_only_by_its_switch(tiny_wav2vec2):
    for frozen in (True, False):
        encoder = SpeechEncoder(tiny_wav2vec2, freeze_feature_extractor=frozen)
        weights = encoder.model.feature_extractor.parameters()
        assert all(weight.requires_grad != frozen for weight in weights)


@pytest.mark.parametrize("kind", WAV2VEC)
def test_a_frozen_conv_encoder_keeps_nothing_for_a_gradient(encoders, kind):
    for frozen in (True, False):
        encoder = SpeechEncoder(encoders(kind), freeze_feature_extractor=frozen)
        convs = encoder.train().model.feature_extractor
        features = convs(torch.randn(2, 4000))
        assert features.requires_grad != frozen


def test_parameters_keep_the_names_of_plain_transformers(encoders):
    for kind in WAV2VEC:
        names = set(AutoModel.from_pretrained(encoders(kind)).state_dict())
        assert set(SpeechEncoder(encoders(kind)).model.state_dict()) == names


def test_an_encoder_gets_one_line_and_no_bar_or_warning(
    tiny_wav2vec2, capfd, caplog, recwarn
):
    with caplog.at_level(logging.INFO):
        encoder = SpeechEncoder(tiny_wav2vec2, gradient_checkpointing=True)
    parameters = sum(p.numel() for p in encoder.parameters())
    assert [record.message for record in caplog.records] == [
        f"encoder {tiny_wav2vec2}: 4 blocks, {parameters:,} parameters"
    ]
    assert not recwarn.list and "Loading" not in "".join(capfd.readouterr())
    assert is_progress_bar_enabled()  # of others' models


@pytest.mark.parametrize("kind", [*sorted(FAMILY), "whisper"])
def test_padding_to_the_grid_of_a_gpu_changes_nothing(
    encoders, kind, monkeypatch
):
    encoder = SpeechEncoder(encoders(kind)).eval()
    wavs = torch.randn(2, 16100, generator=torch.Generator().manual_seed(0))
    for lengths in (torch.tensor([1.0, 0.6]), torch.ones(2)):
        outputs = []
        for switch in (False, True):
            monkeypatch.setattr(
                encoders_module, "on_grid", lambda _, on=switch: on
            )
            with torch.no_grad():
                outputs.append(encoder(wavs, lengths))
        plain, on_grid = outputs
        assert torch.equal(plain.frame_mask, on_grid.frame_mask)
        valid = plain.frame_mask
        for ours, theirs in zip(on_grid.blocks, plain.blocks):
            assert ours.shape == theirs.shape
            torch.testing.assert_close(
                ours[valid], theirs[valid], atol=1e-4, rtol=1e-4
            )


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_weights_that_would_stay_random_are_refused(encoders, tmp_path, kind):
    """As a wrapper saves them: with a prefix that transformers does not know."""
    folder = shutil.copytree(encoders(kind), tmp_path / "encoder")
    weights = load_file(folder / "model.safetensors")
    renamed = {f"module.{name}": value for name, value in weights.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="lacks weights.*'module.'.*without"):
        SpeechEncoder(str(folder))


def test_a_damaged_file_is_one_line(encoders, tmp_path):
    folder = shutil.copytree(encoders("wav2vec2"), tmp_path / "encoder")
    (folder / "model.safetensors").write_text("<!doctype html>\n")
    with pytest.raises(InputError, match="cannot be loaded.*whole model.safe"):
        SpeechEncoder(str(folder))


@pytest.mark.parametrize(
    ("kind", "changes", "normalised"),
    [
        ("wavlm", {}, False),
        ("wavlm", {"feat_extract_norm": "layer"}, True),
        ("hubert", {}, True),
    ],
)
def test_without_preprocessor_config_the_family_decides_and_it_is_said(
    tmp_path, caplog, kind, changes, normalised
):
    save_encoder(kind, tmp_path, **changes)
    (tmp_path / "preprocessor_config.json").unlink()
    with caplog.at_level(logging.WARNING):
        encoder = SpeechEncoder(tmp_path)
    assert encoder.normalize_wav is normalised
    assert "has no preprocessor_config.json" in caplog.text
    assert ("not normalised" in caplog.text) is not normalised


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_a_frozen_transformer_learns_nothing_but_its_convs(encoders, kind):
    frozen = SpeechEncoder(encoders(kind), freeze_transformer=True)
    assert not any(p.requires_grad for p in frozen.parameters())
    convs = SpeechEncoder(
        encoders(kind), freeze_transformer=True, freeze_feature_extractor=False
    )
    learned = {n for n, p in convs.named_parameters() if p.requires_grad}
    assert learned and all("conv" in name for name in learned)


def test_what_was_downloaded_once_needs_no_network(
    encoders, tmp_path, monkeypatch
):
    """A hub's cache as a download leaves it, in the folder that is given."""
    model = tmp_path / "models--someone--small"
    shutil.copytree(encoders("wav2vec2"), model / "snapshots" / ("0" * 40))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    ours = SpeechEncoder("someone/small", save_path=tmp_path)
    theirs = SpeechEncoder(str(encoders("wav2vec2")))
    weights = theirs.state_dict()
    assert all(torch.equal(weights[n], v) for n, v in ours.state_dict().items())


def test_a_random_embedded_encoder_has_a_name_and_no_files(
    tmp_path, monkeypatch
):
    folder = save_random_encoder(tmp_path / "encoder", seed=7)
    monkeypatch.chdir(tmp_path / "encoder")
    before = sorted(tmp_path.rglob("*"))
    named, kept = SpeechEncoder("embedded_random_7"), SpeechEncoder(folder)
    pretrained = SpeechEncoder("embedded").state_dict()
    for name, value in named.state_dict().items():
        assert torch.equal(value, kept.state_dict()[name])
        # norms and biases start at constants
        assert value.std() == 0 or not torch.equal(value, pretrained[name])
    assert sorted(tmp_path.rglob("*")) == before
