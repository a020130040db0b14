"""An utterance has one answer, whatever the model was exported to."""

import importlib.util
import json
import pathlib
import shutil

import numpy as np
import pytest
import torch
import yaml
from exported_runs import (
    EMOTIONS,
    RATE,
    exports,  # noqa: F401 - fixtures
    fabricate_run,
    no_network,  # noqa: F401
    runs,  # noqa: F401
    signals,
    speech_like,
)
from mlkd_brain.errors import InputError
from mlkd_brain.export.command import main
from mlkd_brain.export.formats import FORMATS, export
from mlkd_brain.export.onnx_graph import write_float_graph
from mlkd_brain.inference.loading import TrainedRun, keep_encoder_settings
from mlkd_brain.inference.recognizer import EmotionRecognizer, load_recognizer
from mlkd_brain.method.embedded import EMBEDDED, FOLDER, LICENCE
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier
from safetensors.torch import load_file
from tiny_encoders import FAMILY
from transformers import (
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    pipeline,
)

KINDS = sorted(FAMILY)
ONNX = [to for to in FORMATS if to.startswith("onnx")]
SIGNALS = signals()


def ours(model, wav):
    with torch.no_grad():
        return model(wav[None]).logits


def transformers_logits(folder, wav):
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    model = AutoModelForAudioClassification.from_pretrained(folder)
    inputs = extractor(wav.numpy(), sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs).logits


def alone(folder, wav):
    lengths = torch.tensor([len(wav)])
    with torch.no_grad():
        return load_recognizer(folder).logits(wav[None], lengths).cpu()


@pytest.mark.parametrize("kind", KINDS)
def test_hf_gives_our_logits_for_every_encoder(runs, exports, kind):  # noqa: F811
    wav = SIGNALS["speech"]
    logits = transformers_logits(exports("hf", kind), wav)
    expected = ours(runs(kind)[1], wav)
    assert expected.std() > 0.01  # else anything agrees
    assert torch.allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("signal", SIGNALS)
def test_hf_gives_our_logits_for_every_signal(runs, exports, signal):  # noqa: F811
    logits = transformers_logits(exports("hf"), SIGNALS[signal])
    expected = ours(runs("wav2vec2")[1], SIGNALS[signal])
    assert torch.allclose(logits, expected, atol=1e-4)


def test_hf_loads_in_a_pipeline_with_our_labels(runs, exports, no_network):  # noqa: F811
    classify = pipeline("audio-classification", model=str(exports("hf")))
    answers = classify(SIGNALS["speech"].numpy(), top_k=4)
    shares = torch.softmax(ours(runs("wav2vec2")[1], SIGNALS["speech"]), 1)[0]
    assert sorted(answer["label"] for answer in answers) == EMOTIONS
    for answer in answers:
        share = shares[EMOTIONS.index(answer["label"])].item()
        assert answer["score"] == pytest.approx(share, abs=1e-4)


def in_pipeline(folder, wavs, **options):
    """Scores of recordings in a pipeline, (recordings, classes)."""
    classify = pipeline("audio-classification", model=str(folder))
    answers = classify([wav.numpy() for wav in wavs], top_k=4, **options)
    scores = [{a["label"]: a["score"] for a in rows} for rows in answers]
    return torch.tensor([[row[name] for name in EMOTIONS] for row in scores])


@pytest.mark.parametrize("kind", KINDS)
def test_hf_batches_of_a_pipeline_are_right_or_refused(runs, exports, kind):  # noqa: F811
    folder, model = exports("hf", kind), runs(kind)[1]
    equal = [speech_like(1.2, seed=seed) for seed in range(3)]
    unequal = [speech_like(seconds) for seconds in (0.6, 1.7, 1.1)]
    for wavs, options in ((unequal, {}), (equal, {"batch_size": 3})):
        wanted = torch.cat([ours(model, wav) for wav in wavs]).softmax(1)
        scores = in_pipeline(folder, wavs, **options)
        assert torch.allclose(scores, wanted, atol=1e-4)
    batching = json.loads((folder / "config.json").read_text())["batching"]
    card = (folder / "README.md").read_text()
    if kind == "wav2vec2_layer_norm":
        wanted = torch.cat([ours(model, wav) for wav in unequal]).softmax(1)
        scores = in_pipeline(folder, unequal, batch_size=3)
        assert torch.allclose(scores, wanted, atol=1e-5)
        assert batching.startswith("any")
    else:
        with pytest.raises(TypeError):  # of torch.full with a padding of None
            in_pipeline(folder, unequal, batch_size=3)
        extractor = AutoFeatureExtractor.from_pretrained(folder)
        with pytest.raises(ValueError, match="not have a padding value"):
            extractor([wav.numpy() for wav in unequal], padding=True)
        assert batching.startswith("one recording at a time")
    assert f"- Batches: {batching}." in card


def test_the_hf_config_describes_the_student(exports):  # noqa: F811
    config = json.loads((exports("hf") / "config.json").read_text())
    assert config["num_hidden_layers"] == 2
    assert config["classifier_proj_size"] == config["hidden_size"]
    assert config["layerdrop"] == 0.0
    assert config["label2id"] == {name: i for i, name in enumerate(EMOTIONS)}


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_gives_our_logits_for_every_encoder(runs, exports, kind):  # noqa: F811
    for wav in (SIGNALS["speech"], SIGNALS["a tenth of a second"]):
        expected = ours(runs(kind)[1], wav)
        assert torch.allclose(
            alone(exports("onnx", kind), wav), expected, atol=1e-4
        )


# in parts of the largest logit, about 10. int8: half a step of 64 or 127 in each
# of some ten products in a row; random weights give no more robustness than that
@pytest.mark.parametrize(
    "to, tolerance",
    [
        ("speechbrain", 1e-7),
        ("onnx", 1e-5),
        ("onnx-int8", 0.05),
        ("onnx-weights8", 0.05),
    ],
)
@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_has_one_answer(runs, exports, to, tolerance, signal):  # noqa: F811
    wav = SIGNALS[signal]
    expected = ours(runs("wav2vec2")[1], wav)
    logits = alone(exports(to), wav)
    assert logits.isfinite().all()
    error = (logits - expected).abs().max()
    assert error <= tolerance * expected.abs().max()


@pytest.mark.parametrize("to", ["speechbrain", *ONNX])
def test_an_utterance_in_a_batch_is_answered_as_alone(exports, to):  # noqa: F811
    recognizer = load_recognizer(exports(to))
    lengths = torch.tensor([9000, 30000, 4001])
    batch = 3 * torch.randn(3, 30000)  # junk where the padding is
    for row, length in zip(batch, lengths):
        row[:length] = speech_like(length / RATE, seed=int(length))
    together = recognizer.logits(batch, lengths)
    for row, length, logits in zip(batch, lengths, together):
        wav = row[None, :length].contiguous()
        expected = recognizer.logits(wav, length[None])[0]
        # the loop inside onnx-int8 makes them equal bit by bit
        tolerance = 0.0 if to == "onnx-int8" else 1e-5
        assert (logits - expected).abs().max() <= tolerance


def operations(folder):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(folder / "model.onnx").graph
    loops = [node for node in graph.node if node.op_type == "Loop"]
    body = loops[0].attribute[0].g if loops else graph
    weights = {w.name: w for w in body.initializer}
    kinds = {}
    for node in body.node:
        for name in node.input:
            kinds.setdefault(node.op_type, []).append(name)
    return kinds, weights


def test_int8_quantises_products_and_leaves_convs_in_float(exports):  # noqa: F811
    kinds, weights = operations(exports("onnx-int8"))
    in_bytes = [
        n for n in kinds["MatMulInteger"] if n.endswith("weight_quantized")
    ]
    assert not any("feature_extractor" in name for name in in_bytes)
    # two blocks of q, k, v, out and two of the feed-forward net
    products = [n for n in kinds["MatMulInteger"] if n in weights]
    assert sum(len(weights[n].dims) == 2 for n in products) == 2 * 6
    # the projection of 16 features is too narrow to gain, the head stays exact
    kept = [n for n in kinds["MatMul"] if n in weights]
    assert [list(weights[n].dims) for n in kept] == [[16, 32], [32, 4]]
    assert any("feature_extractor" in name for name in weights)


def test_int8_is_a_third_of_the_float_graph(exports):  # noqa: F811
    sizes = {
        to: sum(w.ByteSize() for w in operations(exports(to))[1].values())
        for to in ONNX
    }
    assert sizes["onnx-int8"] < 0.4 * sizes["onnx"]
    assert sizes["onnx-weights8"] < 0.4 * sizes["onnx"]


@pytest.mark.parametrize("to", ONNX)
def test_a_sidecar_says_how_to_run_the_graph(exports, to):  # noqa: F811
    about = yaml.safe_load((exports(to) / "model.yaml").read_text())
    assert about["sample_rate"] == RATE
    assert about["labels"] == EMOTIONS
    assert about["protocol"]["fold"] == 3
    assert set(about["inputs"]) == {"wavs", "lengths"}
    assert about["normalisation"].startswith("none")
    assert about["outputs"]["logits"]["shape"] == ["batch", "classes"]


def test_a_graph_does_not_tell_where_it_was_made(exports):  # noqa: F811
    here = str(pathlib.Path(__file__).resolve().parents[3]).encode()
    for to in ONNX:
        assert here not in (exports(to) / "model.onnx").read_bytes()


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_is_pickled_and_a_card_is_there(exports, to):  # noqa: F811
    files = sorted(exports(to).iterdir())
    allowed = {".json", ".md", ".onnx", ".safetensors", ".txt", ".yaml"}
    assert {file.suffix for file in files} <= allowed
    card = (exports(to) / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    ours = yaml.safe_load((FOLDER / "README.md").read_text().split("---")[1])
    assert header["license"] == ours["license"] == LICENCE
    assert all(word in card for word in (*EMOTIONS, "16000 Hz", "fold: 3"))


def test_only_the_student_is_carried(runs, exports):  # noqa: F811
    student = runs("wav2vec2")[1].state_dict()
    carried = load_file(exports("speechbrain") / "model.safetensors")
    assert set(carried) == set(student)
    assert all(torch.equal(carried[name], student[name]) for name in student)


def test_everything_local_loads_without_network(runs, exports, no_network):  # noqa: F811
    folder, student = runs("wav2vec2")
    wav = SIGNALS["speech"]
    expected = ours(student, wav)
    for source in (folder, exports("speechbrain"), exports("onnx")):
        assert torch.allclose(alone(source, wav), expected, atol=1e-4)
    assert torch.allclose(
        transformers_logits(exports("hf"), wav), expected, atol=1e-4
    )


def test_the_guard_against_the_network_works(no_network, tmp_path):  # noqa: F811
    with pytest.raises(AssertionError, match="network"):
        EmotionRecognizer.from_hparams("http://127.0.0.1:9", savedir=tmp_path)


def test_a_run_needs_its_encoder_no_more_once_it_kept_its_shape(
    encoders, tmp_path
):
    source = shutil.copytree(encoders("wav2vec2"), tmp_path / "encoder")
    student = fabricate_run(tmp_path / "run", str(source))
    shutil.rmtree(source)
    with pytest.raises(InputError, match=r"encoder.*put the encoder back"):
        TrainedRun(tmp_path / "run")
    keep_encoder_settings(student.encoder, tmp_path / "run" / "save")
    run = TrainedRun(tmp_path / "run")
    wav = SIGNALS["speech"]
    assert torch.equal(ours(run.model, wav), ours(student, wav))
    assert run.protocol["best_epoch"] == {"UA": 0.9, "epoch": 2}


def test_nothing_of_a_runs_yaml_is_executed(encoders, tmp_path):
    fabricate_run(tmp_path / "run", encoders("wav2vec2"))
    witness = tmp_path / "executed"
    with open(tmp_path / "run" / "hyperparams.yaml", "a") as hparams:
        hparams.write(f"x: !apply:pathlib.Path.touch [{witness}]\n")
        hparams.write(f"y: !apply:os.mkdir [{witness}]\n")
    TrainedRun(tmp_path / "run")
    assert not witness.exists()


def test_a_folder_of_another_kind_is_not_replaced(runs, tmp_path):  # noqa: F811
    (tmp_path / "precious").write_text("work")
    with pytest.raises(InputError, match="holds no earlier export"):
        export(runs("wav2vec2")[0], "speechbrain", tmp_path)
    assert (tmp_path / "precious").read_text() == "work"


def test_an_earlier_export_is_replaced_as_a_whole(runs, tmp_path):  # noqa: F811
    export(runs("wav2vec2")[0], "speechbrain", tmp_path / "out")
    (tmp_path / "out" / "old").touch()
    command = [str(runs("wav2vec2")[0]), "--to", "hf", "--out"]
    main([*command, str(tmp_path / "out")])
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert "config.json" in names
    assert not names & {"old", "label_encoder.txt"}


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(InputError, match="is no trained run, hyperparams.yaml"):
        export(tmp_path, "hf", tmp_path / "out")


def test_a_missing_package_gets_the_command(runs, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install onnx onnxscript"):
        export(runs("wav2vec2")[0], "onnx", tmp_path / "out")


def test_an_encoder_with_other_convs_goes_to_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    encoder = SpeechEncoder(EMBEDDED, kept_layers=[2, 12])
    model = EmotionClassifier(encoder, 4).eval()
    write_float_graph(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for samples in (1600, 30000):  # 0.1 s is the shortest that is accepted
        wav = torch.randn(1, samples)
        inputs = {"wavs": wav.numpy(), "lengths": np.array([samples])}
        (logits,) = session.run(None, inputs)
        with torch.no_grad():
            assert np.abs(model(wav).logits.numpy() - logits).max() < 1e-4
