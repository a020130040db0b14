"""What the page draws: a mixture, decisions, curves over SNR and over time.

Authors
 * The MLKD team 2026
"""

import html
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.demo.systems import Decision
from mlkd_brain.inference.recognition import Moment
from mlkd_brain.names import CLEAN
from mlkd_brain.noise.picture import draw_spectrograms
from mlkd_brain.report.style import GREY, WIDTH, heading, new_figure, spoken
from mlkd_brain.report.systems import OTHERS, colours

EMOTION_COLOURS = ("#D55E00", "#E69F00", "#999999", "#0072B2", *OTHERS)


def emotion_colours(emotions: Sequence[str]) -> dict[str, str]:
    """A colour for each class, the same in every picture of the page."""
    shades = EMOTION_COLOURS
    return {e: shades[i % len(shades)] for i, e in enumerate(emotions)}


def draw_mixture(clean: np.ndarray, mixture: np.ndarray) -> Figure:
    """Waveform of speech and mixture, and the mixture's spectrogram.

    Arguments
    ---------
    clean, mixture : np.ndarray
        16 kHz, (time,), equally long.
    """
    figure, (waves, spectrum) = new_figure(2, 1, 3.6, sharex=True)
    time = np.arange(len(mixture)) / SAMPLE_RATE
    thin = {"linewidth": 0.4, "rasterized": True}
    waves[0].plot(time, mixture, color="#b0b0b0", label="mixture", **thin)
    waves[0].plot(time, clean, color="#0072B2", label="clean speech", **thin)
    waves[0].margins(x=0)
    waves[0].set_ylabel("amplitude", fontsize=9, color=GREY)
    legend = waves[0].legend(loc="upper right", fontsize=8, frameon=False)
    for line in legend.get_lines():
        line.set_linewidth(2)
    draw_spectrograms(spectrum, {"": mixture})
    spectrum[0].grid(False)
    return figure


def decisions_html(decisions: Mapping[str, Decision]) -> str:
    """Bars of probability, decision and time of each system, side by side.

    Arguments
    ---------
    decisions : dict
        System to its decision.

    Example
    -------
    >>> page = decisions_html(
    ...     {"student": Decision({"ang": 0.9, "sad": 0.1}, 0)}
    ... )
    >>> "student" in page, "90.0 %" in page, page.count('class="bar"')
    (True, True, 2)
    """
    shades = colours(list(decisions))
    cards = (_card(n, d, shades[n]) for n, d in decisions.items())
    return f'<div class="decisions">{"".join(cards)}</div>'


def _card(name, decision, colour):
    rows = "".join(
        f'<div class="row{" best" * (emotion == decision.emotion)}">'
        f"<span>{html.escape(emotion)}</span>"
        f'<span class="track"><span class="bar" style="width:{100 * p:.1f}%;'
        f'background:{colour}"></span></span><span>{100 * p:.1f} %</span></div>'
        for emotion, p in decision.probabilities.items()
    )
    return (
        f'<section data-system="{html.escape(name)}" '
        f'style="border-top-color:{colour}"><h4>{html.escape(spoken(name))}'
        f"</h4><b>{html.escape(decision.emotion)}</b>{rows}"
        f"<small>{1000 * decision.seconds:.0f} ms</small></section>"
    )


def draw_sweep(
    curves: Mapping[str, Sequence[Decision]], snrs_db: Sequence[float]
) -> Figure:
    """Every system's probabilities from clean speech to the lowest SNR.

    Arguments
    ---------
    curves : dict
        System to its decisions: of clean speech, then at each SNR.
    snrs_db : list of float
        From high to low.
    """
    figure, (panels,) = new_figure(1, len(curves), 3.4, sharey=True)
    ticks = [CLEAN, *(f"{snr:g}" for snr in snrs_db)]
    for panel, (name, decisions) in zip(panels, curves.items()):
        heading(panel, spoken(name))
        rows = [list(d.probabilities.values()) for d in decisions]
        names = list(decisions[0].probabilities)
        for values, (emotion, colour) in zip(
            100 * np.transpose(rows), emotion_colours(names).items()
        ):
            panel.plot(values, "o-", color=colour, markersize=4, label=emotion)
        panel.set_xticks(range(len(ticks)), ticks)
        panel.set_xlabel("SNR, dB", fontsize=9, color=GREY)
        panel.set_ylim(-3, 103)
    panels[0].set_ylabel("probability, %", fontsize=9, color=GREY)
    _legend(figure, panels[0])
    return figure


def draw_timeline(timelines: Mapping[str, Sequence[Moment]], emotions: Mapping):
    """Every system's probabilities over the time of a recording, stacked.

    Arguments
    ---------
    timelines : dict
        System to its moments.
    emotions : dict
        System to the names of its classes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = new_figure(
        len(timelines), 1, 0.7 + 1.3 * len(timelines), sharex=True
    )
    for panel, (name, moments) in zip(axes[:, 0], timelines.items()):
        heading(panel, spoken(name))
        edges = [m.start for m in moments] + [moments[-1].end]
        rows = np.array([m.probabilities.tolist() for m in moments])
        floor = np.zeros(len(moments))
        for values, (emotion, colour) in zip(
            100 * rows.T, emotion_colours(emotions[name]).items()
        ):
            panel.stairs(
                floor + values,
                edges,
                baseline=floor,
                fill=True,
                color=colour,
                label=emotion,
                alpha=0.85,
            )
            floor = floor + values
        panel.set(ylim=(0, 100), xlim=(edges[0], edges[-1]))
    panel.set_xlabel("start of the window, s", fontsize=9, color=GREY)
    _legend(figure, axes[0, 0])
    return figure


def _legend(figure, panel):
    handles, names = panel.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(len(names), round(WIDTH)),
        fontsize=9,
        frameon=False,
    )


#: How the decisions look; in Gradio's own colours, light and dark.
CSS = """
.decisions { display: flex; flex-wrap: wrap; gap: 12px; }
.decisions section { flex: 1 1 200px; padding: 8px 12px; border-top: 4px solid;
    background: var(--background-fill-secondary); border-radius: 6px; }
.decisions h4 { margin: 0; font-weight: normal; }
.decisions b { font-size: 1.5em; }
.decisions .row { display: grid; grid-template-columns: 5em 1fr 4.5em; gap: 6px;
    align-items: center; }
.decisions .row > span:first-child { overflow: hidden; text-overflow: ellipsis; }
.decisions .row > span:last-child { text-align: right; }
.decisions .best { font-weight: bold; }
.decisions .track { background: var(--border-color-primary); height: 10px;
    border-radius: 5px; overflow: hidden; }
.decisions .bar { display: block; height: 100%; }
.decisions small { color: var(--body-text-color-subdued); }
.study { width: 100%; height: 80vh; border: 0; background: white; }
"""
