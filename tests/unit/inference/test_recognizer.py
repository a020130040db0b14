"""Recordings in, emotions out, in every backend; nothing harmful is loaded."""

import functools
import http.server
import importlib.util
import io
import shutil
import threading

import pytest
import soundfile
import torch
from exported_runs import (
    EMOTIONS,
    RATE,
    exports,  # noqa: F401 - fixtures
    runs,  # noqa: F401
    speech_like,
)
from mlkd_brain.errors import InputError
from mlkd_brain.inference.onnx_recognizer import OnnxRecognizer
from mlkd_brain.inference.recognition import window_spans
from mlkd_brain.inference.recognizer import EmotionRecognizer, load_recognizer

BACKENDS = ["speechbrain", "onnx", "onnx-int8", "onnx-weights8"]


@pytest.fixture
def recording(tmp_path):
    soundfile.write(tmp_path / "speech.wav", speech_like(1.3).numpy(), RATE)
    return tmp_path / "speech.wav"


@pytest.fixture
def recognizer(exports):  # noqa: F811
    return EmotionRecognizer.from_hparams(str(exports("speechbrain")))


@pytest.mark.parametrize("to", BACKENDS)
def test_probabilities_come_first_then_score_index_and_label(
    exports,  # noqa: F811
    recording,
    to,
):
    recognizer = load_recognizer(exports(to))
    probabilities, score, index, text_lab = recognizer.classify_file(recording)
    assert probabilities.shape == (1, 4)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-6)
    assert score.item() == probabilities.max().item()
    assert probabilities[0, index].item() == score.item()
    assert text_lab == [EMOTIONS[index.item()]]


def test_a_run_is_recognized_as_its_export_is(runs, recognizer, recording):  # noqa: F811
    run = load_recognizer(runs("wav2vec2")[0])
    own, exported = (r.classify_file(recording)[0] for r in (run, recognizer))
    assert torch.equal(own, exported)


def test_padding_changes_nothing(recognizer):
    wav = speech_like(1.0)
    batch = torch.randn(2, 2 * RATE)
    batch[0, :RATE] = wav
    together, *_ = recognizer.classify_batch(batch, torch.tensor([0.5, 1.0]))
    alone, *_ = recognizer.classify_batch(wav)
    assert torch.allclose(together[:1], alone, atol=1e-5)
    junk, *_ = recognizer.classify_batch(batch[:1])
    assert not torch.allclose(junk, alone, atol=1e-3)


def test_any_rate_and_channel_count_is_taken(recognizer, tmp_path):
    time = torch.arange(44100) / 44100
    tone = 0.3 * torch.sin(2 * torch.pi * 300 * time)
    stereo = torch.stack([1.5 * tone, 0.5 * tone], dim=1)
    soundfile.write(tmp_path / "stereo.flac", stereo.numpy(), 44100)
    time = torch.arange(RATE) / RATE
    plain = 0.3 * torch.sin(2 * torch.pi * 300 * time)
    first, *_ = recognizer.classify_file(tmp_path / "stereo.flac")
    second, *_ = recognizer.classify_batch(plain)
    # the resampler's edges and flac's 16 bits
    assert torch.allclose(first, second, atol=0.02)


def test_too_short_a_recording_is_named(recognizer, tmp_path):
    soundfile.write(tmp_path / "click.wav", [0.1] * 300, RATE)
    with pytest.raises(InputError, match="click.wav: lasts 0.019 s"):
        recognizer.classify_file(tmp_path / "click.wav")
    pipe = io.BytesIO((tmp_path / "click.wav").read_bytes())
    with pytest.raises(InputError, match="lasts 0.019 s"):
        recognizer.classify_file(pipe)


@pytest.mark.parametrize("to", ["speechbrain", "onnx"])
def test_a_timeline_says_of_each_window_what_it_is_alone(
    exports,  # noqa: F811
    tmp_path,
    to,
):
    recognizer = load_recognizer(exports(to))
    wav = torch.cat([speech_like(2.0), 0.1 * torch.randn(40000)])
    soundfile.write(tmp_path / "long.wav", wav.numpy(), RATE, subtype="FLOAT")
    moments = recognizer.timeline(tmp_path / "long.wav", window=1.0, hop=0.3)
    assert [m.start for m in moments] == pytest.approx(
        [0.3 * i for i in range(13)]
    )
    assert moments[-1].end == len(wav) / RATE
    for moment in (moments[2], moments[-1]):
        part = wav[round(moment.start * RATE) : round(moment.end * RATE)]
        alone, _, _, label = recognizer.classify_batch(part)
        assert torch.allclose(moment.probabilities, alone[0], atol=1e-5)
        assert moment.label == label[0]


def test_windows_cover_every_recording_and_skip_crumbs():
    assert window_spans(1000, 4.0, 1.0) == [(0, 1000)]
    assert window_spans(64000, 4.0, 1.0) == [(0, 64000)]
    assert window_spans(64001, 4.0, 4.0) == [(0, 64000)]  # one sample is left
    assert window_spans(70000, 4.0, 4.0) == [(0, 64000), (64000, 70000)]
    assert window_spans(70000, 4.0, 1.0) == [(0, 64000), (16000, 70000)]


@pytest.mark.parametrize("window, hop", [(4, 5), (1, 0), (0.01, 0.01)])
def test_windows_with_gaps_are_refused(window, hop):
    with pytest.raises(InputError, match=f"window is {window} s"):
        window_spans(RATE, window, hop)


def test_a_folder_that_holds_no_model_is_named(tmp_path):
    with pytest.raises(InputError, match="neither the folder of a run"):
        load_recognizer(tmp_path)


def test_the_runtimes_agree_and_unknown_ones_are_refused(exports, recording):  # noqa: F811
    pytest.importorskip("openvino")
    answers = [
        OnnxRecognizer(exports("onnx"), runtime, threads=1).classify_file(
            recording
        )[0]
        for runtime in ("onnxruntime", "openvino")
    ]
    assert torch.allclose(*answers, atol=1e-4)
    with pytest.raises(InputError, match="Bad value 'abacus' for runtime"):
        OnnxRecognizer(exports("onnx"), "abacus")


def test_a_missing_runtime_gets_the_command(exports, monkeypatch):  # noqa: F811
    folder = exports("onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        OnnxRecognizer(folder)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_gives_the_same_answer(exports, recording):  # noqa: F811
    folder = str(exports("speechbrain"))
    on_gpu = EmotionRecognizer.from_hparams(folder)
    on_cpu = EmotionRecognizer.from_hparams(folder, run_opts={"device": "cpu"})
    assert "cuda" in on_gpu.device
    answers = [r.classify_file(recording)[0] for r in (on_gpu, on_cpu)]
    assert torch.allclose(*answers, atol=1e-3)


@pytest.fixture
def served(exports, tmp_path):  # noqa: F811
    """A copy of an export, and the address of its folder on this machine."""
    folder = shutil.copytree(exports("speechbrain"), tmp_path / "served")
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=folder
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_safetensors_are_loaded_from_elsewhere(
    served, recognizer, recording, tmp_path
):
    _, address = served
    remote = EmotionRecognizer.from_hparams(address, savedir=tmp_path / "got")
    answers = [r.classify_file(recording)[0] for r in (remote, recognizer)]
    assert torch.equal(*answers)


def make_pickled(folder):
    """Turn an export's weights into a pickle."""
    (folder / "model.safetensors").unlink()
    model = EmotionRecognizer.__name__  # anything: it must not be opened
    torch.save({"model": model}, folder / "model.ckpt")
    hparams = folder / "hyperparams.yaml"
    text = hparams.read_text().replace("model.safetensors", "model.ckpt")
    hparams.write_text(text)


def test_pickled_weights_from_elsewhere_are_refused(served, tmp_path):
    folder, address = served
    make_pickled(folder)
    with pytest.raises(InputError, match="model.ckpt is a pickle") as error:
        EmotionRecognizer.from_hparams(address, savedir=tmp_path / "got")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "got" / "model.ckpt").exists()


@pytest.mark.parametrize(
    "line",
    [
        "x: !apply:os.system [touch witness]",
        "x: !new:speechbrain.utils.parameter_transfer.Pretrainer",
        "x: !<!apply:os.system> [touch witness]",
        "x: !!python/object/apply:os.system [touch witness]",
        "x: !include:other.yaml",
    ],
)
def test_hparams_from_elsewhere_cannot_ask_for_more(
    served, tmp_path, monkeypatch, line
):
    monkeypatch.chdir(tmp_path)
    folder, address = served
    with open(folder / "hyperparams.yaml", "a") as hparams:
        hparams.write(f"{line}\n")
    with pytest.raises(InputError, match="hyperparams.yaml asks for '"):
        EmotionRecognizer.from_hparams(address, savedir=tmp_path / "got")
    assert not (tmp_path / "witness").exists()


def test_pickled_weights_of_a_local_folder_are_loaded(
    runs,  # noqa: F811
    exports,  # noqa: F811
    recording,
    tmp_path,
):
    folder = shutil.copytree(exports("speechbrain"), tmp_path / "local")
    make_pickled(folder)
    student = runs("wav2vec2")[1]
    torch.save(student.state_dict(), folder / "model.ckpt")
    local = EmotionRecognizer.from_hparams(str(folder))
    safe = EmotionRecognizer.from_hparams(str(exports("speechbrain")))
    answers = [r.classify_file(recording)[0] for r in (local, safe)]
    assert torch.equal(*answers)
