"""How many changes of the code the unit tests notice, by mutmut.

    pip install mutmut==3.8.1
    python -m tools.mutation            # all modules, hours on a busy machine
    python -m tools.mutation losses     # one of them; the others' rows stay
    python -m tools.mutation --survivors    # those again, after a new test

mutmut changes one operator, number, word, argument or assignment of a function
at a time and runs the tests that reach that function. Module constants,
properties and docstring examples stay as they are. Everything happens in a
temporary copy. Writes docs/numbers/mutation.csv, a row a mutant, and the table
of docs/tests-measured.md from it.

Authors
 * The MLKD team 2026
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import NamedTuple

import pandas
from mlkd_brain.files import write_csv
from mlkd_brain.markdown import markdown_table, write_into

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
KEPT = REPOSITORY / "docs" / "numbers" / "mutation.csv"
PAGE = REPOSITORY / "docs" / "tests-measured.md"


class Target(NamedTuple):
    """A module, and the tests of tests/unit that belong to it."""

    path: str
    tests: list[str]
    without: str = ""  # parts of the names of tests that are left out


TARGETS = {
    "losses": Target("method/losses.py", ["method/test_losses.py"]),
    "levels": Target("noise/levels.py", ["noise/test_mixing.py"]),
    "mixing": Target("noise/mixing.py", ["noise/test_mixing.py"]),
    "sampling": Target(
        "noise/sampling.py",
        ["noise/test_bank.py", "noise/test_reverberation.py"],
        "process or workers",  # each imports for seconds
    ),
    "active_level": Target(
        "noise/active_level.py",
        ["noise/test_active_level.py", "noise/test_mixing.py"],
    ),
    "folds": Target(
        "data/folds.py", ["data/test_folds.py", "data/test_own_corpus.py"]
    ),
    "samplers": Target(
        "data/samplers.py", ["data/test_samplers.py", "data/test_unlabelled.py"]
    ),
    "statistics": Target(
        "report/statistics.py",
        ["report/test_statistics.py"],
        "simulated or another_seed",  # half a minute each
    ),
}

SETTINGS = """
[tool.mutmut]
source_paths = ["mlkd_brain"]
only_mutate = {path}
also_copy = ["conftest.py", "bench", "recipes"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = {arguments}
"""


def copied(target: Target, folder: pathlib.Path) -> None:
    """The repository's files, with mutmut's settings for a module."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    module = folder / "mlkd_brain" / target.path
    # mutmut leaves decorated functions alone; and what is cached before would
    # answer in place of the mutant
    text = re.sub("(?m)^@functools.lru_cache.*\n", "", module.read_text())
    module.write_text(text)
    without = ["-k", f"not ({target.without})"] if target.without else []
    settings = SETTINGS.format(
        path=json.dumps([f"mlkd_brain/{target.path}"]),
        tests=json.dumps([f"tests/unit/{name}" for name in target.tests]),
        arguments=json.dumps(
            ["-p", "no:xdist", "--hypothesis-profile=unshrunk", *without]
        ),
    )
    with (folder / "pyproject.toml").open("a") as file:
        file.write(settings)


def mutmut(folder: pathlib.Path, *arguments: str) -> str:
    """Output of a command of mutmut in the copy."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"mutmut {' '.join(arguments)}:\n{done.stdout[-2000:]}")
    return done.stdout


def measured(name: str, again: list[str]) -> pandas.DataFrame:
    """Mutants of a module, by mutmut's names, with their fate and change.

    Arguments
    ---------
    name : str
        One of ``TARGETS``.
    again : list of str
        The mutants that are tried; all if there are none.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        copied(TARGETS[name], copy)
        mutmut(copy, "run", "--max-children", "1", *again)
        results = mutmut(copy, "results", "--all", "true")
        fates = dict(re.findall(r"^ +(\S+): (.+)$", results, re.MULTILINE))
        return pandas.DataFrame(
            {
                "module": name,
                "mutant": mutant,
                "status": fates[mutant],
                "change": ""
                if fates[mutant] == "killed"
                else changed(mutmut(copy, "show", mutant)),
            }
            for mutant in again or fates
        )


def changed(difference: str) -> str:
    """The lines of a unified difference that are taken out and put in.

    Example
    -------
    >>> changed("--- a\\n+++ b\\n@@ -1 +1 @@\\n x\\n-    y = 1\\n+    y = 2\\n")
    'y = 1 -> y = 2'
    """
    lines = difference.splitlines()
    before, after = (
        " ".join(line[1:].strip() for line in lines if re.match(sign, line))
        for sign in (r"-(?!--)", r"\+(?!\+\+)")
    )
    return f"{before} -> {after}"


def table() -> str:
    """Mutants of each module by their fate, in Markdown.

    A timeout counts as killed: a loop without end is noticed.
    """
    rows = pandas.read_csv(KEPT)
    counts = pandas.crosstab(rows["module"], rows["status"])
    counts = counts.reindex([name for name in TARGETS if name in counts.index])
    counts.loc["all"] = counts.sum()
    total = counts.sum(axis=1)
    killed, late, survived = (
        counts.get(status, 0 * total)
        for status in ("killed", "timeout", "survived")
    )
    share = (100 * (killed + late) / total).map("{:.1f}".format)
    other = total - killed - late - survived
    cells = zip(counts.index, total, killed, late, survived, other, share)
    header = ["module", "mutants", "killed", "timeout", "survived"]
    return markdown_table(
        [*header, "not reached", "killed, %"],
        [[str(cell) for cell in row] for row in cells],
    )


def kept_of(name: str) -> tuple[pandas.DataFrame, list[str]]:
    """Killed mutants of a module as the file has them, names of the others."""
    rows = pandas.read_csv(KEPT, keep_default_na=False)
    rows = rows[rows["module"] == name]
    killed = rows["status"] == "killed"
    return rows[killed], rows["mutant"][~killed].tolist()


def main() -> None:
    """Measure the modules that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation")
    parser.add_argument("modules", nargs="*", help=", ".join(TARGETS))
    parser.add_argument(
        "--survivors",
        action="store_true",
        help="try again those that were not killed; the code is unchanged",
    )
    options = parser.parse_args()
    for name in options.modules or TARGETS:
        before, again = kept_of(name) if options.survivors else (None, [])
        if options.survivors and not again:
            continue
        rows = pandas.concat([before, measured(name, again)])
        store(name, rows)
        print(f"{name}: measured", flush=True)


def store(name: str, rows: pandas.DataFrame) -> None:
    """Replace the rows of a module in the file, and the page's table."""
    if KEPT.exists():
        kept = pandas.read_csv(KEPT, keep_default_na=False)
        rows = pandas.concat([kept[kept["module"] != name], rows])
    order = {name: index for index, name in enumerate(TARGETS)}
    rows = rows.sort_values("module", key=lambda s: s.map(order), kind="stable")
    write_csv(rows, KEPT)
    write_into(PAGE, "mutation", table())


if __name__ == "__main__":
    main()
