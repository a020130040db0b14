"""Every command explains itself at once: its --help loads no torch."""

import subprocess
import sys

import pytest
from mlkd_brain.__main__ import COMMANDS

# children of one process, which has loaded nothing yet
SCRIPT = """\
import contextlib, io, os, sys
from mlkd_brain.__main__ import main

for command in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    page = io.StringIO()
    try:
        with contextlib.redirect_stdout(page):
            main([command, "--help"])
    except SystemExit as end:
        found = end.code, "torch" in sys.modules, len(page.getvalue())
        print(command, *found, flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def helped():
    """Command to exit status, whether torch is there, and letters of help."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *COMMANDS],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return {command: rest for command, *rest in rows}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_complete_and_loads_no_torch(helped, command):
    status, torch, letters = helped[command]
    assert (status, torch) == ("0", "False")
    assert int(letters) > 150
