"""A run is loaded as the model that it trained, or refused; a yaml runs nothing."""

import subprocess
import sys

import pytest
import torch
from exported_runs import (
    HPARAMS,
    fabricate_run,
    runs,  # noqa: F401 - fixture
    speech_like,
)
from mlkd_brain.errors import InputError
from mlkd_brain.export.formats import export
from mlkd_brain.inference import rebuild as rebuilding
from mlkd_brain.inference.command import main as predict
from mlkd_brain.inference.loading import TrainedRun
from mlkd_brain.inference.recognizer import load_recognizer
from mlkd_brain.run.protocol import refuse_other_settings

OURS = "!new:mlkd_brain.method.lobes.EmotionClassifier"
FOREIGN = """\
import pathlib
from mlkd_brain.method.lobes import Classification, EmotionClassifier

pathlib.Path({witness!r}).touch()


class LoudestFrame(EmotionClassifier):
    def __init__(self, encoder, n_classes, sharpness, activation):
        super().__init__(encoder, n_classes)
        self.sharpness, self.activation = sharpness, activation

    def forward(self, wavs, wav_lens=None):
        encoding = self.encoder(wavs, wav_lens)
        valid = encoding.frame_mask[..., None]
        hidden = encoding.last.masked_fill(~valid, -1e9)
        pooled = self.activation(self.sharpness * hidden.amax(dim=1))
        return Classification(
            self.head(pooled), encoding.blocks, encoding.frame_mask
        )
"""


@pytest.fixture
def foreign(tmp_path, encoders, monkeypatch):
    """A run with a model class of the user's; the module's name, a witness."""
    name = f"my_models_{tmp_path.name}"
    witness = tmp_path / "imported"
    text = FOREIGN.format(witness=str(witness))
    (tmp_path / f"{name}.py").write_text(text)
    fabricate_run(tmp_path / "run", encoders("wav2vec2"))
    yaml = (tmp_path / "run" / "hyperparams.yaml").read_text()
    yaml = yaml.replace(
        f"model: &id002 {OURS}\n",
        f"model: &id002 !new:{name}.LoudestFrame\n  sharpness: 2.0\n"
        "  activation: !new:torch.nn.Tanh\n",
    )
    assert name in yaml
    (tmp_path / "run" / "hyperparams.yaml").write_text(yaml)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(rebuilding, "_trusted", set())
    return tmp_path / "run", name, witness


def test_a_foreign_model_is_refused_and_its_code_not_run(foreign):
    run, name, witness = foreign
    with pytest.raises(InputError, match=f"LoudestFrame.*--trust {name}"):
        TrainedRun(run)
    assert not witness.exists()


def test_a_trusted_foreign_model_is_the_one_that_was_trained(foreign):
    run, name, witness = foreign
    rebuilding.trust(name)
    assert witness.exists()
    model = TrainedRun(run).model
    assert type(model).__name__ == "LoudestFrame" and model.sharpness == 2.0
    wav = speech_like(0.5)[None]
    encoding = model.encoder(wav)
    pooled = torch.tanh(2.0 * encoding.last.amax(dim=1))
    logits = model(wav).logits
    assert torch.equal(logits, model.head(pooled))
    mean = model.head(encoding.last.mean(dim=1))
    assert not torch.allclose(logits, mean, atol=1e-2)


def test_predict_loads_a_foreign_model_that_is_trusted(foreign, capsys):
    import soundfile

    run, name, _ = foreign
    soundfile.write(run.parent / "a.wav", speech_like(0.5).numpy(), 16000)
    wav = str(run.parent / "a.wav")
    assert predict([str(run), wav, "--csv", "--trust", name]) == 0
    printed = capsys.readouterr().out.splitlines()[1].split(",")
    model = TrainedRun(run).model
    with torch.no_grad():
        logits = model(speech_like(0.5)[None]).logits
    expected = torch.softmax(logits, dim=-1)[0].tolist()
    # wav files have 16 bits
    assert printed[-1] == ""  # no warning
    assert [float(p) for p in printed[2:-1]] == pytest.approx(
        expected, abs=1e-3
    )


def test_a_foreign_model_leaves_for_speechbrain_alone(foreign):
    run, name, _ = foreign
    rebuilding.trust(name)
    with pytest.raises(InputError, match="a model of its own, LoudestFrame"):
        export(run, "onnx", run.parent / "onnx")
    export(run, "speechbrain", run.parent / "sb")
    exported = load_recognizer(run.parent / "sb")
    wav = speech_like(0.5)[None]
    own = load_recognizer(run).classify_batch(wav)[0]
    assert torch.equal(exported.classify_batch(wav)[0], own)


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("!apply:os.system", "asks for '!apply:os.system'"),
        ("!name:os.system", "asks for '!name:os.system'"),
        ("!new:subprocess.Popen", "subprocess.Popen, which is not part of"),
        ("!new:torch.nn.NoSuch", "no torch module"),
        ("!new:torch.nn.functional.relu", "no torch module"),
        ("!new:mlkd_brain.method.teacher_cache.TeacherCache", "no torch mod"),
        ("!new:mlkd_brain.method.encoders.SpeechEncoder", "second encoder"),
    ],
)
def test_nothing_else_is_built_of_a_yaml(
    encoders, tmp_path, monkeypatch, tag, message
):
    def run_something(*args, **kwargs):
        raise AssertionError("executed")

    fabricate_run(tmp_path / "run", encoders("wav2vec2"))
    monkeypatch.setattr(subprocess, "Popen", run_something)
    path = tmp_path / "run" / "hyperparams.yaml"
    path.write_text(path.read_text().replace(OURS, tag))
    with pytest.raises(InputError, match=message):
        TrainedRun(tmp_path / "run")


def test_a_changed_class_gets_one_line(encoders, tmp_path):
    fabricate_run(tmp_path / "run", encoders("wav2vec2"))
    path = tmp_path / "run" / "hyperparams.yaml"
    path.write_text(path.read_text().replace("n_classes: 4", "classes: 4", 1))
    with pytest.raises(InputError, match="cannot be built.*'classes'"):
        TrainedRun(tmp_path / "run")


def test_an_evaluation_with_another_class_than_the_runs_is_refused(tmp_path):
    (tmp_path / "run" / "save" / "CKPT+one").mkdir(parents=True)
    text = HPARAMS.format(source="embedded")
    (tmp_path / "run" / "hyperparams.yaml").write_text(text)
    (tmp_path / "now.yaml").write_text(text.replace(OURS, "!new:my.Louder"))
    with pytest.raises(InputError, match="model mlkd_brain.*, not my.Louder"):
        refuse_other_settings(tmp_path / "now.yaml", "", tmp_path / "run")
