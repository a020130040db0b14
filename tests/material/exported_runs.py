"""Runs as the training scripts leave them, made in a second, and their exports."""

import json
import socket

import pytest
import torch
from mlkd_brain.export.formats import export
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.lobes import EmotionClassifier, freeze
from mlkd_brain.run.experiment import make_label_encoder

from speechbrain.utils.checkpoints import Checkpointer

EMOTIONS = ["ang", "hap", "neu", "sad"]
RATE = 16000

# as SpeechBrain saves it: references resolved, shared objects as aliases
HPARAMS = """\
seed: 1986
number_of_epochs: 3
__set_seed: !apply:speechbrain.utils.seed_everything [1986]
data_folder: !apply:os.getenv [EMODB_ROOT, data/EmoDB]
system: student
fold: 3
emotions: [ang, hap, neu, sad]
encoder: &id001 !new:mlkd_brain.method.encoders.SpeechEncoder
  source: {source}
  save_path: pretrained_models
  kept_layers: [2, 4]
model: &id002 !new:mlkd_brain.method.lobes.EmotionClassifier
  encoder: *id001
  n_classes: 4
teacher: !new:mlkd_brain.method.lobes.EmotionClassifier
  encoder: !new:mlkd_brain.method.encoders.SpeechEncoder
    source: /there/is/no/teacher
  n_classes: 4
modules:
  model: *id002
"""


def fabricate_run(folder, source, seed=1):
    """A run folder of a student of two blocks, and the student itself.

    Its second epoch is the best; the others have other weights.
    """
    (folder / "save").mkdir(parents=True)
    (folder / "hyperparams.yaml").write_text(HPARAMS.format(source=source))
    protocol = {"system": "student", "seed": 1986, "fold": 3, "snrs_db": [0]}
    protocol["encoder_hub"] = "embedded"  # so its licence is that one's
    (folder / "protocol.json").write_text(json.dumps(protocol))
    make_label_encoder(EMOTIONS, folder / "save")
    model = EmotionClassifier(SpeechEncoder(source, kept_layers=[2, 4]), 4)
    checkpointer = Checkpointer(folder / "save", {"model": model})
    torch.manual_seed(seed)
    for epoch, accuracy in ((1, 0.5), (2, 0.9), (3, 0.7)):
        for parameter in model.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
        # logits that differ clearly from one class to another
        torch.nn.init.normal_(model.head.weight)
        if epoch == 2:
            best = {k: v.clone() for k, v in model.state_dict().items()}
        checkpointer.save_checkpoint(
            meta={
                "UA": accuracy,
                "epoch": epoch,
                "selection": [accuracy, 0.0],
            }
        )
    model.load_state_dict(best)
    return freeze(model)


@pytest.fixture(scope="session")
def runs(encoders, tmp_path_factory):
    """Run folder and student for each kind of encoder, made when asked for."""
    made = {}

    def run(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("runs") / kind
            made[kind] = folder, fabricate_run(folder, encoders(kind))
        return made[kind]

    return run


@pytest.fixture(scope="session")
def exports(runs, tmp_path_factory):
    """Folder of each export of each kind, made when asked for."""
    made = {}

    def exported(to, kind="wav2vec2"):
        if to.startswith("onnx"):
            pytest.importorskip("onnxscript")
            pytest.importorskip("onnxruntime")
        if (to, kind) not in made:
            out = tmp_path_factory.mktemp("exports") / f"{kind}-{to}"
            export(runs(kind)[0], to, out)
            made[to, kind] = out
        return made[to, kind]

    return exported


@pytest.fixture
def no_network(monkeypatch):
    """Every attempt to reach another machine fails the test."""

    def refuse(*arguments, **options):
        raise AssertionError(f"a network call was tried: {arguments}")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def speech_like(seconds, seed=0):
    """A gliding, pulsing harmonic tone with some noise, (time,)."""
    time = torch.arange(int(seconds * RATE)) / RATE
    pitch = 120 + 40 * torch.sin(3 * time)
    phase = 2 * torch.pi * torch.cumsum(pitch, 0) / RATE
    tone = sum(torch.sin(k * phase) / k for k in range(1, 12))
    noise = torch.randn(
        len(time), generator=torch.Generator().manual_seed(seed)
    )
    return 0.1 * tone * torch.sin(4 * time) ** 2 + 0.001 * noise


def signals():
    """What a model can be given, by name."""
    random = torch.Generator().manual_seed(1)
    return {
        "speech": speech_like(1.7),
        "noise": 0.1 * torch.randn(20000, generator=random),
        "silence": torch.zeros(16000),
        "a tenth of a second": speech_like(0.1),
        "a minute": speech_like(60.0),
    }
