"""How often an exported model names another emotion than its run.

    python -m bench.agreement results/student/1986/fold_1 --data_folder EMODB

Every recording of the run's three manifests is classified by the run in torch
and by each export; one line an export: recordings, changed classes, and the
largest difference of a logit.

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
import tempfile

import torch
from mlkd_brain.audio import read_mono
from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import cli_errors
from mlkd_brain.export.formats import export
from mlkd_brain.inference.recognizer import EmotionRecognizer, load_recognizer
from tqdm import tqdm

EXPORTS = ("speechbrain", "onnx", "onnx-int8", "onnx-weights8")


def recordings(run_folder, data_folder):
    """Every recording of a run's manifests, sorted."""
    parts = [
        read_manifest(pathlib.Path(run_folder) / f"{part}.csv")
        for part in ("train", "valid", "test")
    ]
    return sorted(
        wav.replace("$data_root", str(data_folder))
        for part in parts
        for wav in part["wav"]
    )


def all_logits(recognizer, files):
    """Logits of each recording, (recordings, classes)."""
    rows = []
    with torch.inference_mode():
        for file in tqdm(files, unit="file", disable=None):
            wav = read_mono(file)[None]
            lengths = torch.tensor([wav.shape[1]])
            rows.append(recognizer.logits(wav, lengths).cpu())
    return torch.cat(rows)


def compare(logits, reference):
    """Share of changed classes and largest difference.

    Example
    -------
    >>> reference = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> compare(torch.tensor([[1.0, 0.0], [2.0, 1.0]]), reference)
    (0.5, 2.0)
    """
    changed = logits.argmax(1) != reference.argmax(1)
    return (
        changed.float().mean().item(),
        (logits - reference).abs().max().item(),
    )


def main(argv=None):
    """Export, classify, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder")
    parser.add_argument("--data_folder", required=True, help="of the corpus")
    options = parser.parse_args(argv)
    files = recordings(options.run_folder, options.data_folder)
    run = EmotionRecognizer.from_run(options.run_folder)
    reference = all_logits(run, files)
    for to in EXPORTS:
        with tempfile.TemporaryDirectory() as folder:
            export(options.run_folder, to, folder)
            logits = all_logits(load_recognizer(folder), files)
        changed, largest = compare(logits, reference)
        print(
            f"{to}: {len(files)} recordings, {changed:.2%} change class, "
            f"logits differ by at most {largest:.2g}"
        )


if __name__ == "__main__":
    with cli_errors():
        main()
