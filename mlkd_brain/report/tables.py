"""Tables of accuracy: systems, noises, speakers, calibration.

``scores`` are those of ``statistics.scores_of_runs``. A cell is a mean over
runs, what a run has being the mean over the conditions of the cell.

Authors
 * The MLKD team 2026
"""

from collections.abc import Callable, Collection, Sequence

import pandas
from mlkd_brain.names import CLEAN
from mlkd_brain.report.formatting import (
    MISSING,
    column,
    mean_with_spread,
    number,
)
from mlkd_brain.report.statistics import (
    accuracy,
    by_run,
    calibration_error,
    interval,
    scores_of_runs,
)
from mlkd_brain.report.systems import (
    by_condition,
    for_system,
    heads,
    systems_of,
    unseen_noises,
)
from pandas import DataFrame


def systems_frame(
    scores: DataFrame,
    noises: Sequence[str],
    cell: Callable[[pandas.Series], str] = mean_with_spread,
    name: str = "UA",
) -> DataFrame:
    """Table 1 of the paper: systems x SNR and clean, over some noises.

    Arguments
    ---------
    scores : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to take together.
    cell : callable
        A system's runs in a condition, from ``statistics.by_run``, to text.
    name : str
        "UA" or "WA".

    Returns
    -------
    pandas.DataFrame
        Text.
    """
    index = by_condition(scores, noises)
    return DataFrame(
        {
            **head,
            **{
                column(key): cell(by_run(rows[system], name))
                if system in rows
                else MISSING
                for key, rows in index.items()
            },
        }
        for system, head in heads(scores, f"{name} %")
    )


def calibration_frame(
    predictions: DataFrame, noises: Sequence[str]
) -> DataFrame:
    """Expected calibration error in points, utterances of all runs pooled."""
    index = by_condition(predictions, noises)
    return DataFrame(
        {
            **head,
            **{
                column(key): number(calibration_error(rows[system]))
                if system in rows
                else MISSING
                for key, rows in index.items()
            },
        }
        for system, head in heads(predictions, "ECE, points")
    )


def cell_means(scores: DataFrame) -> DataFrame:
    """UA of one system under each noise (row) and SNR (column), percent."""
    noisy = scores[scores["noise"] != CLEAN]
    cells = noisy.pivot_table("UA", "noise", "snr_db", sort=False)
    return cells.sort_index(axis="columns")


def noises_frame(scores: DataFrame, unseen: Collection[str] = ()) -> DataFrame:
    """Table 2 of the paper: noises x SNR for one system, with a true mean.

    Arguments
    ---------
    scores : pandas.DataFrame
        Of one system.
    unseen : collection of str
        Noise types to mark as unseen in training.

    Returns
    -------
    pandas.DataFrame
        Text; UA in percent. The last row and the last column are means of the
        cells.
    """
    cells = cell_means(scores).rename(columns=column)
    cells.loc["mean"] = cells.mean()
    cells["mean"] = cells.mean(axis=1)
    marks = [f"{n} (unseen)" if n in unseen else n for n in cells.index]
    frame = cells.map(number)
    frame.insert(0, "UA %", marks)
    return frame.reset_index(drop=True)


def table_2_frame(scores: DataFrame, protocols: Sequence[dict]) -> DataFrame:
    """Table 2 of every system, one below the other."""
    parts = []
    for system, head in heads(scores, "UA %"):
        own = for_system(system, scores)
        if (own["noise"] == CLEAN).all():
            continue
        unseen = unseen_noises(system, own["noise"].unique(), protocols)
        frame = noises_frame(own, unseen).rename(columns={"UA %": "noise"})
        for position, (name, text) in enumerate(head.items()):
            frame.insert(position, name, text)
        parts.append(frame)
    return pandas.concat(parts).fillna(MISSING)


def speakers_frame(predictions: DataFrame, noises: Sequence[str]) -> DataFrame:
    """UA of each speaker, gender and style: in noise, and of clean speech.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems; rows of genders and styles need its columns
        ``gender`` and ``style``.
    noises : list of str
        Noise types to take together.

    Returns
    -------
    pandas.DataFrame
        Text, ``noise / clean``, percent; the seeds in the last row.
    """
    used = predictions[predictions["noise"].isin([*noises, CLEAN])]
    systems = systems_of(predictions)
    rows = []
    for key, label in (("spk_id", ""), ("gender", "gender "), ("style", "")):
        if key not in used or key != "spk_id" and used[key].nunique() < 2:
            continue  # nothing to tell apart
        groups = dict(iter(used.groupby(key)))
        for value, scores in scores_of_runs(used, [key]).groupby(key):
            own, parts = groups[value], dict(iter(scores.groupby("system")))
            name = speaker_name(value, own) if key == "spk_id" else value
            rows.append(
                {
                    "UA %": f"{label}{name}",
                    "utterances": str(own["ID"].nunique()),
                    **{s: _noisy_and_clean(parts.get(s)) for s in systems},
                }
            )
    seeds = {s: head["seeds"] for s, head in heads(predictions, "")}
    rows.append({"UA %": "seeds", "utterances": MISSING, **seeds})
    return DataFrame(rows)


def speaker_name(speaker: str, predictions: DataFrame) -> str:
    """A speaker and, if known, the gender; of that speaker's predictions."""
    if "gender" not in predictions:
        return speaker
    return f"{speaker} ({predictions['gender'].iloc[0]})"


def _noisy_and_clean(scores):
    if scores is None:
        return f"{MISSING} / {MISSING}"
    clean = scores["noise"] == CLEAN
    parts = (by_run(own) for own in (scores[~clean], scores[clean]))
    return " / ".join(
        number(own.mean()) if len(own) else MISSING for own in parts
    )


def all_cells(predictions: DataFrame, scores: DataFrame) -> DataFrame:
    """Every system in every condition, with its errors; in percent."""
    # both in order of appearance, as the scores come from the predictions
    keys, rows = ["system", "noise", "snr_db"], []
    groups = (
        table.groupby(keys, dropna=False, sort=False)
        for table in (scores, predictions)
    )
    for (key, own), (_, ours) in zip(*groups, strict=True):
        runs = by_run(own)
        low, high = interval(runs)
        rows.append(
            {
                **dict(zip(keys, key)),
                "utterances": ours["ID"].nunique(),
                "runs": len(runs),
                "ua_mean_of_runs": runs.mean(),
                "ua_low": low,
                "ua_high": high,
                "ua_sd_of_runs": runs.std(ddof=1),
                "wa_mean_of_runs": by_run(own, "WA").mean(),
                "ua_pooled": accuracy(ours),
                "wa_pooled": accuracy(ours, "WA"),
            }
        )
    return DataFrame(rows).round(2)
