"""Model card and sidecar: what comes with an exported model.

Authors
 * The MLKD team 2026
"""

from typing import Any

import yaml
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.inference.loading import TrainedRun
from mlkd_brain.method import embedded

LICENCE = "apache-2.0"
SHORTEST_SAMPLES = 400  # span of the first frame, 25 ms


def licence(run: TrainedRun) -> str:
    """Of the weights, as the hub names it: their encoder's, if it is ours."""
    ours = run.protocol["encoder_hub"] == embedded.EMBEDDED
    return embedded.LICENCE if ours else LICENCE


def model_card(run: TrainedRun, to: str, batching: str) -> str:
    """README.md of an export: Markdown, with the hub's header.

    Arguments
    ---------
    run : mlkd_brain.inference.loading.TrainedRun
        What is exported.
    to : str
        The format.
    batching : str
        How recordings can be batched.
    """
    header = {
        "license": licence(run),
        "pipeline_tag": "audio-classification",
        "library_name": "transformers" if to == "hf" else "mlkd_brain",
        "tags": ["speech-emotion-recognition", "knowledge-distillation"],
    }
    return CARD.format(
        header=yaml.safe_dump(header, sort_keys=False),
        labels=", ".join(run.emotions),
        licence=licence(run),
        encoder=run.protocol["encoder_hub"],
        rate=SAMPLE_RATE,
        batching=batching,
        use=USE["onnx" if to.startswith("onnx") else to],
        protocol=yaml.safe_dump(run.protocol, sort_keys=False),
        **{key: run.protocol[key] for key in ("system", "seed", "fold")},
    )


def sidecar(run: TrainedRun, precision: str, runtime: str) -> dict[str, Any]:
    """What a program needs to know to run an ONNX export, for YAML.

    Arguments
    ---------
    run : mlkd_brain.inference.loading.TrainedRun
        What is exported.
    precision : str
        What is in how many bits.
    runtime : str
        What the graph was arranged for; every ONNX runtime can run it.
    """
    return {
        "model": "model.onnx",
        "licence": licence(run),
        "precision": precision,
        "runtime": runtime,
        "sample_rate": SAMPLE_RATE,  # Hz
        **yaml.safe_load(SIGNATURE),
        "labels": run.emotions,
        "protocol": run.protocol,
    }


SIGNATURE = f"""\
normalisation: 'none: the graph normalises each utterance itself'
inputs:
    wavs:
        shape: [batch, time]
        type: float32
        unit: full scale at 1
        padding: at the end, with anything
    lengths:
        shape: [batch]
        type: int64
        unit: samples, at least {SHORTEST_SAMPLES}
outputs:
    logits:
        shape: [batch, classes]
        type: float32
        unit: unnormalised scores; their softmax is probabilities
"""

USE = {
    "hf": """\
import soundfile
from transformers import pipeline

samples, rate = soundfile.read("speech.wav")  # one channel
speech = {"raw": samples, "sampling_rate": rate}
print(pipeline("audio-classification", model="FOLDER")(speech))""",
    "onnx": """\
from mlkd_brain.inference.onnx_recognizer import OnnxRecognizer

print(OnnxRecognizer("FOLDER").classify_file("speech.wav"))""",
    "speechbrain": """\
from mlkd_brain.inference.recognizer import EmotionRecognizer

recognizer = EmotionRecognizer.from_hparams(source="FOLDER")
print(recognizer.classify_file("speech.wav"))""",
}

CARD = """\
---
{header}---

# Emotion of an utterance: {labels}

Noise-robust speech emotion recognition, after "Multi-Level Knowledge
Distillation for Speech Emotion Recognition in Noisy Conditions"
(https://arxiv.org/abs/2312.13556). Exported from system {system}, seed {seed},
fold {fold}.

- Input: one channel of speech at {rate} Hz, at least 25 ms.
- Batches: {batching}.
- Output: one score for each of {labels}, in this order.
- Licence: {licence}; fine-tuned from the encoder `{encoder}`, whose own licence
  and attribution go with it.

```python
{use}
```

## What it was trained and tested on

One fold of leave-one-speaker-out: its test speakers are not in its training
data, and its epoch was chosen by its validation speakers. Acted or elicited
speech of few speakers; do not decide anything about a person with it.

```yaml
{protocol}```
"""
