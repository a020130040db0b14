"""Who is recognised well: speakers, genders, styles.

Authors
 * The MLKD team 2026
"""

import pandas

from mlkd_brain.names import CLEAN
from mlkd_brain.report.cells import pooled
from mlkd_brain.report.statistics import accuracy
from mlkd_brain.report.style import (
    GREY,
    colours,
    heading,
    legend,
    marker,
    new_figure,
)
from mlkd_brain.report.tables import of
from mlkd_brain.report.titles import in_order, with_runs


def speakers_frame(predictions, noises):
    """UA of each speaker, gender and style: in noise, and of clean speech.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems; rows of genders and styles need its columns
        ``gender`` and ``style``.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    pandas.DataFrame
        Text, ``noise / clean``; percent.
    """
    heard = predictions["noise"].isin([*noises, CLEAN])
    systems = in_order(predictions["system"].unique())
    columns = {system: with_runs(system, predictions) for system in systems}
    rows = []
    for key, label in (("spk_id", ""), ("gender", "gender "), ("style", "")):
        groups = (
            dict(iter(predictions[heard].groupby(key)))
            if key in predictions
            else {}
        )
        if key != "spk_id" and len(groups) < 2:
            continue  # nothing to tell apart
        rows += [
            {
                "UA %": f"{label}{value}{_gender(key, own)}",
                "utterances": str(own["ID"].nunique()),
                **{
                    name: _noisy_and_clean(of(system, own))
                    for system, name in columns.items()
                },
            }
            for value, own in groups.items()
        ]
    return pandas.DataFrame(rows)


def _gender(key, predictions):
    if key != "spk_id" or "gender" not in predictions:
        return ""
    return f" ({predictions['gender'].iloc[0]})"


def _noisy_and_clean(predictions):
    clean = predictions["noise"] == CLEAN
    return f"{pooled(predictions[~clean])} / {pooled(predictions[clean])}"


def speakers_figure(predictions, noises):
    """UA of each test speaker, in noise and of clean speech.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels; a point for each system and speaker.
    """
    names = sorted(predictions["spk_id"].unique(), reverse=True)
    figure, (axes,) = new_figure(1, 2, 1.1 + 0.28 * len(names), sharey=True)
    parts = {
        f"{len(noises)} noises, all SNRs": predictions["noise"].isin(noises),
        "clean speech": predictions["noise"] == CLEAN,
    }
    systems = in_order(predictions["system"].unique())
    for panel, (name, where) in zip(axes, parts.items()):
        heading(panel, name)
        panel.set_xlabel("UA, %", fontsize=9, color=GREY)
        panel.set_yticks(
            range(len(names)), [_named(n, predictions) for n in names]
        )
        panel.set_ylim(-0.6, len(names) - 0.4)
        for y, speaker in enumerate(names):
            own = predictions[where & (predictions["spk_id"] == speaker)]
            _draw_speaker(panel, y, own, systems)
    legend(figure, systems)
    return figure


def _named(speaker, predictions):
    if "gender" not in predictions:
        return speaker
    own = predictions["spk_id"] == speaker
    return f"{speaker} ({predictions[own]['gender'].iloc[0]})"


def _draw_speaker(panel, y, predictions, systems):
    values = {
        system: accuracy(own)
        for system in systems
        if len(own := of(system, predictions))
    }
    if not values:
        return
    panel.hlines(
        y, min(values.values()), max(values.values()), color="#dddddd", zorder=1
    )
    for system, colour in colours(systems).items():
        if system in values:
            panel.plot(
                values[system], y, marker(system), color=colour, markersize=6
            )
