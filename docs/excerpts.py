"""The tables of the documents that can be made from files of the repository.

    python -m docs.excerpts    # make readme does it, too

Each block between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` is named
here: how it is made from the archives of the studies, from what a command kept
in docs/numbers or bench, or from a longer block; or, in ``MEASURED``, which
command makes it from nothing. A test
holds the documents to it, and finds blocks that nobody has named.

Authors
 * The MLKD team 2026
"""

import functools
import json
import pathlib
import runpy
from collections.abc import Callable

from mlkd_brain.baseline.enhancement_gain import gain_table
from mlkd_brain.markdown import write_into
from mlkd_brain.pretraining.probe import fine_tuned, probe_rows, probe_table
from mlkd_brain.report import comparisons, pages
from mlkd_brain.report.command import printed_tables
from mlkd_brain.report.formatting import to_markdown
from mlkd_brain.report.leakage import problems_of
from mlkd_brain.report.results import (
    Results,
    evaluated_runs,
    find_runs,
    read_results,
    unpacked,
)
from mlkd_brain.report.systems import common_noises
from pandas import DataFrame, read_csv

from bench import which_model
from bench.gpu import OUT as GPU
from bench.gpu_parts import (
    hours,
    table as gpu,
)
from bench.results import RESULTS, page
from tools import coverage, mutation

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
#: Blocks that no file of the repository gives, and the command that does.
MEASURED = {
    ("docs/studies.md", "demo"): "make demo",
}

#: Objective and encoder to the study and the system whose log has the shares.
SHARES = {
    "paper's, embedded, EmoDB": ("report_embedded", "student"),
    "balanced, embedded, EmoDB": ("report_embedded", "student_balanced"),
    "paper's, embedded, URDU": ("report_urdu", "student"),
    "paper's, Whisper tiny.en, EmoDB": ("report_whisper", "student"),
    "balanced, Whisper tiny.en, EmoDB": ("report_whisper", "student_balanced"),
}
TERMS = {
    "grad_share_ce": "cross-entropy",
    "grad_share_kl": "KL",
    "grad_share_mse": "MSE",
}


def folder_of(study: str) -> pathlib.Path:
    """Where a committed report is; no two recipes have one of the same name."""
    (folder,) = REPOSITORY.glob(f"recipes/*/MLKD/results/{study}")
    return folder


@functools.cache
def results_of(study: str, evaluation: str = ".") -> Results:
    """What the archive of a committed report holds."""
    with unpacked(folder_of(study) / "runs.tar.xz") as folder:
        return read_results(evaluated_runs(folder, evaluation))


def tables(study, evaluation=".", systems=None):
    """The tables that ``mlkd report --brief`` prints, of some systems."""
    results = results_of(study, evaluation)
    if systems:
        results = results._replace(
            predictions=_of(systems, results.predictions),
            scores=_of(systems, results.scores),
            protocols=[p for p in results.protocols if p["system"] in systems],
        )
    return printed_tables(results, brief=True)


def _of(systems, table):
    return table[table["system"].isin(systems)]


def pairs(study, *pairs):
    """The table that ``mlkd report --compare`` prints."""
    scores = results_of(study).scores
    noises = common_noises(scores)
    return to_markdown(comparisons.pairs_frame(scores, noises, pairs))


def shares(title):
    """Means over runs of what the log says of the gradient, (epochs, terms)."""
    study, system = SHARES[title]
    curves = results_of(study).curves
    own = curves[(curves["system"] == system) & (curves["part"] == "train")]
    return own.groupby(["epoch", "term"])["value"].mean().unstack("term")


def gradients():
    """Share of each term in the gradient, and how often it was clipped.

    Of the first and the last epoch, means over the runs of a system.
    """
    rows = []
    for title in SHARES:
        means = shares(title)
        for epoch in (means.index[0], means.index[-1]):
            named = {
                name: means.loc[epoch, term] for term, name in TERMS.items()
            }
            named["clipped"] = means.loc[epoch, "clipped"]
            cells = {name: f"{value:.2f}" for name, value in named.items()}
            rows.append(
                {"objective, encoder": title, "epoch": str(epoch), **cells}
            )
    return to_markdown(DataFrame(rows))


def speed():
    """docs/speed.md's table of everything that ``make bench`` measured."""
    return page(json.loads(RESULTS.read_text()))


def on_gpu():
    """What ``make gpu-check`` measured on the last card that was lent."""
    return json.loads(GPU.read_text("utf-8"))


def kept(measurement: str) -> DataFrame:
    """What a command wrote with ``--keep``, a row an utterance."""
    return read_csv(REPOSITORY / f"docs/numbers/{measurement}.csv.xz")


def weightings():
    """The table of compare_weightings.py, a script and no module."""
    script = runpy.run_path(
        str(REPOSITORY / "recipes/IEMOCAP/MLKD/compare_weightings.py")
    )
    return script["table"](kept("weightings"))


def probed():
    """The linear probe's table, with the teachers of EmoDB's report."""
    tuned = fine_tuned(
        results_of("report").predictions,
        ["teacher", "teacher_random"],
        folder_of("report"),
    )
    return probe_table(probe_rows(kept("probe")) + tuned)


def copied(path, marker, rows=None):
    """A block of another page up to its first table's end, or some rows."""
    return excerpt(text_of(path, marker), rows)


#: Document and name of a block to what makes it.
BLOCKS: dict[tuple[str, str], Callable[[], str]] = {
    ("recipes/EmoDB/MLKD/README.md", "results"): lambda: tables("report"),
    ("recipes/EmoDB/MLKD/README.md", "comparisons"): lambda: pairs(
        "report",
        ("student", "student_unsupervised"),
        ("student", "student_from_teacher"),
        ("student_from_teacher", "student_unsupervised"),
        ("student_scaled", "student"),
        ("student_searched", "student"),
        ("student", "teacher"),
        ("teacher", "teacher_random"),
        ("teacher", "vad_nmf"),
        ("student", "vad_nmf_matched"),
    ),
    ("docs/starts.md", "starts"): lambda: excerpt(tables("report_embedded")),
    ("docs/starts.md", "comparisons"): lambda: pairs(
        "report_embedded",
        ("student_pretrained", "student_unsupervised"),
        ("student", "student_from_teacher"),
        ("student_balanced_pretrained", "student_unsupervised"),
        ("student_balanced", "student_from_teacher"),
        ("student_from_teacher", "student_unsupervised"),
        ("student", "student_pretrained"),
        ("student_balanced", "student_balanced_pretrained"),
        ("student_balanced", "student"),
        ("teacher_noisy", "student"),
        ("teacher_noisy", "student_unsupervised"),
    ),
    ("docs/baseline.md", "baseline"): lambda: tables(
        "report", systems=["vad_nmf", "vad_nmf_matched"]
    ),
    ("docs/whisper.md", "whisper"): lambda: tables("report_whisper"),
    ("docs/whisper.md", "comparisons"): lambda: pairs(
        "report_whisper",
        ("student", "student_unsupervised"),
        ("student", "student_from_teacher"),
        ("student", "student_pretrained"),
        ("student_balanced", "student"),
        ("student_plain", "student_balanced"),
        ("teacher_noisy", "student"),
        ("teacher_noisy", "teacher"),
    ),
    ("docs/gradients.md", "gradients"): gradients,
    ("docs/whisper-unseen.md", "minus5"): lambda: tables(
        "report_whisper_minus5", "snr_-5"
    ),
    ("docs/whisper-unseen.md", "unseen"): lambda: tables(
        "report_whisper_unseen", "noise_unseen_77ff1d"
    ),
    ("docs/own-corpus.md", "seven"): lambda: excerpt(tables("report_seven")),
    ("docs/own-corpus.md", "urdu"): lambda: excerpt(tables("report_urdu")),
    ("docs/speed.md", "bench"): speed,
    ("docs/gpu.md", "gpu"): lambda: gpu.tables(on_gpu()).rstrip(),
    ("docs/speed.md", "hours"): lambda: hours.table(on_gpu()["parts"]),
    ("docs/which-model.md", "which-model"): which_model.page,
    ("docs/noise.md", "weightings"): weightings,
    ("docs/baseline.md", "enhancement"): lambda: gain_table(
        kept("enhancement")
    ),
    ("recipes/EmoDB/MLKD/README.md", "probe"): probed,
    ("docs/tests-measured.md", "mutation"): mutation.table,
    ("docs/tests-measured.md", "coverage"): lambda: coverage.table(
        read_csv(coverage.KEPT)
    ),
    ("README.md", "demo"): lambda: copied("docs/studies.md", "demo"),
    ("README.md", "results"): lambda: copied(
        "recipes/EmoDB/MLKD/README.md",
        "results",
        [
            "teacher",
            "vad_nmf",
            "vad_nmf_matched",
            "student_unsupervised",
            "student",
        ],
    ),
    ("README.md", "speed"): lambda: copied(
        "docs/speed.md",
        "bench",
        [
            "runtimes: time, teacher, transformers",
            "runtimes: time, student, transformers",
            "runtimes: time, student, openvino, int8",
            "runtimes: size, teacher, transformers",
            "runtimes: size, student, transformers",
            "runtimes: size, student, openvino, int8",
            "training, 256 wide: reference",
            "training, 256 wide: this project",
            "noise: drawing and mixing, levels stored",
            "noise: SpeechBrain's AddNoise",
        ],
    ),
}


@functools.cache
def text_of(path: str, marker: str) -> str:
    """What a block should hold; of a measured one, what stands there."""
    if (path, marker) in BLOCKS:
        return BLOCKS[path, marker]()
    return marked(REPOSITORY / path, marker)


def report_page(study: str) -> str:
    """report.md as its archive gives it; no figure is drawn."""
    with unpacked(folder_of(study) / "runs.tar.xz") as folder:
        problems = problems_of(evaluated_runs(folder), find_runs(folder))
    results = results_of(study)
    noises = common_noises(results.scores)
    tests = comparisons.all_tests(results.scores, noises)
    shown = pages.sections(results, tests)
    return pages.page_text(results, problems, shown)


def marked(path, marker):
    """What stands between two markers of a Markdown file.

    Arguments
    ---------
    path : pathlib.Path
        The file.
    marker : str
        Name of the block.

    Returns
    -------
    str
        Without the markers.
    """
    text = path.read_text(encoding="utf-8")
    after = text.split(f"<!-- begin {marker} -->\n")[1]
    return after.split(f"\n<!-- end {marker} -->")[0]


def excerpt(text, rows=None):
    """A block up to the end of its first table, which may lose rows.

    Arguments
    ---------
    text : str
        Markdown.
    rows : list of str, optional
        First cells of the rows to keep; all by default.

    Raises
    ------
    ValueError
        If a row is not there, or is there twice.

    Returns
    -------
    str
        Markdown.

    Example
    -------
    >>> print(excerpt("| x |\\n|---|\\n| a |\\n| b |\\n\\n| y |", ["b"]))
    | x |
    |---|
    | b |
    """
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append(line)
    head, body = table[:2], table[2:]
    if rows is not None:
        first = [line.split("|")[1].strip() for line in body]
        wrong = [name for name in rows if first.count(name) != 1]
        if wrong:
            raise ValueError(f"{wrong} must each be one row of {first}.")
        body = [line for name, line in zip(first, body) if name in rows]
    return "\n".join([*lines[:start], *head, *body])


def main():
    """Write all of them."""
    for path, marker in BLOCKS:
        write_into(REPOSITORY / path, marker, text_of(path, marker))


if __name__ == "__main__":
    main()
