"""Every system that was measured on EmoDB, on one plane: UA against cost.

    python -m bench.which_model

UA is read from the committed reports. Time is measured here: one utterance of
4.5 s at a time on one core, the encoders' shapes with random weights, in turn, so
that a busy machine slows all of them alike. The baseline's time is that of its
runs. Keeps the times in bench/which_model.json, and writes docs/which-model.md
and its picture.

Authors
 * The MLKD team 2026
"""

import argparse
import json
import pathlib
import statistics
import tarfile
import time

import pandas
import torch
from mlkd_brain.evaluation.complexity import SECONDS, machine
from mlkd_brain.files import write_json
from mlkd_brain.inference.loading import EncoderFromConfig
from mlkd_brain.markdown import markdown_table, write_into
from mlkd_brain.method.embedded import FOLDER
from mlkd_brain.method.lobes import EmotionClassifier
from mlkd_brain.names import CLEAN
from transformers import WhisperConfig

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
REPORTS = {
    "embedded": "recipes/EmoDB/MLKD/results/report",
    "Whisper tiny.en": "recipes/EmoDB/MLKD/results/report_whisper",
}
TIMES = REPOSITORY / "bench" / "which_model.json"
PAGE = REPOSITORY / "docs" / "which-model.md"
PICTURE = PAGE.with_name("which_model.png")
MEBI = 2**20


def accuracies(cells):
    """UA of each system in noise, the mean of noises and SNRs, and clean.

    Arguments
    ---------
    cells : pandas.DataFrame
        cells.csv of a report.

    Returns
    -------
    pandas.DataFrame
        Columns ``noise`` and ``clean``, %, by system.
    """
    clean = cells[cells.noise == CLEAN].set_index("system").ua_mean_of_runs
    noise = cells[cells.noise != CLEAN].groupby("system").ua_mean_of_runs.mean()
    return pandas.DataFrame({"noise": noise, "clean": clean})


def sizes(archive):
    """``complexity.json`` of one run of each system in a report's archive."""
    found = {}
    with tarfile.open(archive) as runs:
        for member in runs:
            system, *_, name = member.name.split("/")
            if name == "complexity.json" and system not in found:
                found[system] = json.load(runs.extractfile(member))
    return found


def configuration(encoder, parameters):
    """A transformers configuration of so many parameters, as ``dict``."""
    if encoder == "embedded":
        config = json.loads((FOLDER / "config.json").read_text())
        key, blocks = "num_hidden_layers", (12, 6)
    else:
        tiny = WhisperConfig(
            d_model=384,
            encoder_layers=4,
            encoder_attention_heads=6,
            encoder_ffn_dim=1536,
        )
        config, key, blocks = tiny.to_dict(), "encoder_layers", (4, 2)
    for number in blocks:
        config = {**config, key: number}
        if _count(_model(config)) == parameters:
            return config
    raise ValueError(f"no {encoder} encoder has {parameters} parameters")


def _model(config):
    torch.manual_seed(0)
    encoder = EncoderFromConfig(config, normalize_wav=True)
    return EmotionClassifier(encoder, n_classes=4).eval()


def _count(model):
    return sum(p.numel() for p in model.parameters())


def seconds_each(models, repeats):
    """Median seconds of each model on one utterance, taken in turn.

    Arguments
    ---------
    models : dict
        Of (1, samples) to anything.
    repeats : int
        Rounds, after one that is left out.

    Returns
    -------
    dict
        By the models' keys.
    """
    torch.manual_seed(1)
    wav = torch.randn(1, int(SECONDS * 16000)) / 10
    taken = {name: [] for name in models}
    for _ in range(repeats + 1):
        for name, model in models.items():
            start = time.perf_counter()
            with torch.inference_mode():
                model(wav)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(t[1:]) for name, t in taken.items()}


def pareto(cost, gain):
    """Which points no other point beats: cheaper and no worse, or better.

    Arguments
    ---------
    cost : sequence of float
        Less is better.
    gain : sequence of float
        More is better.

    Returns
    -------
    list of bool
        For each point.

    Example
    -------
    >>> pareto([1, 2, 3, 3], [50, 70, 60, 70])
    [True, True, False, False]
    """
    points = list(zip(cost, gain))
    return [
        not any(
            c <= cost_ and g >= gain_ and (c, g) != (cost_, gain_)
            for c, g in points
        )
        for cost_, gain_ in points
    ]


def systems():
    """One row for each system of the reports.

    Returns
    -------
    pandas.DataFrame
        encoder, system, noise, clean (UA, %), parameters, MiB, and ms as its
        runs have it.
    """
    tables = []
    for encoder, folder in REPORTS.items():
        report = REPOSITORY / folder
        table = accuracies(pandas.read_csv(report / "numbers" / "cells.csv"))
        cost = sizes(report / "runs.tar.xz")
        table.insert(0, "encoder", encoder)
        table["parameters"] = [cost[s]["parameters"] for s in table.index]
        table["MiB"] = [cost[s]["bytes"] / MEBI for s in table.index]
        table["ms"] = [float(cost[s]["milliseconds"]) for s in table.index]
        baseline = table.index.str.startswith("vad_nmf")
        table.loc[baseline, "encoder"] = "none"
        tables.append(table.reset_index(names="system"))
    return pandas.concat(tables, ignore_index=True)


def measure(repeats):
    """Time an utterance in each encoder of the reports' systems.

    Returns
    -------
    dict
        ``machine``, and ``ms`` of each model as ``timed_as`` names it.
    """
    neural = systems().query("encoder != 'none'")
    models = {
        timed_as(row): _model(configuration(row.encoder, row.parameters))
        for row in neural.itertuples()
    }
    taken = seconds_each(models, repeats)
    ms = {name: round(1000 * s, 2) for name, s in taken.items()}
    return {"machine": machine(), "ms": ms}


def timed_as(row):
    """Systems of one encoder and size are one model."""
    return f"{row.encoder}, {row.parameters} parameters"


def with_times(table, times):
    """The systems with their measured times, best in noise first.

    Arguments
    ---------
    table : pandas.DataFrame
        Of ``systems``.
    times : dict
        Of ``measure``.

    Returns
    -------
    pandas.DataFrame
        With whether a system is on the front of UA in noise against size, and
        against time.
    """
    names = pandas.Series([timed_as(row) for row in table.itertuples()])
    table = table.assign(ms=names.map(times["ms"]).fillna(table.ms))
    for cost in ("MiB", "ms"):
        table[f"front_{cost}"] = pareto(table[cost], table.noise)
    return table.sort_values("noise", ascending=False)


def rows(table):
    """Cells of the page's table."""
    return [
        [
            row.system,
            row.encoder,
            f"{row.noise:.1f}",
            f"{row.clean:.1f}",
            f"{row.MiB:.1f}",
            f"{row.ms:.0f}",
            ", ".join(
                name
                for name, on in (
                    ("size", row.front_MiB),
                    ("time", row.front_ms),
                )
                if on
            ),
        ]
        for row in table.itertuples()
    ]


HEADER = ["system", "encoder", "UA % in noise", "UA % clean"]
HEADER += ["MiB", "ms", "best for its"]


def draw(table, path):
    """UA against size and time, in noise and clean; the front as a line.

    Arguments
    ---------
    table : pandas.DataFrame
        Of ``with_times``.
    path : pathlib.Path
        PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex="col", sharey=True)
    for row, (gain, title) in enumerate(
        (("noise", "UA in noise, %"), ("clean", "UA clean, %"))
    ):
        for column, cost in enumerate(("MiB", "ms")):
            _panel(axes[row, column], table, cost, gain)
        axes[row, 0].set_ylabel(title)
    axes[1, 0].set_xlabel("size of the weights, MiB")
    axes[1, 1].set_xlabel("ms an utterance of 4.5 s, one core")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3)
    figure.savefig(path, dpi=110)


COLOURS = {
    "none": "#E69F00",
    "embedded": "#0072B2",
    "Whisper tiny.en": "#000000",
}


def _panel(ax, table, cost, gain):
    from matplotlib.ticker import LogLocator, NullLocator

    for encoder, part in table.groupby("encoder"):
        ax.scatter(
            part[cost], part[gain], color=COLOURS[encoder], label=encoder
        )
    on_front = pareto(table[cost], table[gain])
    front = table[on_front].sort_values(cost)
    ax.plot(front[cost], front[gain], color="#999999", zorder=0)
    for place, (_, row) in enumerate(front.iterrows()):
        first = place == 0  # its name goes right, and above the next one
        ax.annotate(
            row.system,
            (row[cost], row[gain]),
            xytext=(-5, 18) if first else (-5, 6),
            textcoords="offset points",
            ha="left" if first else "right",
            fontsize=8,
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(x=0.25, y=0.12)
    ax.grid(alpha=0.3)


def page():
    """The page's table, from the committed reports and the kept times."""
    times = json.loads(TIMES.read_text("utf-8"))
    table = with_times(systems(), times)
    note = (
        "EmoDB, ten folds, real noise; UA is the mean over runs, in noise over "
        f"five noises and 0 to 20 dB. Float32. Time on {times['machine']}, one of "
        "them used; of vad_nmf and vad_nmf_matched the time of their runs."
    )
    return f"{markdown_table(HEADER, rows(table))}\n\n{note}"


def main(argv=None):
    """Measure, keep, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    times = measure(options.repeats)
    write_json(times, TIMES)
    write_into(PAGE, "which-model", page())
    draw(with_times(systems(), times), PICTURE)
    print(page())


if __name__ == "__main__":
    main()
