"""A whole report: report.md, report.html, tables for LaTeX, figures, numbers.

Authors
 * The MLKD team 2026
"""

import pathlib
import sys

from markdown_it import MarkdownIt

from mlkd_brain.errors import InputError
from mlkd_brain.files import replaced_folder
from mlkd_brain.report.comparisons import all_tests
from mlkd_brain.report.leakage import find_problems
from mlkd_brain.report.protocol_card import protocol_card
from mlkd_brain.report.results import ARCHIVE, pack, read_study
from mlkd_brain.report.sections import sections
from mlkd_brain.report.style import save_png
from mlkd_brain.report.tables import all_cells

PAGE = "report.md"


def write_report(results_folder, out, evaluation=".", folds=None):
    """Write a report of everything below a folder.

    Arguments
    ---------
    results_folder : str or pathlib.Path
        Holds the runs.
    out : str or pathlib.Path
        Folder that is made; an earlier report there is replaced at once.
    evaluation, folds
        See ``mlkd_brain.report.results.find_runs``.

    Raises
    ------
    InputError
        If there are no predictions, or ``out`` holds something else.
    """
    _refuse_to_replace(pathlib.Path(out))
    asked = (results_folder, evaluation, folds)
    problems = find_problems(*asked)
    for problem in problems:
        print(f"warning: {problem.text}", file=sys.stderr)
    study = read_study(*asked)
    page = sections(study)
    with replaced_folder(out) as folder:
        for kind in ("tables", "figures", "numbers"):
            (folder / kind).mkdir()
        text = _markdown(page, protocol_card(study, problems), evaluation)
        (folder / PAGE).write_text(text, "utf-8")
        (folder / "report.html").write_text(_html(text), "utf-8")
        for section in page:
            _write_section(section, folder)
        _write_numbers(study.predictions, folder / "numbers")
        pack(results_folder, folder / ARCHIVE, evaluation, folds)


def _refuse_to_replace(out):
    """Only an earlier report can be replaced, no folder of another kind."""
    if out.exists() and not (out / PAGE).is_file():
        if not out.is_dir() or any(out.iterdir()):
            raise InputError(
                f"--out {out}: exists and holds no earlier report ({PAGE} is "
                "missing); name a new folder."
            )


def _markdown(page, card, evaluation):
    parts = ["# Report", card]
    for section in page:
        parts += [f"## {section.heading}", section.words]
        parts += [f"![{name}](figures/{name}.png)" for name in section.figures]
        parts += [table.markdown() for table in section.tables]
    heard = "" if evaluation == "." else f" --evaluation {evaluation}"
    parts.append(
        "Every cell with its interval and spread: `numbers/cells.csv`. This "
        f"report again: `mlkd report {ARCHIVE} --out "
        f"report{heard}`."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(markdown):
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    return HTML.format(body=body)


def _write_section(section, folder):
    for table in section.tables:
        path = folder / "tables" / f"{table.name}.tex"
        path.write_text(table.latex(), "utf-8")
    for name, figure in section.figures.items():
        save_png(figure, folder / "figures" / f"{name}.png")


def _write_numbers(predictions, folder):
    all_cells(predictions).to_csv(folder / "cells.csv", index=False)
    all_tests(predictions).to_csv(folder / "tests.csv", index=False)


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
