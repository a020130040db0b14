"""A whole report: report.md, report.html, tables for LaTeX, figures, numbers.

Authors
 * The MLKD team 2026
"""

import pathlib
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import matplotlib
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from mlkd_brain.files import refuse_to_replace, replaced_folder
from mlkd_brain.markdown import escape
from mlkd_brain.names import CLEAN
from mlkd_brain.report import comparisons, costs, figures, paper, style, tables
from mlkd_brain.report.comparisons import ALL
from mlkd_brain.report.formatting import (
    Table,
    column,
    file_name,
    mean_with_interval,
    mean_with_spread,
    to_csv,
)
from mlkd_brain.report.leakage import Problem, problems_of
from mlkd_brain.report.protocol import protocol_table
from mlkd_brain.report.results import (
    ARCHIVE,
    Results,
    evaluated_runs,
    find_runs,
    pack,
    read_results,
)
from mlkd_brain.report.systems import (
    common_noises,
    left_out,
    plural,
    systems_of,
    unseen_note,
)
from pandas import DataFrame

PAGE = "report.md"
MEAN = "mean over runs [95 % interval]"
#: Digits after the point in numbers/tests.csv.
DIGITS = {"difference": 2, "low": 2, "high": 2, "p_value": 5, "p_holm": 5}
TESTS = (
    "Difference in UA, mean over the runs that both have, with its interval over "
    "{units} and seeds; p by an exact sign-flip test over {units}, which takes "
    "the seeds as they are; then p corrected, by Holm's rule, for the rows of "
    "the table. With n {units} no p is below 2 to the power of 1 − n. Every two "
    "systems in every condition: `numbers/tests.csv`."
)


class Section(NamedTuple):
    """A heading, a text, and what is shown below it."""

    heading: str
    text: str = ""
    figures: dict[str, Callable[[], Figure]] = {}  # drawn when written
    tables: Sequence[Table] = ()


def write_report(
    results_folder: str | pathlib.Path,
    out: str | pathlib.Path,
    evaluation: str = ".",
    folds: Sequence[int] | None = None,
    archive: str | pathlib.Path | None = None,
) -> None:
    """Write a report of everything below a folder.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds the runs.
    out : str or pathlib.Path
        Folder that is made; an earlier report there is replaced as a whole.
    evaluation, folds
        See ``mlkd_brain.report.results.find_runs``.
    archive : str or pathlib.Path, optional
        From which the folder was unpacked.

    Raises
    ------
    InputError
        If there are no predictions, or ``out`` holds something else.
    """
    refuse_to_replace(out, PAGE, "report")
    runs = evaluated_runs(results_folder, evaluation, folds)
    all_runs = find_runs(results_folder, evaluation, folds)
    problems = problems_of(runs, all_runs)
    for problem in problems:
        print(f"warning: {problem.text}", file=sys.stderr)
    results = read_results(runs)
    tests = comparisons.all_tests(results.scores, common_noises(results.scores))
    shown = sections(results, tests)
    text = page_text(results, problems, shown, evaluation)
    body = (
        MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    )
    with replaced_folder(out) as folder:
        (folder / PAGE).write_text(text, "utf-8")
        (folder / "report.html").write_text(HTML.format(body=body), "utf-8")
        _write_files(shown, folder)
        numbers = {
            "cells": tables.all_cells(results.predictions, results.scores),
            "tests": tests.round(DIGITS),
        }
        (folder / "numbers").mkdir()
        for name, frame in numbers.items():
            path = folder / "numbers" / f"{name}.csv"
            path.write_text(to_csv(frame), "utf-8")
        if archive and not folds:  # these runs, and compressing takes longest
            shutil.copyfile(archive, folder / ARCHIVE)
        else:
            pack(runs, results_folder, folder / ARCHIVE)


def _write_files(shown, folder):
    """Tables for LaTeX and figures."""
    for kind in ("tables", "figures"):
        (folder / kind).mkdir()
    for section in shown:
        for table in section.tables:
            path = folder / "tables" / f"{table.name}.tex"
            path.write_text(table.latex(), "utf-8")
        for name, draw in section.figures.items():
            with matplotlib.rc_context(style.RC):
                figure = draw()
                style.save_pdf(figure, folder / "figures" / f"{name}.pdf")
                style.save_png(figure, folder / "figures" / f"{name}.png")


def page_text(
    results: Results,
    problems: Sequence[Problem],
    shown: Sequence[Section],
    evaluation: str = ".",
) -> str:
    """The page report.md; no figure is drawn.

    Arguments
    ---------
    results : Results
        What is reported.
    problems : list of Problem
        What the leakage check found.
    shown : list of Section
        From ``sections``.
    evaluation : str
        See ``mlkd_brain.report.results.find_runs``.
    """
    parts = ["# Report", protocol_table(results, problems)]
    for section in shown:
        parts += [f"## {escape(section.heading)}", escape(section.text)]
        parts += [f"![{n}](figures/{n}.png)" for n in section.figures]
        parts += [table.markdown() for table in section.tables]
    option = "" if evaluation == "." else f" --evaluation {escape(evaluation)}"
    parts.append(
        "Every cell with its interval and spread: `numbers/cells.csv`; figures as "
        f"PDF beside the pictures. This report again: `mlkd report {ARCHIVE} "
        f"--out report{option}`."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def sections(results: Results, tests: DataFrame) -> list[Section]:
    """What a report shows, in order; not what the results lack data for.

    Arguments
    ---------
    results : Results
        What is reported.
    tests : pandas.DataFrame
        From ``comparisons.all_tests``.
    """
    scores = results.scores
    noises = common_noises(scores)
    shown = {name: [name] for name in noises if "factory" in name}
    shown[f"{len(noises)} noises"] = noises
    made = []
    if noises:
        made.append(_over_snr(results, shown))
        made += [_table_1(results, name) for name in shown if name in noises]
        made += [_all_noises(results, noises), _table_2(results)]
    if "parameters" in results.costs:
        made.append(_costs(results))
    if noises and len(systems_of(scores)) > 1:
        made.append(_tests(results, tests, noises))
    made.append(_speakers(results, noises))
    made.append(
        Section(
            "Confusion",
            f"Percent of the true class (row); {len(noises)} noises, utterances "
            "of all runs pooled.",
            {
                "confusion": partial(
                    figures.confusion, results.predictions, noises
                )
            },
        )
    )
    if not results.predictions.filter(regex="^p_").empty:
        made.append(_calibration(results, noises))
    if not results.curves.empty:
        text = "Thin: each run; thick: mean over runs, up to the shortest run."
        draw = partial(figures.training, results.curves)
        made.append(Section("Training", text, {"training": draw}))
    return made


def _over_snr(results, shown):
    found = []
    for what, noises in shown.items():
        frame = comparisons.crossings_frame(results.scores, noises)
        name = file_name(what) if what in noises else "all_noises"
        title = f"UA against the teacher's, {what}"
        table = Table(f"crossings_{name}", title, frame)
        found += [] if frame.empty else [table]
    return Section(
        "UA over SNR",
        "Means over runs; bands are 95 % intervals. Better or worse than the "
        "teacher is said where the interval of the difference is clear of zero; a "
        "crossing is where straight lines between the points meet.",
        {"ua_over_snr": partial(figures.ua_over_snr, results.scores, shown)},
        found,
    )


def _table_1(results, noise):
    scores, name = results.scores, f"table1_{file_name(noise)}"
    note = unseen_note([noise], results.protocols)
    title, beside = f"Table 1. UA, {noise}: {MEAN}{note}", ""
    frame = tables.systems_frame(scores, [noise], mean_with_interval)
    if paper.is_comparable(results.protocols):
        frame = paper.frame_beside_paper(scores, [noise])
        beside = "; the paper's, a mean over 10 folds, below"
    runs = tables.systems_frame(scores, [noise], mean_with_spread)
    spread = f"UA, {noise}: mean over runs ± standard deviation over runs{note}"
    return Section(
        f"UA under {noise}",
        tables=[
            Table(name, title + beside, frame),
            Table(f"{name}_runs", spread, runs),
        ],
    )


def _all_noises(results, noises):
    note = unseen_note(noises, results.protocols)
    return Section(
        "UA and WA, all noises",
        "",
        {"ua_by_noise": partial(figures.ua_by_noise, results.scores, noises)},
        [
            Table(
                f"all_noises_{name.lower()}",
                f"{name}, {len(noises)} noises: {MEAN}{note}",
                tables.systems_frame(
                    results.scores, noises, mean_with_interval, name
                ),
            )
            for name in ("UA", "WA")
        ],
    )


def _table_2(results):
    frame = tables.table_2_frame(results.scores, results.protocols)
    title = "Table 2. UA, noises and SNRs: mean over runs"
    shown, note = [Table("table2", title, frame)], ""
    if paper.is_comparable(results.protocols):
        title = "Mean of Table 2's cells, beside the paper's"
        means = paper.means_frame(results.scores)
        shown.append(Table("table2_means", title, means))
        note = f" {paper.MEAN_NOTE}"
    return Section(
        "UA of each noise and SNR",
        f"A mean is that of the cells.{note}",
        tables=shown,
    )


def _costs(results):
    title = costs.costs_title(results.costs)
    frame = costs.costs_frame(results.costs)
    if paper.is_comparable(results.protocols):
        frame = paper.costs_beside_paper(frame)
        title += "; paper: wav2vec 2.0 base, another machine"
    return Section("Size and time", tables=[Table("table3", title, frame)])


def _tests(results, tests, noises):
    """A table for each condition, which is the family of Holm's correction."""
    lowest = results.scores["snr_db"].min()
    at = column(lowest)
    shown = {
        "tests_all": ("all noises and SNRs", ALL, ALL),
        "tests_lowest": (f"{len(noises)} noises, {at}", ALL, lowest),
        **{
            f"tests_lowest_{file_name(name)}": (f"{name}, {at}", name, lowest)
            for name in noises
            if "factory" in name
        },
        "tests_clean": ("clean speech", CLEAN, ALL),
    }
    made = []
    for name, (what, *condition) in shown.items():
        frame = comparisons.tests_frame(tests, *condition)
        made += [] if frame.empty else [Table(name, f"Tests, {what}", frame)]
    units = plural(left_out(results.protocols))
    return Section(
        "Systems against one another", TESTS.format(units=units), tables=made
    )


def _speakers(results, noises):
    predictions = results.predictions
    frame = tables.speakers_frame(predictions, noises)
    title = (
        f"UA of each speaker: {len(noises)} noises at all SNRs / clean, mean over "
        "runs"
    )
    return Section(
        "Speakers",
        "",
        {"speakers": partial(figures.speakers, predictions, noises)},
        [Table("speakers", title, frame)],
    )


def _calibration(results, noises):
    predictions = results.predictions
    frame = tables.calibration_frame(predictions, noises)
    title = f"ECE, {len(noises)} noises, utterances of all runs pooled"
    draw = partial(figures.reliability_diagram, predictions, noises)
    return Section(
        "Calibration",
        "Expected calibration error (ECE): how far confidence is from accuracy. "
        "A point is a tenth of the range of confidence, larger with more "
        "utterances, left out with less than 1 % of them.",
        {"reliability": draw},
        [Table("calibration", title, frame)],
    )


HTML = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Report</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }}
h2 {{ margin-top: 3rem; border-bottom: 1px solid #ddd; }}
table {{ border-collapse: collapse; font-size: 0.85rem; display: block;
        overflow-x: auto; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.3rem 0.7rem; border-bottom: 1px solid #e5e5e5;
         text-align: left; vertical-align: top; }}
th {{ border-bottom: 2px solid #888; }}
img {{ max-width: 100%; }}
</style>
<body>
{body}</body>
</html>
"""
