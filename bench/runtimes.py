"""Speed, size and memory of teacher and student in every runtime.

    python -m bench.runtimes --repeats 20

Base size (768 features; 12 blocks for the teacher, 6 for the student), random
weights, one utterance of 4.5 s, two threads, each contestant in a process of its
own, in turn. The medians are compared.

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time
import types

import torch
from mlkd_brain.export.hf_folder import to_hf
from mlkd_brain.export.onnx_graph import write_float_graph
from mlkd_brain.export.onnx_int8 import write_int8_graph
from mlkd_brain.export.onnx_weights import write_compressed_graph
from mlkd_brain.inference.loading import EncoderFromConfig
from mlkd_brain.inference.onnx_recognizer import in_onnxruntime, in_openvino
from mlkd_brain.method.lobes import EmotionClassifier
from transformers import AutoModelForAudioClassification

from bench.contestant import THREADS, Contestant, peak_megabytes, say
from bench.results import add, markdown, row

SAMPLES = 72000  # 4.5 s, the mean utterance of IEMOCAP
TEACHER = "teacher, transformers"
WEIGHTS = "model.safetensors"
WARM_UP = 2  # first runs allocate and choose kernels


def in_transformers(folder, autocast=False):
    """Plain transformers, as anybody would run it."""
    model = AutoModelForAudioClassification.from_pretrained(folder).eval()

    def run(wavs, lengths):
        with torch.inference_mode(), torch.autocast("cpu", enabled=autocast):
            return model(torch.from_numpy(wavs)).logits.float().numpy()

    return run


#: Name: what is loaded, and the function that loads it.
CONTESTANTS = {
    TEACHER: (f"teacher/{WEIGHTS}", in_transformers),
    "student, transformers": (f"student/{WEIGHTS}", in_transformers),
    "student, transformers, bf16 autocast": (
        f"student/{WEIGHTS}",
        lambda path: in_transformers(path, autocast=True),
    ),
    "student, onnxruntime": (
        "float.onnx",
        lambda path: in_onnxruntime(path, THREADS),
    ),
    "student, onnxruntime, int8 products": (
        "int8.onnx",
        lambda path: in_onnxruntime(path, THREADS),
    ),
    "student, openvino": (
        "float.onnx",
        lambda path: in_openvino(path, THREADS),
    ),
    "student, openvino, int8": (
        "weights8.onnx",
        lambda path: in_openvino(path, THREADS),
    ),
    "student, openvino, int8 and bf16": (
        "weights8.onnx",
        lambda path: in_openvino(path, THREADS, precision="bf16"),
    ),
}


def write_models(folder):
    """Write what the contestants load."""
    for name, blocks in (("teacher", 12), ("student", 6)):
        config = {"model_type": "wav2vec2", "num_hidden_layers": blocks}
        torch.manual_seed(0)
        encoder = EncoderFromConfig(config, normalize_wav=True)
        model = EmotionClassifier(encoder, n_classes=4).eval()
        emotions = ["ang", "hap", "neu", "sad"]
        run = types.SimpleNamespace(model=model, emotions=emotions)
        (folder / name).mkdir()
        to_hf(run, folder / name)
    write_float_graph(model, folder / "float.onnx")
    write_int8_graph(folder / "float.onnx", folder / "int8.onnx")
    write_compressed_graph(folder / "float.onnx", folder / "weights8.onnx")


def worker(name, folder):
    """Load, then run once for each line on standard input."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    wavs = 0.1 * torch.randn(1, SAMPLES).numpy()
    lengths = torch.tensor([SAMPLES]).numpy()
    file, load = CONTESTANTS[name]
    path = pathlib.Path(folder) / file
    before = peak_megabytes()
    start = time.perf_counter()
    run = load(str(path.parent if path.name == WEIGHTS else path))
    say(load=time.perf_counter() - start)
    for _ in sys.stdin:
        start = time.perf_counter()
        run(wavs, lengths)
        say(ms=1000 * (time.perf_counter() - start))
    say(memory=peak_megabytes() - before)


def measure(folder, repeats):
    """Measurements of each contestant, taken in turn."""
    contestants = {
        name: Contestant("bench.runtimes", "--worker", name, folder)
        for name in CONTESTANTS
    }
    for _ in range(repeats + WARM_UP):
        for contestant in contestants.values():
            contestant.run()
    measured = {
        name: {
            "time": statistics.median(a["ms"] for a in c.answers[WARM_UP:]),
            "load": c.ready["load"],
            "memory": c.finish()["memory"],
        }
        for name, c in contestants.items()
    }
    for name, (file, _) in CONTESTANTS.items():
        measured[name]["size"] = (
            pathlib.Path(folder) / file
        ).stat().st_size / 1e6
    return measured


UNITS = {"time": "ms", "size": "MB", "memory": "MB", "load": "s"}


def rows(measured):
    """Rows for bench/results.json, each beside the teacher.

    Example
    -------
    >>> measured = {
    ...     TEACHER: {"time": 4.0, "size": 2.0, "memory": 2.0, "load": 1.0},
    ...     "student": {"time": 1.0, "size": 1.0, "memory": 2.0, "load": 1.0},
    ... }
    >>> [r["ratio"] for r in rows(measured) if r["name"].endswith("student")]
    [0.25, 0.5, 1.0, 1.0]
    """
    return [
        row(
            f"runtimes: {quantity}, {name}",
            unit,
            values[quantity],
            TEACHER,
            measured[TEACHER][quantity],
        )
        for quantity, unit in UNITS.items()
        for name, values in measured.items()
    ]


def main(argv=None):
    """Measure, keep, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "FOLDER"))
    options = parser.parse_args(argv)
    if options.worker:
        return worker(*options.worker)
    with tempfile.TemporaryDirectory() as folder:
        write_models(pathlib.Path(folder))
        made = rows(measure(folder, options.repeats))
    add(made)
    print(markdown(made))


if __name__ == "__main__":
    main()
