"""Formats in which a trained model leaves its run.

Authors
 * The MLKD team 2026
"""

import json
import pathlib

import yaml
from mlkd_brain.errors import InputError
from mlkd_brain.export.hf_folder import to_hf
from mlkd_brain.export.model_card import model_card, sidecar
from mlkd_brain.files import refuse_to_replace, replaced_folder
from mlkd_brain.inference.loading import (
    EncoderFromConfig,
    TrainedRun,
    encoder_settings,
)
from mlkd_brain.inference.onnx_recognizer import GRAPH, SIDECAR
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.method.pooling import MeanPooling
from mlkd_brain.names import HPARAMS, LABELS
from mlkd_brain.optional import require
from mlkd_brain.run.description import NEW, Built
from safetensors.torch import save_file

EXPORTED = "export.json"  # marks a folder that an export made
WEIGHTS = "model.safetensors"
ANY_BATCH = "any: the model masks what is beyond an utterance's length"


def export(
    run_folder: str | pathlib.Path, to: str, out: str | pathlib.Path
) -> None:
    """Export the best epoch of a run.

    Arguments
    ---------
    run_folder : str or pathlib.Path
        The run's ``output_folder``.
    to : str
        One of ``FORMATS``.
    out : str or pathlib.Path
        Folder that is made; an earlier export there is replaced.

    Raises
    ------
    InputError
        If the run or the folder cannot be used, or a package is missing.
    """
    if to.startswith("onnx"):
        require("onnx", "onnxscript")
    if to == "onnx-int8":
        require("onnxruntime")
    refuse_to_replace(out, EXPORTED, "export")
    run = TrainedRun(run_folder)
    what = None if to == "speechbrain" else _beyond(run.model, to)
    if what:
        raise InputError(
            f"{run_folder}: has {what}, which --to {to} cannot write yet; use "
            "--to speechbrain."
        )
    with replaced_folder(out) as folder:
        batching = FORMATS[to](run, folder) or ANY_BATCH
        facts = {
            "to": to,
            "labels": run.emotions,
            "batching": batching,
            "protocol": run.protocol,
        }
        (folder / EXPORTED).write_text(json.dumps(facts, indent=2) + "\n")
        card = model_card(run, to, batching)
        (folder / "README.md").write_text(card, "utf-8")
        for file in folder.iterdir():
            file.chmod(0o644)  # safetensors keeps others out


def _beyond(model, to):
    """What of a model the formats of other programs have no place for."""
    if type(model) is not EmotionClassifier:
        return f"a model of its own, {type(model).__name__}"
    if model.encoder.model.config.model_type == "whisper":
        return "a Whisper encoder"
    if to != "onnx" and not isinstance(model.pooling, MeanPooling):
        return f"the pooling {type(model.pooling).__name__}"
    return None


def to_onnx(run: TrainedRun, folder: pathlib.Path) -> None:
    """Write the float32 graph and its sidecar."""
    _write_graph(run, folder, "float32")


def to_onnx_int8(run: TrainedRun, folder: pathlib.Path) -> None:
    """Write the graph with products in 8 bits, and its sidecar."""
    from mlkd_brain.export.onnx_int8 import write_int8_graph

    precision = "float32, products of the transformer int8"
    _write_graph(run, folder, precision, write_int8_graph)


def to_onnx_weights8(run: TrainedRun, folder: pathlib.Path) -> None:
    """Write the graph with weights in 8 bits, and its sidecar."""
    from mlkd_brain.export.onnx_weights import write_compressed_graph

    _write_graph(
        run, folder, "weights int8", write_compressed_graph, "openvino"
    )


def _write_graph(run, folder, precision, rewrite=None, runtime="onnxruntime"):
    from mlkd_brain.export.onnx_graph import write_float_graph

    write_float_graph(run.model, folder / GRAPH)
    if rewrite:
        rewrite(folder / GRAPH, folder / GRAPH)
    about = yaml.safe_dump(sidecar(run, precision, runtime), sort_keys=False)
    (folder / SIDECAR).write_text(about, "utf-8")


def to_speechbrain(run: TrainedRun, folder: pathlib.Path) -> None:
    """Write a folder that ``EmotionRecognizer.from_hparams`` loads."""
    model = run.described
    given = {
        "encoder": Built("!ref", "<encoder>"),
        "n_classes": len(run.emotions),
    }
    own = {k: given.get(k, value) for k, value in model.arguments.items()}
    objects = {
        "encoder": Built(
            f"{NEW}{EncoderFromConfig.__module__}.EncoderFromConfig",
            encoder_settings(run.model.encoder),
        ),
        "model": Built(model.tag, own),
    }
    text = yaml.dump(objects, Dumper=_Dumper, sort_keys=False, indent=4)
    text = SPEECHBRAIN.format(objects=text, weights=WEIGHTS, labels=LABELS)
    (folder / HPARAMS).write_text(text, "utf-8")
    save_file(run.model.state_dict(), folder / WEIGHTS)
    run.label_encoder.save(folder / LABELS)


class _Dumper(yaml.SafeDumper):
    """Writes ``Built`` as HyperPyYAML has it."""

    def ignore_aliases(self, data):
        return True

    def of_built(self, built):
        if isinstance(built.arguments, dict):
            return self.represent_mapping(built.tag, built.arguments)
        if isinstance(built.arguments, list):
            return self.represent_sequence(built.tag, built.arguments)
        return self.represent_scalar(built.tag, str(built.arguments))


_Dumper.add_representer(Built, _Dumper.of_built)


SPEECHBRAIN = """\
# Load with mlkd_brain.inference.recognizer.EmotionRecognizer.from_hparams(source=FOLDER)

{objects}
modules:
    model: !ref <model>

label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder

pretrainer: !new:mlkd_brain.inference.safe_weights.SafePretrainer
    loadables:
        model: !ref <model>
        label_encoder: !ref <label_encoder>
    files:
        model: {weights}
        label_encoder: {labels}
"""

FORMATS = {
    "hf": to_hf,
    "onnx": to_onnx,
    "onnx-int8": to_onnx_int8,
    "onnx-weights8": to_onnx_weights8,
    "speechbrain": to_speechbrain,
}
