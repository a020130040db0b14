"""Emotions of recordings with an exported ONNX graph.

Authors
 * The MLKD team 2026
"""

import pathlib

import torch
import yaml

from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognition import Recognition
from mlkd_brain.optional import is_installed, require

GRAPH = "model.onnx"
SIDECAR = "model.yaml"
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # best first
#: Values of a frame that share a scale in OpenVINO; divides what frames hold.
SHARED_SCALE = 256


class OnnxRecognizer(Recognition):
    """A trained model in onnxruntime or OpenVINO.

    ``classify_file``, ``classify_batch`` and ``timeline`` are explained in
    ``mlkd_brain.inference.recognition``. onnxruntime computes on the GPU if there is one
    for it.

    Arguments
    ---------
    folder : str or pathlib.Path
        Written by ``mlkd_brain.export.formats --to onnx``, ``onnx-int8`` or
        ``onnx-weights8``.
    runtime : str, optional
        "onnxruntime" or "openvino"; by default what the graph was made for, or
        onnxruntime where that is not installed.
    threads : int, optional
        Of the CPU; the runtime decides by default.

    Raises
    ------
    InputError
        If the runtime is unknown or not installed.
    """

    def __init__(self, folder, runtime=None, threads=None):
        folder = pathlib.Path(folder)
        self.about = yaml.safe_load((folder / SIDECAR).read_text("utf-8"))
        self.emotions = self.about["labels"]
        if runtime is None:
            made_for = self.about["runtime"]
            runtime = made_for if is_installed(made_for) else "onnxruntime"
        if runtime not in RUNTIMES:
            raise InputError(
                f"Bad value '{runtime}' for runtime, expected one of "
                f"{list(RUNTIMES)}."
            )
        require(runtime)
        self.run = RUNTIMES[runtime](str(folder / GRAPH), threads)

    def logits(self, wavs, lengths):
        """Unnormalised scores, see ``mlkd_brain.inference.recognition``."""
        wavs, lengths = wavs.cpu().numpy(), lengths.long().cpu().numpy()
        return torch.from_numpy(self.run(wavs, lengths))


def in_onnxruntime(path, threads=None):
    """A graph as a function of ``wavs`` and ``lengths``, in onnxruntime.

    Arguments
    ---------
    path : str
        Of the graph.
    threads : int, optional
        Of the CPU.

    Returns
    -------
    callable
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    there = onnxruntime.get_available_providers()
    session = onnxruntime.InferenceSession(
        path, options, providers=[name for name in PROVIDERS if name in there]
    )
    return lambda wavs, lengths: session.run(
        ["logits"], {"wavs": wavs, "lengths": lengths}
    )[0]


def in_openvino(path, threads=None, precision="f32"):
    """A graph as a function of ``wavs`` and ``lengths``, in OpenVINO.

    Arguments
    ---------
    path : str
        Of the graph. Products with weights in 8 bits are computed in 8 bits.
    threads : int, optional
        Of the CPU.
    precision : str
        Of everything else, "f32" or "bf16".

    Returns
    -------
    callable
    """
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": SHARED_SCALE,
        "INFERENCE_NUM_THREADS": threads or 0,
    }
    model = openvino.Core().compile_model(path, "CPU", options)
    # a copy: OpenVINO writes the next answer into the same memory
    return lambda wavs, lengths: model([wavs, lengths])[0].copy()


RUNTIMES = {"onnxruntime": in_onnxruntime, "openvino": in_openvino}
