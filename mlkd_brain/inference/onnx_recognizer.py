"""Emotions of recordings with an exported ONNX graph.

Authors
 * The MLKD team 2026
"""

import pathlib
from collections.abc import Callable

import numpy as np
import torch
import yaml
from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognition import Recognition
from mlkd_brain.optional import is_installed, require

GRAPH = "model.onnx"
SIDECAR = "model.yaml"
#: Devices of onnxruntime, the best first.
PROVIDER = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
#: Values of a frame that share a scale in OpenVINO; divides a frame's features.
SCALE_GROUP = 256
#: A graph that is loaded: waveforms and lengths to logits.
Runner = Callable[[np.ndarray, np.ndarray], np.ndarray]


class OnnxRecognizer(Recognition):
    """A trained model in onnxruntime or OpenVINO.

    ``classify_file``, ``classify_batch`` and ``timeline``: see ``Recognition``.
    onnxruntime computes on the GPU if its package supports one, OpenVINO on the
    CPU.

    Arguments
    ---------
    folder : str or pathlib.Path
        Written by ``mlkd export --to onnx``, ``onnx-int8`` or
        ``onnx-weights8``.
    runtime : str, optional
        "onnxruntime" or "openvino"; by default what the graph was made for, or
        onnxruntime where that is not installed.
    threads : int, optional
        Of the CPU; the runtime decides by default.
    device : str, optional
        "cpu" or "cuda"; what the runtime has, by default.

    Raises
    ------
    InputError
        If the runtime is unknown or not installed, has no such device, or the
        graph cannot be read.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        runtime: str | None = None,
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
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
        _refuse_missing(device, runtime)
        try:
            self.run = RUNTIMES[runtime](
                str(folder / GRAPH), threads, device=device
            )
        except Exception as error:  # each runtime has its own
            raise InputError(
                f"{folder / GRAPH}: cannot be loaded by {runtime} "
                f"({str(error).strip().splitlines()[0]}); it is damaged, or not "
                "for this version. Export it again."
            ) from None

    def logits(self, wavs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Unnormalised scores, see ``Recognition``."""
        arrays = wavs.cpu().numpy(), lengths.long().cpu().numpy()
        return torch.from_numpy(self.run(*arrays))


def _refuse_missing(device, runtime):
    """A device that cannot be had is not replaced in silence."""
    has = ["cpu"]
    if runtime == "onnxruntime":
        import onnxruntime

        found = onnxruntime.get_available_providers()
        has += [
            d for d, name in PROVIDER.items() if name in found and d != "cpu"
        ]
    if device is not None and device not in has:
        raise InputError(
            f"device is '{device}', and {runtime} computes on "
            f"{' or '.join(has)} here."
        )


def in_onnxruntime(
    path: str, threads: int | None = None, device: str | None = None
) -> Runner:
    """Load a graph in onnxruntime.

    Arguments
    ---------
    path : str
        Of the graph.
    threads : int, optional
        Of the CPU.
    device : str, optional
        "cpu" or "cuda"; the best that there is, by default.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    available = onnxruntime.get_available_providers()
    wanted = PROVIDER.values() if device is None else [PROVIDER[device]]
    providers = [name for name in wanted if name in available]
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    return lambda wavs, lengths: session.run(
        ["logits"], {"wavs": wavs, "lengths": lengths}
    )[0]


def in_openvino(
    path: str,
    threads: int | None = None,
    precision: str = "f32",
    device: str | None = "cpu",
) -> Runner:
    """Load a graph in OpenVINO.

    Arguments
    ---------
    path : str
        Of the graph. Products with weights in 8 bits are computed in 8 bits.
    threads : int, optional
        Of the CPU.
    precision : str
        Of everything else, "f32" or "bf16".
    device : str, optional
        The CPU, always.
    """
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": SCALE_GROUP,
        "INFERENCE_NUM_THREADS": threads or 0,
    }
    model = openvino.Core().compile_model(path, "CPU", options)
    # a copy: OpenVINO writes the next output into the same memory
    return lambda wavs, lengths: model([wavs, lengths])[0].copy()


RUNTIMES: dict[str, Callable[..., Runner]] = {
    "onnxruntime": in_onnxruntime,
    "openvino": in_openvino,
}
