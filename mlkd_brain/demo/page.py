"""The page: what is on it, and what happens when something changes.

Authors
 * The MLKD team 2026
"""

import base64
import html
import pathlib
import re
from typing import Any, NamedTuple

import gradio
import numpy as np
import torch
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.demo import pictures
from mlkd_brain.demo.sound import (
    LARGEST_FILE_MB,
    LONGEST_SECONDS,
    Noises,
    TestSpeaker,
    read_upload,
)
from mlkd_brain.demo.systems import System
from mlkd_brain.errors import InputError
from mlkd_brain.names import CLEAN

SWEEP_DB = (20, 15, 10, 5, 0, -5)
SLIDER_DB = (-5, 30)
NO_NOISE = "none (clean speech)"
#: Longer recordings are classified in windows only.
LONGEST_DECISION_SECONDS = 30
NOTHING_GIVEN = "Pick, upload or record something first."
INTRODUCTION = """\
# Emotions in noise
Record or upload speech, or pick an utterance of the test speaker, whom no system
was trained on. Choose a noise and slide its level; all systems get the same
mixture. {noise}Nothing leaves this machine.
"""


class Page:
    """The page's callbacks; each returns what the page then shows.

    Arguments
    ---------
    systems : list of System
        To compare.
    noises : Noises
        To add.
    speaker : TestSpeaker
        Samples to pick.
    report : pathlib.Path
        Folder of the study's report, whether it is there or not.
    """

    def __init__(
        self,
        systems: list[System],
        noises: Noises,
        speaker: TestSpeaker,
        report: pathlib.Path,
    ):
        self.systems, self.noises = systems, noises
        self.speaker, self.report = speaker, report

    def pick(self, name: str) -> tuple[int, np.ndarray] | None:
        """A sample for the player: rate and int16 samples."""
        return _playable(self.speaker.read(name).wav) if name else None

    def listen(self, sample: str, path: str | None, noise: str, snr: float):
        """Mixture to play, its picture, the decisions, and a message."""
        recording, message = self._recording(sample, path)
        if recording is None:
            return None, None, "", message
        mixture = self._mix(recording, noise, snr)
        first = torch.from_numpy(_first_seconds(mixture))
        decisions = {s.name: s.decide(first) for s in self.systems}
        if len(first) < len(mixture):
            message = (
                f"Decided on the first {LONGEST_DECISION_SECONDS} s of the "
                "mixture; for all of it see *Over time*."
            )
        return (
            _playable(mixture),
            pictures.draw_mixture(recording.wav, mixture),
            pictures.decisions_html(decisions),
            message,
        )

    def sweep(self, sample: str, path: str | None, noise: str):
        """Probabilities from clean speech down to -5 dB, and a message."""
        recording, message = self._recording(sample, path)
        if recording is None:
            return None, message or NOTHING_GIVEN
        if noise == NO_NOISE:
            return None, "Choose a noise: clean speech has no SNR."
        short = recording._replace(wav=_first_seconds(recording.wav))
        wavs = [self._mix(short, noise, snr) for snr in SWEEP_DB]
        inputs = [torch.from_numpy(wav) for wav in (short.wav, *wavs)]
        curves = {s.name: [s.decide(x) for x in inputs] for s in self.systems}
        return pictures.draw_sweep(curves, SWEEP_DB), ""

    def timeline(self, sample: str, path: str | None, noise: str, snr: float):
        """Probabilities in windows over the recording, and a message."""
        recording, message = self._recording(sample, path)
        if recording is None:
            return None, message or NOTHING_GIVEN
        mixture = torch.from_numpy(self._mix(recording, noise, snr))
        timelines = {
            s.name: s.recognizer.moments(mixture) for s in self.systems
        }
        emotions = {s.name: s.recognizer.emotions for s in self.systems}
        return pictures.draw_timeline(timelines, emotions), ""

    def study(self) -> str:
        """The study's report, or how it is made."""
        page = self.report / "report.html"
        if not page.is_file():
            results, report = self.report.parent, self.report
            return (
                "No report yet. <code>mlkd report "
                f"{html.escape(f'{results} --out {report}')}</code> writes it; "
                "then open this tab again."
            )
        inlined = _with_figures(page.read_text("utf-8"), self.report)
        # a frame of its own: it keeps its style, and no script runs in it
        return (
            '<iframe class="study" sandbox title="report of the study" '
            f'srcdoc="{html.escape(inlined)}"></iframe>'
        )

    def _recording(self, sample, path):
        """The picked sample, else the upload, else None; and a message."""
        if sample:
            return self.speaker.read(sample), ""
        if not path:
            return None, ""
        try:
            return read_upload(path), ""
        except InputError as error:
            return None, f"**This cannot be used.** {error}"

    def _mix(self, recording, noise, snr):
        kind = CLEAN if noise == NO_NOISE else noise
        return self.noises.mix(recording, kind, snr)


def _first_seconds(wav):
    return wav[: LONGEST_DECISION_SECONDS * SAMPLE_RATE]


def _playable(wav):
    """Rate and int16 samples; Gradio would scale floats to their peak."""
    return SAMPLE_RATE, (wav.clip(-1, 1) * 32767).astype(np.int16)


def _with_figures(page, folder):
    """A page with its figures inside it."""

    def inlined(match):
        picture = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{picture}"'

    return re.sub(r'src="(figures/[\w.-]+\.png)"', inlined, page)


def build(page: Page) -> gradio.Blocks:
    """The page as Gradio shows it.

    Arguments
    ---------
    page : Page
        What happens on it.

    Returns
    -------
    gradio.Blocks
        Not started yet.
    """
    made_up = "There is no noise folder: white and pink noise are made here. "
    with gradio.Blocks(
        title="Emotions in noise",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(600, 3600),  # every ten minutes, what is an hour old
    ) as blocks:
        gradio.Markdown(
            INTRODUCTION.format(noise=made_up * page.noises.are_made_up)
        )
        with gradio.Row():
            with gradio.Column(scale=1, min_width=320):
                inputs = _inputs(page)
            with gradio.Column(scale=3):
                _outputs(page, blocks, inputs)
    return blocks


class Inputs(NamedTuple):
    """The left column."""

    sample: Any
    audio: Any
    noise: Any
    snr: Any


def _inputs(page):
    samples = list(page.speaker.paths)
    sample = gradio.Dropdown(
        samples,
        value=next(iter(samples), None),
        label="utterance of the test speaker (emotion: ID)",
        visible=bool(samples),
        elem_id="sample",
    )
    audio = gradio.Audio(
        sources=["upload", "microphone"],
        type="filepath",
        format="wav",
        editable=False,
        buttons=[],
        label=f"speech, up to {LONGEST_SECONDS // 60} minutes and "
        f"{LARGEST_FILE_MB} MB",
        elem_id="audio",
    )
    noise = gradio.Dropdown(
        [NO_NOISE, *page.noises.types],
        value=page.noises.types[0],
        label="noise",
        elem_id="noise",
    )
    snr = gradio.Slider(
        *SLIDER_DB, value=10, step=1, label="SNR, dB", elem_id="snr"
    )
    return Inputs(sample, audio, noise, snr)


def _outputs(page, blocks, inputs):
    with gradio.Tab("Listen"):
        message = gradio.Markdown(elem_id="message")
        decisions = gradio.HTML(elem_id="decisions")
        mixture = gradio.Audio(
            label="the mixture",
            interactive=False,
            buttons=[],
            elem_id="mixture",
        )
        picture = gradio.Plot(show_label=False, format="png")
    outputs = [mixture, picture, decisions, message]
    _listen_when_changed(page, blocks, inputs, outputs)
    with gradio.Tab("Over SNR"):
        gradio.Markdown("What each system decides from clean speech to −5 dB.")
        _drawn_on_demand("Sweep the SNR", page.sweep, inputs[:3], "sweep")
    with gradio.Tab("Over time"):
        gradio.Markdown("A long recording in windows of 4 s, one every second.")
        _drawn_on_demand("Draw the timeline", page.timeline, inputs, "timeline")
    with gradio.Tab("Study") as study:
        report = gradio.HTML(elem_id="study")
        study.select(page.study, None, report, api_visibility="private")


def _listen_when_changed(page, blocks, inputs, outputs):
    options = {
        "fn": page.listen,
        "inputs": list(inputs),
        "outputs": outputs,
        "api_visibility": "private",
    }
    # of the positions that the slider passes, only the last counts
    for control in (inputs.noise, inputs.snr):
        control.change(
            **options, trigger_mode="always_last", show_progress="hidden"
        )
    picked = gradio.on(
        [blocks.load, inputs.sample.input],
        page.pick,
        inputs.sample,
        inputs.audio,
        api_visibility="private",
    )
    picked.then(**options)
    # a new recording takes the place of the sample that was picked
    audio = inputs.audio
    given = gradio.on(
        [audio.upload, audio.stop_recording, audio.clear],
        lambda: None,
        None,
        inputs.sample,
        api_visibility="private",
    )
    given.then(**options)


def _drawn_on_demand(label, callback, inputs, name):
    """A button, a message and a picture, which goes when its input changes."""
    button = gradio.Button(label, variant="primary", elem_id=f"{name}-button")
    message = gradio.Markdown(elem_id=f"{name}-message")
    picture = gradio.Plot(show_label=False, format="png", elem_id=name)
    button.click(
        callback, list(inputs), [picture, message], api_visibility="private"
    )
    gradio.on(
        [control.change for control in inputs],
        lambda: (None, ""),
        None,
        [picture, message],
        show_progress="hidden",
        api_visibility="private",
    )
