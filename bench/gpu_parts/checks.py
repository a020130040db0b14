"""Whether the GPU computes what the CPU does, for any batch and precision.

Authors
 * The MLKD team 2026
"""

import contextlib
import hashlib
import pathlib
import tempfile

import numpy as np
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.data.samplers import LengthBucketSampler
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.sampling import NoiseSampler

from bench.gpu_parts.workplace import NOISES, write_noise
from bench.lengths import dataset_of, iemocap_like
from bench.loops import OurLoop, teacher_and_student
from speechbrain.dataio.batch import PaddedBatch

SECONDS = (1.0, 2.5, 4.5, 6.0)  # of the utterances that are compared
TOLERANCE = 1e-3  # of logits in float32
BATCH = 8
#: What ``noise_checksum`` gives; the same on every machine.
NOISE_CHECKSUM = "1062c05333ba61ed"
SNRS_DB, SPEECH_LEVEL, MIXTURES = [0, 5, 10, 15, 20], -26.0, 40


@contextlib.contextmanager
def tf32(allowed):
    """Whether products and convolutions may round to TF32, as SpeechBrain has it."""
    switches = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = allowed
    yield
    for switch, value in zip(switches, before):
        switch.allow_tf32 = value


def utterances(shorter):
    """A padded batch: waveforms, relative lengths."""
    random = torch.Generator().manual_seed(0)
    samples = [round(shorter * s * SAMPLE_RATE) for s in SECONDS]
    wavs = [0.1 * torch.randn(n, generator=random) for n in samples]
    padded = torch.nn.utils.rnn.pad_sequence(wavs, batch_first=True)
    return padded, torch.tensor(samples) / padded.shape[1]


def logits(model, wavs, lengths, precision="fp32"):
    """Of a model on its own device, on the CPU."""
    device = next(model.parameters()).device
    half = torch.autocast(device.type, torch.bfloat16, precision == "bf16")
    with torch.inference_mode(), half:
        return model(wavs.to(device), lengths.to(device)).logits.float().cpu()


def parity(setup, findings):
    """Logits on the GPU beside the CPU's, alone and in a batch."""
    wavs, lengths = utterances(setup.size.shorter)
    source = f"{setup.folder}/encoder"
    model, _ = teacher_and_student(source, "cpu")
    on_cpu = logits(model, wavs, lengths)
    model = model.to(setup.device)
    for allowed, precision, limit in (
        (False, "fp32", TOLERANCE),
        (True, "fp32", None),
        (True, "bf16", None),
    ):
        name = f"{precision}, {'TF32' if allowed else 'no TF32'}"
        with tf32(allowed):
            together = logits(model, wavs, lengths, precision)
            alone = each_alone(model, wavs, lengths, precision)
        compare(findings, f"GPU and CPU, {name}", together, on_cpu, limit)
        compare(
            findings, f"in a batch and alone, {name}", together, alone, limit
        )
    findings.note("logits", on_cpu.tolist())


def each_alone(model, wavs, lengths, precision):
    """Logits of each utterance without the others."""
    rows = []
    for wav, length in zip(wavs, lengths):
        samples = round(float(length) * len(wav))
        rows.append(
            logits(model, wav[None, :samples], torch.ones(1), precision)
        )
    return torch.cat(rows)


def compare(findings, name, ours, theirs, limit):
    """A row for the largest difference, and a check if there is a limit."""
    difference = float((ours - theirs).abs().max())
    findings.add(f"largest difference of logits, {name}", "", difference)
    if limit is not None:
        detail = f"{difference:.1e}, at most {limit:.0e}"
        findings.check(f"logits agree: {name}", difference <= limit, detail)


def precisions(setup, findings):
    """Losses of the same steps in float32 and in bf16."""
    steps = 5 * setup.size.steps
    durations = setup.size.shorter * iemocap_like(steps * BATCH)
    dataset = dataset_of(durations)
    batches = [
        PaddedBatch([dataset[i] for i in batch])
        for batch in LengthBucketSampler(durations, BATCH, 0.2, seed=1)
    ]
    losses = {}
    for precision in ("fp32", "bf16"):
        loop = OurLoop(
            f"{setup.folder}/encoder", dataset, setup.device, precision
        )
        torch.manual_seed(3)
        losses[precision] = [loop.learn(batch) for batch in batches]
    findings.note("losses", losses)
    full, half = (np.array(losses[p]) for p in ("fp32", "bf16"))
    findings.add("loss of the last ten steps, float32", "", full[-10:].mean())
    findings.add(
        "loss of the last ten steps, bf16",
        "",
        half[-10:].mean(),
        "float32",
        full[-10:].mean(),
    )
    findings.add(
        "loss of a step, bf16: mean relative difference from float32",
        "%",
        100 * float(np.mean(np.abs(half - full) / full)),
    )


def noise(setup, findings):
    """The noise that is drawn here beside what every machine draws."""
    found = noise_checksum()
    findings.note("noise checksum", found)
    findings.check(
        "noise drawn as on every machine", found == NOISE_CHECKSUM, found
    )


def noise_checksum():
    """Checksum of some mixtures, of samples that are the same everywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_noise(folder / "noise")
        shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
        bank = NoiseBank(folder / "noise", folder / "cache", NOISES, shares)
        bank.prepare()
        sampler = NoiseSampler(bank, "train", SNRS_DB, "g712", seed=1986)
        sampler.resolve()
        return _checksum(sampler)


def _checksum(sampler):
    random = np.random.default_rng(1)
    digest = hashlib.sha256()
    for index in range(MIXTURES):
        samples = random.integers(-6000, 6000, 2 * SAMPLE_RATE, dtype=np.int16)
        speech = samples.astype(np.float32) / 2**15
        digest.update(repr(sampler.sample(f"u{index}")).encode())
        digest.update(sampler(f"u{index}", speech, SPEECH_LEVEL).tobytes())
    return digest.hexdigest()[:16]
