"""The command that draws a mix: on made signals and on real recordings.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from mlkd_brain.__main__ import main as mlkd
from mlkd_brain.noise.command import WEIGHTINGS, main
from mlkd_brain.noise.levels import WEIGHTINGS as METERED
from mlkd_brain.noise.picture import cut_segment, draw_mix
from portable_signals import low, speechlike

ROOT = pathlib.Path(__file__).parents[3]
CORPORA = pathlib.Path(
    os.environ.get("MLKD_CORPORA", ROOT.parent / "shared" / "corpora")
)
PNG = b"\x89PNG"


@pytest.fixture
def recordings(tmp_path):
    """Speech of 3 s at 16 kHz and stereo noise of 4 s at 8 kHz."""
    speech, noise = tmp_path / "speech.wav", tmp_path / "noise.wav"
    soundfile.write(speech, speechlike(), 16000)
    soundfile.write(noise, np.stack([low(32000)] * 2, axis=1), 8000)
    return [str(speech), str(noise), "--snr", "5"]


def test_the_levels_are_printed_and_the_picture_is_written(
    recordings, tmp_path, capsys
):
    out = tmp_path / "picture.png"
    main(
        [*recordings, "--weighting", "g712", "--start", "1", "--out", str(out)]
    )
    printed = capsys.readouterr().out
    assert "S = -29.27 dBov" in printed  # FANT: -29.261
    assert "SNR = 5.00 dB (weighting g712" in printed
    assert out.read_bytes().startswith(PNG)


def test_a_silent_utterance_is_drawn_and_said():
    silence, noise = np.zeros(16000), low(16000)
    figure, summary = draw_mix(silence, noise, 5.0, "none", "silence")
    assert len(figure.axes) == 7  # six panels and the colour bar
    assert "no noise is added" in summary
    assert "nan" not in summary


def test_overload_is_said_in_the_picture():
    loud = speechlike() / np.max(np.abs(speechlike()))
    figure, _ = draw_mix(loud, low(48000), -5.0, "none", "overload")
    titles = [panel.get_title() for panel in figure.axes]
    assert any("divided by its peak" in title for title in titles)


def test_short_noise_is_repeated():
    noise = np.arange(3.0)
    assert cut_segment(noise, 0.0, 5).tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("start", ["-1", "1.5", "nan"])
def test_a_start_outside_the_noise_is_named(
    recordings, tmp_path, capsys, start
):
    out = str(tmp_path / "picture.png")
    with pytest.raises(SystemExit, match="2"):
        mlkd(["noise", *recordings, f"--start={start}", "--out", out])
    assert "it goes from 0 to 1.000 s" in capsys.readouterr().err


def test_a_snr_that_is_not_finite_is_named(recordings, capsys):
    with pytest.raises(SystemExit, match="2"):
        mlkd(["noise", *recordings, "--snr", "nan", "--out", "picture.png"])
    assert "nan is not a finite number of dB" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"RIFF, but no sound"])
def test_a_missing_or_broken_file_is_one_line(
    recordings, tmp_path, capsys, content
):
    broken = tmp_path / "broken.wav"
    if content is not None:
        broken.write_bytes(content)
    out = str(tmp_path / "picture.png")
    with pytest.raises(SystemExit, match="2"):
        mlkd(["noise", str(broken), *recordings[1:], "--out", out])
    (line,) = capsys.readouterr().err.splitlines()
    assert str(broken) in line
    assert not pathlib.Path(out).exists()


@pytest.mark.parametrize("out", ["absent/picture.png", "picture.unknown"])
def test_a_picture_that_cannot_be_written_is_one_line(
    recordings, tmp_path, capsys, out
):
    with pytest.raises(SystemExit, match="2"):
        mlkd(["noise", *recordings, "--out", str(tmp_path / out)])
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written" in line


def test_the_documented_command_works_on_real_recordings(tmp_path):
    speech = CORPORA / "emodb" / "03a01Fa.wav"
    noise = CORPORA / "noise" / "volvo.wav"
    if not (speech.is_file() and noise.is_file()):
        pytest.skip(f"no EmoDB and noise in {CORPORA}; set MLKD_CORPORA")
    out = tmp_path / "picture.png"
    command = [sys.executable, "-m", "mlkd_brain", "noise", speech, noise]
    command += ["--snr", "5", "--out", out]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "SNR = 5.00 dB" in done.stdout
    assert out.read_bytes().startswith(PNG)


def test_the_command_offers_every_weighting():
    assert WEIGHTINGS == METERED
