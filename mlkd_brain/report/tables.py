"""Tables of accuracy: systems, noises, speakers, calibration.

Authors
 * The MLKD team 2026
"""

import functools
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas
from pandas import DataFrame

from mlkd_brain.markdown import markdown_table
from mlkd_brain.names import CLEAN
from mlkd_brain.report.statistics import (
    accuracies_of_runs,
    accuracy,
    calibration_error,
    interval,
)

#: Known systems, in the order of a table; others follow.
SYSTEMS = (
    "teacher",
    "teacher_noisy",
    "no_front_end",
    "vad",
    "nmf",
    "vad_nmf",
    "no_front_end_matched",
    "vad_matched",
    "nmf_matched",
    "vad_nmf_matched",
    "student_unsupervised",
    "student_from_teacher",
    "student_pretrained",
    "student",
    "student_scaled",
    "student_searched",
    "student_balanced_pretrained",
    "student_balanced",
    "student_of_noisy",
    "student_plain",
)
MISSING = "–"  # of a cell without data
#: Predictions of each system in each condition, see ``index_by_condition``.
Index = dict[Any, dict[str, DataFrame]]


class Table(NamedTuple):
    """A table that is written as Markdown and as LaTeX."""

    name: str  # of its file
    title: str
    frame: DataFrame  # text in cells; the first column names the row

    def markdown(self) -> str:
        """Title in bold, then the table."""
        return f"**{self.title}**\n\n{to_markdown(self.frame)}"

    def latex(self) -> str:
        """A table environment (package booktabs), special characters escaped.

        Example
        -------
        >>> frame = pandas.DataFrame({"UA %": ["my_student"], "0 dB": ["−1.0"]})
        >>> r"my\\_student & $-$1.0" in Table("t", "50 %", frame).latex()
        True
        """
        text = self.frame.to_latex(
            index=False,
            escape=True,
            caption=re.sub(r"([&%$#_{}])", r"\\\1", self.title),
            label=f"tab:{self.name}",
            column_format="l" + "r" * (self.frame.shape[1] - 1),
        )
        # signs that LaTeX knows in mathematics only
        return text.replace("−", "$-$").replace("±", r"$\pm$")


def to_markdown(frame: DataFrame) -> str:
    """A frame of text as a Markdown table."""
    return markdown_table(list(frame), frame.to_numpy().tolist())


def number(value: float) -> str:
    """One decimal."""
    return f"{value:.1f}"


def signed(value: float) -> str:
    """One decimal, with its sign; a true minus.

    Example
    -------
    >>> signed(1.25), signed(-3.0)
    ('+1.2', '−3.0')
    """
    return f"{value:+.1f}".replace("-", "−")


def listed(items: Iterable[Any]) -> str:
    """Items with commas between them."""
    return ", ".join(map(str, items))


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers, sorted, neighbours as a range.

    Example
    -------
    >>> ranges([3, 1, 2, 5])
    '1–3, 5'
    """
    parts: list[list[int]] = []
    for value in sorted(numbers):
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return listed("–".join(map(str, sorted({p[0], p[-1]}))) for p in parts)


def _or_missing(cell):
    """Let a cell without predictions be ``MISSING``."""

    @functools.wraps(cell)
    def checked(predictions, name="UA"):
        empty = predictions is None or predictions.empty
        return MISSING if empty else cell(predictions, name)

    return checked


@_or_missing
def pooled(predictions, name):
    """Accuracy of all utterances taken together."""
    return number(accuracy(predictions, name))


@_or_missing
def pooled_with_spread(predictions, name):
    """Pooled accuracy, ± the standard deviation over runs if several."""
    runs = accuracies_of_runs(predictions, name)
    return _with_spread(accuracy(predictions, name), runs)


@_or_missing
def mean_with_spread(predictions, name):
    """Mean over runs (folds and seeds) ± their standard deviation."""
    runs = accuracies_of_runs(predictions, name)
    return _with_spread(runs.mean(), runs)


def _with_spread(value, runs):
    return number(value) + (f" ± {runs.std():.1f}" if len(runs) > 1 else "")


@_or_missing
def pooled_with_interval(predictions, name):
    """Pooled accuracy and its 95 % interval, e.g. ``82.1 [78.0, 85.9]``."""
    low, high = interval(predictions, name)
    value = number(accuracy(predictions, name))
    return value if math.isnan(low) else f"{value} [{low:.1f}, {high:.1f}]"


@_or_missing
def _calibration(predictions, _):
    return number(calibration_error(predictions))


def in_order(systems: Iterable[str]) -> list[str]:
    """Known systems first, then the others by name.

    Example
    -------
    >>> in_order({"student", "another", "teacher"})
    ['teacher', 'student', 'another']
    """
    names = set(systems)
    known = [name for name in SYSTEMS if name in names]
    return known + sorted(names.difference(SYSTEMS))


def left_out(protocols: list[dict[str, Any]]) -> str:
    """What a fold leaves out, in words: a speaker, or a group of them."""
    grouped = any(protocol.get("fold_groups") for protocol in protocols)
    return "group of speakers" if grouped else "speaker"


def systems_of(table: DataFrame) -> list[str]:
    """Systems of a table of predictions or logs, in order."""
    return in_order(table["system"].unique())


def for_system(system: str, table: DataFrame) -> DataFrame:
    """The rows of one system."""
    return table[table["system"] == system]


def index_by_condition(predictions: DataFrame, noises: Sequence[str]) -> Index:
    """Predictions of each system at each SNR under some noises, and clean.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.

    Returns
    -------
    dict
        SNR in dB (rising), or "clean" (last), to system to its predictions.
    """
    used = predictions[predictions["noise"].isin([*noises, CLEAN])]
    index: Index = {}
    groups = used.groupby(["snr_db", "system"], dropna=False)
    for (snr_db, system), own in groups:
        key = CLEAN if math.isnan(snr_db) else snr_db
        index.setdefault(key, {})[system] = own
    return index


def column(condition: Any) -> str:
    """Heading of an SNR in dB or of clean speech, e.g. ``5 dB``."""
    return condition if condition == CLEAN else f"{condition:g} dB"


def rows_by_system(
    predictions: DataFrame, heading: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """Each system and the columns that begin its row: name, folds, seeds."""
    runs = runs_of(predictions)
    for system in systems_of(runs):
        own = folds_and_seeds(for_system(system, runs))
        yield system, {heading: system, **own}


def runs_of(predictions: DataFrame) -> DataFrame:
    """System, seed and fold of each run."""
    return predictions[["system", "seed", "fold"]].drop_duplicates()


def folds_and_seeds(runs: DataFrame) -> dict[str, str]:
    """The columns ``folds`` and ``seeds`` of a row.

    Arguments
    ---------
    runs : pandas.DataFrame
        ``seed`` and ``fold``, e.g. predictions.

    Returns
    -------
    dict
        Seeds with other folds stand apart, in the same order in both.

    Example
    -------
    >>> runs = pandas.DataFrame({"seed": [1, 1, 2], "fold": [1, 2, 2]})
    >>> folds_and_seeds(runs)
    {'folds': '1–2 / 2', 'seeds': '1 / 2'}
    """
    seeds: dict[str, list[int]] = {}
    for seed, folds in runs.groupby("seed")["fold"]:
        seeds.setdefault(ranges(folds.unique()), []).append(seed)
    return {
        "folds": " / ".join(seeds),
        "seeds": " / ".join(map(ranges, seeds.values())),
    }


def systems_frame(
    predictions: DataFrame,
    noises: Sequence[str],
    cell: Callable[..., str],
    name: str = "UA",
    unit: str = "%",
) -> DataFrame:
    """Table 1 of the paper: systems x SNR and clean, over some noises.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of several systems.
    noises : list of str
        Noise types to pool.
    cell : callable
        Predictions, or None, and ``name`` to text; see the cells above.
    name, unit : str
        "UA" or "WA"; of the heading.

    Returns
    -------
    pandas.DataFrame
        Text.
    """
    index = index_by_condition(predictions, noises)
    return DataFrame(
        {
            **head,
            **{
                column(key): cell(parts.get(system), name)
                for key, parts in index.items()
            },
        }
        for system, head in rows_by_system(predictions, f"{name} {unit}")
    )


def calibration_frame(
    predictions: DataFrame, noises: Sequence[str]
) -> DataFrame:
    """Expected calibration error in points; as ``systems_frame``."""
    return systems_frame(predictions, noises, _calibration, "ECE,", "points")


def noises_frame(
    predictions: DataFrame, unseen: Collection[str] = ()
) -> DataFrame:
    """Table 2 of the paper: noises x SNR for one system, with a true mean.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system.
    unseen : collection of str
        Noise types to mark as unseen in training.

    Returns
    -------
    pandas.DataFrame
        Text; UA in percent, pooled over runs. The last row and the last
        column are means of the cells.
    """
    cells = cell_means(predictions).rename(columns=column)
    cells.loc["mean"] = cells.mean()
    cells["mean"] = cells.mean(axis=1)
    marks = [f"{n} (unseen)" if n in unseen else n for n in cells.index]
    frame = cells.map(number)
    frame.insert(0, "UA %", marks)
    return frame.reset_index(drop=True)


def cell_means(predictions: DataFrame) -> DataFrame:
    """UA of one system under each noise (row) and SNR (column), percent."""
    noisy = predictions[predictions["noise"] != CLEAN]
    groups = noisy.groupby(["noise", "snr_db"], sort=False)
    values = pandas.Series({key: accuracy(own) for key, own in groups})
    order = noisy["noise"].unique()
    return values.unstack().reindex(order).sort_index(axis="columns")


def table_2_frame(
    predictions: DataFrame, protocols: Sequence[dict]
) -> DataFrame:
    """Table 2 of every system, one below the other."""
    parts = []
    for system, head in rows_by_system(predictions, "UA %"):
        own = for_system(system, predictions)
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
        Noise types to pool.

    Returns
    -------
    pandas.DataFrame
        Text, ``noise / clean``, percent; the seeds in the last row.
    """
    used = predictions[predictions["noise"].isin([*noises, CLEAN])]
    systems = systems_of(predictions)
    rows = []
    for key, label in (("spk_id", ""), ("gender", "gender "), ("style", "")):
        groups = dict(iter(used.groupby(key))) if key in used else {}
        if key != "spk_id" and len(groups) < 2:
            continue  # nothing to tell apart
        for value, own in groups.items():
            name = speaker_name(value, own) if key == "spk_id" else value
            parts = dict(iter(own.groupby("system")))
            rows.append(
                {
                    "UA %": f"{label}{name}",
                    "utterances": str(own["ID"].nunique()),
                    **{s: _noisy_and_clean(parts.get(s)) for s in systems},
                }
            )
    heads = rows_by_system(predictions, "")
    seeds = {system: head["seeds"] for system, head in heads}
    rows.append({"UA %": "seeds", "utterances": MISSING, **seeds})
    return DataFrame(rows)


def speaker_name(speaker: str, predictions: DataFrame) -> str:
    """A speaker and, if known, the gender; of that speaker's predictions."""
    if "gender" not in predictions:
        return speaker
    return f"{speaker} ({predictions['gender'].iloc[0]})"


def _noisy_and_clean(predictions):
    if predictions is None:
        return f"{MISSING} / {MISSING}"
    clean = predictions["noise"] == CLEAN
    return f"{pooled(predictions[~clean])} / {pooled(predictions[clean])}"


def all_cells(predictions: DataFrame) -> DataFrame:
    """Every system in every condition, with its errors; in percent."""
    rows = []
    keys = ["system", "noise", "snr_db"]
    for key, own in predictions.groupby(keys, dropna=False, sort=False):
        runs = accuracies_of_runs(own)
        low, high = interval(own)
        rows.append(
            {
                **dict(zip(keys, key)),
                "utterances": own["ID"].nunique(),
                "runs": len(runs),
                "ua": accuracy(own),
                "ua_low": low,
                "ua_high": high,
                "ua_mean_of_runs": runs.mean(),
                "ua_sd_of_runs": runs.std(),
                "wa": accuracy(own, "WA"),
            }
        )
    return DataFrame(rows).round(2)


def common_noises(predictions: DataFrame) -> list[str]:
    """Noise types that every system was scored on, in order."""
    noisy = predictions[predictions["noise"] != CLEAN]
    systems = noisy.groupby("noise", sort=False)["system"].nunique()
    return list(systems[systems == predictions["system"].nunique()].index)


def unseen_noises(
    system: str, noises: Iterable[str], protocols: Iterable[dict]
) -> list[str]:
    """Noise types that a system was never trained on; none for a teacher.

    Recordings are told apart by their content, not by their names.
    """
    trained = [
        protocol
        for protocol in protocols
        if protocol["system"] == system and "noise_heard" in protocol
    ]
    return [
        noise
        for noise in noises
        if any(
            protocol["noise_evaluated"].get(noise)
            not in protocol["noise_heard"].values()
            for protocol in trained
        )
    ]


def unseen_note(noises: Sequence[str], protocols: Sequence[dict]) -> str:
    """Which noises are unseen by which system, to end a title; or nothing."""
    notes = [
        f"{listed(unseen)} unseen by {system}"
        for system in in_order(protocol["system"] for protocol in protocols)
        if (unseen := unseen_noises(system, noises, protocols))
    ]
    return f" ({'; '.join(notes)})" if notes else ""
