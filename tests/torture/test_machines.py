"""Files and machines that are not as they should be: one line, exit status 2."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from exported_runs import exports, runs, speech_like  # noqa: F401 - fixtures
from mlkd_brain.__main__ import COMMANDS
from mlkd_brain.errors import InputError
from mlkd_brain.inference.recognizer import load_recognizer
from mlkd_brain.method.encoders import SpeechEncoder
from safetensors.torch import load_file, save_file

ONE_LINE = "one line that names file and remedy"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
DAMAGE = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "a byte less": lambda content: content[:-1],
    "pointer": lambda content: POINTER,
    "a page of HTML": lambda content: b"<!doctype html><p>Not found",
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_damaged_encoder_is_named(tally, tiny_wav2vec2, tmp_path, file, kind):
    folder = shutil.copytree(tiny_wav2vec2, tmp_path / "encoder")
    path = folder / file
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    if (file, kind) == ("config.json", "a byte less"):
        SpeechEncoder(str(folder))  # the last line's end: nothing is lost
        tally.count("files", "damaged encoders", "used, nothing is lost")
        return
    with pytest.raises(InputError, match=f"encoder '{folder}'") as refused:
        SpeechEncoder(str(folder))
    assert "\n" not in str(refused.value)
    told = f"{file} is a pointer of git-lfs" in str(refused.value)
    assert told == (kind == "pointer")
    tally.count("files", "damaged encoders", ONE_LINE)


@pytest.mark.parametrize("prefix", ["module", "model", "_orig_mod", "a.b"])
def test_weights_under_other_names_are_refused(
    tally, tiny_wav2vec2, tmp_path, prefix
):
    folder = shutil.copytree(tiny_wav2vec2, tmp_path / "encoder")
    path = folder / "model.safetensors"
    named = {f"{prefix}.{k}": v for k, v in load_file(path).items()}
    save_file(named, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=rf"the prefix \['{prefix}\.'\]"):
        SpeechEncoder(str(folder))
    tally.count("files", "encoders whose weights are not found", ONE_LINE)


def test_any_missing_weight_is_refused(tally, tiny_wav2vec2, tmp_path):
    weights = load_file(f"{tiny_wav2vec2}/model.safetensors")
    folder = shutil.copytree(tiny_wav2vec2, tmp_path / "encoder")
    for name in list(weights)[::9]:
        if name == "masked_spec_embed":
            continue
        rest = {k: v for k, v in weights.items() if k != name}
        path = folder / "model.safetensors"
        save_file(rest, path, metadata={"format": "pt"})
        with pytest.raises(InputError, match="lacks weights of its encoder"):
            SpeechEncoder(str(folder))
        kind = "encoders whose weights are not found"
        tally.count("files", kind, ONE_LINE)


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("file", ["model.ckpt", "CKPT.yaml"])
def test_a_damaged_checkpoint_is_named(tally, runs, tmp_path, file, kind):  # noqa: F811
    run = shutil.copytree(runs("wav2vec2")[0], tmp_path / "run")
    for path in run.glob(f"save/CKPT+*/{file}"):
        path.write_bytes(DAMAGE[kind](path.read_bytes()))
    if (file, kind) == ("CKPT.yaml", "a byte less"):
        load_recognizer(run)  # the last line's end: nothing is lost
        tally.count("files", "damaged checkpoints", "used, nothing is lost")
        return
    with pytest.raises(InputError, match=f"{file}: is damaged") as refused:
        load_recognizer(run)
    assert "another encoder" not in str(refused.value)
    tally.count("files", "damaged checkpoints", ONE_LINE)


@pytest.mark.parametrize("kind", ["empty", "half", "pointer"])
@pytest.mark.parametrize("to", ["onnx", "speechbrain"])
def test_a_damaged_export_is_named(tally, exports, tmp_path, to, kind):  # noqa: F811
    folder = shutil.copytree(exports(to), tmp_path / "export")
    name = "model.onnx" if to == "onnx" else "model.safetensors"
    path = folder / name
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    with pytest.raises(InputError, match=name):
        load_recognizer(folder)
    tally.count("files", "damaged exports", ONE_LINE)


@pytest.mark.parametrize("device", ["cuda:99", "cuda:x", "abacus", ""])
@pytest.mark.parametrize("to", ["speechbrain", "onnx", "run"])
def test_a_device_that_is_not_there_is_refused(
    tally,
    exports,  # noqa: F811
    runs,  # noqa: F811
    to,
    device,
):
    folder = runs("wav2vec2")[0] if to == "run" else exports(to)
    with pytest.raises(InputError, match=f"device is '{device}'"):
        load_recognizer(folder, device)
    load_recognizer(folder, "cpu")
    tally.count("files", "devices that are not there", ONE_LINE)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("to", ["speechbrain", "onnx"])
def test_cuda_without_a_gpu_is_refused(tally, exports, to):  # noqa: F811
    with pytest.raises(InputError, match="device is 'cuda'"):
        load_recognizer(exports(to), "cuda")
    tally.count("files", "devices that are not there", ONE_LINE)


# children of one process, whose standard output nobody reads
CLOSED = """\
import os, sys
from mlkd_brain.__main__ import main

for words in map(str.split, sys.argv[1:]):
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(*words[:1], status, file=sys.stderr, flush=True)
        continue
    main(words)
"""


def test_a_closed_pipe_ends_every_command_quietly(tally, exports, tmp_path):  # noqa: F811
    import soundfile

    soundfile.write(tmp_path / "a.wav", speech_like(0.3).numpy(), 16000)
    predict = f"predict {exports('speechbrain')} {tmp_path}/a.wav --csv"
    lines = ["--help", predict, *(f"{name} --help" for name in COMMANDS)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, *lines],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    os.close(write)
    # 141: a shell's status of a program that a closed pipe has ended; argparse
    # itself passes over what it cannot print, where nothing is buffered
    ended = [line.split() for line in done.stderr.splitlines()]
    assert [name for name, *_ in ended] == [line.split()[0] for line in lines]
    assert ended[:2] == [["--help", "141"], ["predict", "141"]]
    assert {status for _, status in ended} <= {"0", "141"}
    tally.count("files", "closed pipes", "ends quietly", len(lines))
