"""A whole report: report.md, report.html, tables for LaTeX, figures, numbers.

Authors
 * The MLKD team 2026
"""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from mlkd_brain.files import refuse_to_replace, replaced_folder
from mlkd_brain.report import comparisons, figures, tables
from mlkd_brain.report.leakage import problems_of
from mlkd_brain.report.protocol import protocol_table
from mlkd_brain.report.results import (
    ARCHIVE,
    Results,
    evaluated_runs,
    find_runs,
    pack,
    read_results,
)
from mlkd_brain.report.style import save_png
from mlkd_brain.report.tables import Table, common_noises, unseen_note

PAGE = "report.md"
TESTS = (
    "Difference in UA with its 95 % interval over speakers, and McNemar's exact "
    "test of whether one is right more often than the other on the same "
    "utterances in the same mixtures, in the runs that both have. The test takes "
    "pairs for independent, which utterances of one speaker are not, nor one "
    "utterance under several seeds and SNRs; no p is corrected for the number of "
    "tests. In doubt trust the interval, which accounts for the speakers but not "
    "for the seeds. Every condition: `numbers/tests.csv`."
)


class Section(NamedTuple):
    """A heading, a text, and what is shown below it."""

    heading: str
    text: str = ""
    figures: dict[str, Any] = {}
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
    with replaced_folder(out) as folder:
        for kind in ("tables", "figures", "numbers"):
            (folder / kind).mkdir()
        parts = ["# Report", protocol_table(results, problems)]
        for section in sections(results):
            parts += _write_section(section, folder)
        option = "" if evaluation == "." else f" --evaluation {evaluation}"
        parts.append(
            "Every cell with its interval and spread: `numbers/cells.csv`. This "
            f"report again: `mlkd report {ARCHIVE} --out report{option}`."
        )
        text = "\n\n".join(part for part in parts if part) + "\n"
        body = MarkdownIt("commonmark").enable("table").render(text)
        (folder / PAGE).write_text(text, "utf-8")
        (folder / "report.html").write_text(HTML.format(body=body), "utf-8")
        for name, frame in (
            ("cells", tables.all_cells(results.predictions)),
            ("tests", comparisons.all_tests(results.predictions)),
        ):
            frame.to_csv(folder / "numbers" / f"{name}.csv", index=False)
        pack(runs, results_folder, folder / ARCHIVE, archive)


def _write_section(section, folder):
    """Write a section's tables and figures; its parts of the page."""
    for name, figure in section.figures.items():
        save_png(figure, folder / "figures" / f"{name}.png")
    for table in section.tables:
        path = folder / "tables" / f"{table.name}.tex"
        path.write_text(table.latex(), "utf-8")
    return [
        f"## {section.heading}",
        section.text,
        *(f"![{name}](figures/{name}.png)" for name in section.figures),
        *(table.markdown() for table in section.tables),
    ]


def sections(results: Results) -> list[Section]:
    """What a report shows, in order; not what the results lack data for."""
    predictions = results.predictions
    noises = common_noises(predictions)
    shown = {name: [name] for name in noises if "factory" in name}
    shown[f"{len(noises)} noises pooled"] = noises
    made = []
    if noises:
        made.append(_over_snr(results, shown))
        made += [_table_1(results, name) for name in shown if name in noises]
        made += [_all_noises(results, noises), _table_2(results)]
    if "parameters" in results.costs:
        title = comparisons.costs_title(results.costs)
        frame = comparisons.costs_frame(results.costs)
        made.append(
            Section("Size and time", tables=[Table("table3", title, frame)])
        )
    if noises and predictions["system"].nunique() > 1:
        made.append(_tests(results, noises))
    made.append(_speakers(results, noises))
    made.append(
        Section(
            "Confusion",
            f"Percent of the true class (row); {len(noises)} noises pooled.",
            {"confusion": figures.confusion(predictions, noises)},
        )
    )
    if not predictions.filter(regex="^p_").empty:
        made.append(_calibration(results, noises))
    if not results.curves.empty:
        text = "Thin: each run; thick: mean over runs, up to the shortest run."
        figure = {"training": figures.training(results.curves)}
        made.append(Section("Training", text, figure))
    return made


def _note(results, noises):
    return unseen_note(noises, results.protocols)


def _over_snr(results, shown):
    found = []
    for what, noises in shown.items():
        frame = comparisons.crossings_frame(results.predictions, noises)
        name = f"crossings_{what if what in noises else 'all_noises'}"
        title = f"UA against the teacher's, {what}"
        found += [] if frame.empty else [Table(name, title, frame)]
    return Section(
        "UA over SNR",
        "Bands are 95 % intervals over speakers. A crossing is where straight "
        "lines between the points meet.",
        {"ua_over_snr": figures.ua_over_snr(results.predictions, shown)},
        found,
    )


def _table_1(results, noise):
    predictions, name = results.predictions, f"table1_{noise}"
    pooled = comparisons.frame_beside_paper(
        predictions, [noise], tables.pooled_with_interval
    )
    runs = tables.systems_frame(predictions, [noise], tables.mean_with_spread)
    paper = comparisons.paper_note(results.protocols)
    title = f"UA, {noise}{_note(results, [noise])}"
    return Section(
        f"UA under {noise}",
        "All utterances pooled, with the 95 % interval over speakers; then the "
        "mean over runs ± their standard deviation.",
        tables=[
            Table(name, f"Table 1. {title}; {paper}", pooled),
            Table(f"{name}_runs", f"Mean over runs, {title}", runs),
        ],
    )


def _all_noises(results, noises):
    predictions, note = results.predictions, _note(results, noises)
    return Section(
        "UA and WA, all noises",
        "",
        {"ua_by_noise": figures.ua_by_noise(predictions, noises)},
        [
            Table(
                f"all_noises_{name.lower()}",
                f"{name}, {len(noises)} noises pooled{note}",
                tables.systems_frame(
                    predictions, noises, tables.pooled_with_interval, name
                ),
            )
            for name in ("UA", "WA")
        ],
    )


def _table_2(results):
    predictions, protocols = results.predictions, results.protocols
    paper = comparisons.paper_note(protocols)
    cells = tables.table_2_frame(predictions, protocols)
    means = comparisons.means_frame(predictions)
    return Section(
        "UA of each noise and SNR",
        f"A mean is that of the cells; {comparisons.MEAN_NOTE}.",
        tables=[
            Table("table2", "Table 2. UA, noises and SNRs", cells),
            Table("table2_means", f"Mean of Table 2's cells; {paper}", means),
        ],
    )


def _tests(results, noises):
    factory = [name for name in noises if "factory" in name]
    shown = {"tests": (", ".join(factory), factory)} if factory else {}
    shown["tests_all_noises"] = f"{len(noises)} noises pooled", noises
    return Section(
        "Systems against one another",
        TESTS,
        tables=[
            Table(
                name,
                f"Paired tests, {what}{_note(results, own)}",
                comparisons.comparison_frame(results.predictions, own),
            )
            for name, (what, own) in shown.items()
        ],
    )


def _speakers(results, noises):
    predictions = results.predictions
    frame = tables.speakers_frame(predictions, noises)
    title = f"UA of each speaker: {len(noises)} noises at all SNRs / clean"
    return Section(
        "Speakers",
        "",
        {"speakers": figures.speakers(predictions, noises)},
        [Table("speakers", title, frame)],
    )


def _calibration(results, noises):
    predictions = results.predictions
    frame = tables.calibration_frame(predictions, noises)
    return Section(
        "Calibration",
        "Expected calibration error (ECE): how far confidence is from accuracy. "
        "A point is a tenth of the range of confidence, larger with more "
        "utterances, left out with less than 1 % of them.",
        {"reliability": figures.reliability_diagram(predictions, noises)},
        [Table("calibration", f"ECE, {len(noises)} noises pooled", frame)],
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
