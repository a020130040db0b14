"""Every command and snippet of README, documents and cards is run, or checked."""

import contextlib
import functools
import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from unittest import mock

import pytest
import soundfile
from documented import Command, blocks, check, collect, words_of
from exported_runs import speech_like
from mlkd_brain.__main__ import main as mlkd
from mlkd_brain.errors import InputError
from places import RECIPE, REPOSITORY
from workplace import make_workplace

#: Commands that are not run here, by their text, and why; options are checked.
NOT_RUN = {
    r"^(make|cd) ": "installs, or runs all of the others",
    r"^python (run_folds|search_objective)": "trains a study; "
    "test_run_folds.py and test_search.py run them",
    r"^python train_baseline|vad_nmf": "test_train_baseline.py runs it",
    r"^python -m pytest": "these are the tests",
    r"^python tools/": "test_speechbrain_defects.py runs them",
    r"^python -m tools": "takes an hour",
    r"^python -m bench": "takes minutes; bench's doctests and bench.results",
    r"python pretrain": "takes hours; test_pretrain.py runs it",
    r"(--into|results/embedded|results/report|results/baseline)": "writes into "
    "a document, from results that are measured for hours",
    r"^(mlkd( \S+)?|python \S+\.py)$|COMMAND|--help": "a name in a sentence",
    r"--held_out_noise|random-encoder|enhancement-gain": "test_scripts.py, "
    "test_pretrain.py, test_enhancement_gain.py run it",
    r"^python (iemocap_prepare|compare_weightings|docs|-m docs)": "test_iemocap_prepare"
    ".py, test_links.py",
    r"^mlkd (demo|watch)": "runs until it is stopped; tests of the page",
    r"--fold [124-9]| &$| & ": "the same commands are run with --fold 3",
    r"^mlkd (probe|validate)": "test_probe.py, test_search.py run it",
    r"results/demo": "of make demo, which is timed there",
    r"^mlkd recipes": "copies the recipes of an installed library",
}
#: Documents whose commands another test runs, with the material they need.
RUN_ELSEWHERE = {
    "docs/change-it.md": "test_change_it.py",
    "docs/own-corpus.md": "tests of own corpora",
    "recipes/Manifest/MLKD/README.md": "tests of own corpora",
    "CHANGELOG.md": "names in sentences",
}


@functools.cache
def documented():
    listed = subprocess.run(
        "git ls-files --cached --others --exclude-standard *.md".split(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [n for n in listed.stdout.splitlines() if "/results/" not in n]
    return collect([p for n in names if (p := REPOSITORY / n).is_file()])


def reason(command):
    """Why a command is not run; None if it is."""
    if command.document in RUN_ELSEWHERE:
        return RUN_ELSEWHERE[command.document]
    found = (why for p, why in NOT_RUN.items() if re.search(p, command.text))
    return next(found, None)


def test_every_block_is_a_command_a_snippet_or_known_to_be_neither():
    commands, snippets, unknown = documented()
    assert unknown == []
    assert len(commands) > 80 and len(snippets) >= 3


def test_every_command_has_its_script_yaml_and_options(tally):
    for command in documented()[0]:
        check(command)
        if reason(command):
            tally.count("files", "commands in documents", "options checked")


def test_a_wrong_command_is_found():
    recipe = "recipes/IEMOCAP/MLKD"
    for text in (
        "python train_teachers.py hparams/teacher.yaml",
        "python train_teacher.py hparams/none.yaml",
        "python train_teacher.py hparams/teacher.yaml --no_such_key 3",
        "python run_folds.py hparams/study.yml --no_such_key 3",
        "mlkd predict DIR FILE.wav --no-such-option",
        "make nothing",
        "cd recipes/NOWHERE/MLKD",
    ):
        with pytest.raises((AssertionError, InputError)):
            check(Command("a.md", recipe, text))


@pytest.fixture(scope="module")
def place(tmp_path_factory, twelve_blocks):
    """A recipe by links, with the names that the documents use, trained."""
    workplace = make_workplace(tmp_path_factory.mktemp("docs"), twelve_blocks)
    folder = workplace.folder
    for path in [*RECIPE.glob("*.py"), RECIPE / "hparams"]:
        (folder / path.name).symlink_to(path)
    for seconds, name in enumerate(
        ("FILE", "OTHER", "LONG", "SPEECH", "NOISE", "speech"), start=1
    ):
        wav = speech_like(seconds, seed=seconds).numpy()
        soundfile.write(folder / f"{name}.wav", wav, 16000)
    (folder / "FOLDER").mkdir()
    shutil.copy(folder / "FILE.wav", folder / "FOLDER")
    shutil.copytree(folder / "corpus" / "noise", folder / "OTHER_NOISES")
    (folder / "mlkd_brain").symlink_to(REPOSITORY / "mlkd_brain")
    workplace.options |= {"number_of_epochs": 1, "results_folder": "results"}
    return workplace


def run_script(place, script, *words):
    """A script as a user runs it, on the small material, in this process."""
    small = [f"--{k}={v}" for k, v in place.options.items()]
    if not words[0].startswith("hparams/"):
        small = []  # a run's folder knows its options
    arguments = mock.patch.object(sys, "argv", [script, *words, *small])
    paths = mock.patch.object(sys, "path", [str(place.folder), *sys.path])
    # inspect remembers the script as __main__, and would for other tests
    files = mock.patch.dict(inspect.modulesbyfile)
    names = mock.patch.dict(inspect._filesbymodname)
    with arguments, paths, files, names:
        with contextlib.suppress(SystemExit):
            runpy.run_path(script, run_name="__main__")
            return
        raise AssertionError(f"{script} {words} ended with an error")


def run(place, command):
    program, *words = words_of(command.text)
    if program == "mlkd":
        with pytest.raises(SystemExit) as stopped:
            mlkd(words)
        # 1: `mlkd check` names the runs that are not evaluated
        allowed = (0, None, 1) if words[0] == "check" else (0, None)
        assert stopped.value.code in allowed, command
    else:
        assert program == "python", command
        run_script(place, *words)


def test_commands_and_snippets_of_documents_and_cards_run(tally, place, capsys):
    run_commands(tally, place)
    capsys.readouterr()
    run_snippets(tally, place, capsys)


def run_commands(tally, place):
    todo = [c for c in documented()[0] if not reason(c)]
    order = ("train_teacher", "train_student", "evaluate", "mlkd export")
    rank = {name: place for place, name in enumerate(order)}

    def when(command):
        found = [r for name, r in rank.items() if name in command.text]
        return min(found, default=len(rank))

    # a command of several documents is run once, in the order of a study
    unique = {c.text: c for c in sorted(todo, key=when)}
    with contextlib.chdir(place.folder), mock.patch.dict(
        os.environ, place.environment
    ):
        for text, command in unique.items():
            if "mlkd export" in text and not os.path.exists("MODEL"):
                os.symlink("DIR", "MODEL")
            if "--compare" in text:  # documents evaluate the student only
                words = ("hparams/teacher.yaml", "--fold", "3")
                run_script(place, "evaluate.py", *words)
            run(place, command)
            tally.count("files", "commands in documents", "run")
    assert len(unique) > 12
    for words in ("train_teacher", "evaluate", "report", "export", "predict"):
        assert any(words in text for text in unique)


def cards(place):
    """README.md of each export, whose folder takes the place of FOLDER."""
    for to in ("hf", "speechbrain", "onnx"):
        out = place.folder / f"export_{to}"
        run = "results/student/1986/fold_3"
        with pytest.raises(SystemExit):
            mlkd(["export", run, "--to", to, "--out", str(out)])
        yield out


def run_snippets(tally, place, capsys):
    snippets = [
        snippet.text
        for snippet in documented()[1]
        if snippet.document not in RUN_ELSEWHERE
    ]
    of_cards = []
    with contextlib.chdir(place.folder):
        for card in cards(place):
            (snippet,) = (
                b for b, _ in blocks(card / "README.md") if "import" in b
            )
            of_cards.append(snippet.replace("FOLDER", str(card)))
        for snippet in [*snippets, *of_cards]:
            capsys.readouterr()
            exec(compile(snippet, "snippet", "exec"), {})
            if snippet in of_cards:  # which print a decision
                printed = capsys.readouterr().out
                assert re.search("'(ang|hap|neu|sad)'", printed), snippet
            tally.count("files", "snippets in documents and cards", "run")
    assert len([*snippets, *of_cards]) >= 5
