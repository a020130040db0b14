"""The command ``mlkd``: what can be done beside the scripts of a recipe.

A command's module is imported when the command is given, so that help and
tables load no torch.

Authors
 * The MLKD team 2026
"""

import importlib
import sys

from mlkd_brain.environment import set_environment
from mlkd_brain.errors import DEBUG, InputError, cli_errors, nearest

#: Command to its module, which has ``main(argv)``, and what it does.
COMMANDS = {
    "report": ("report.command", "tables, figures and tests of a study"),
    "check": ("report.leakage", "leaks of a study; what a corpus lacks"),
    "watch": ("report.watch", "curves of a training, as it goes on"),
    "manifest": ("data.corpus_listing", "a folder of recordings as a CSV"),
    "predict": ("inference.command", "emotions of recordings"),
    "export": ("export.command", "a trained model for other programs"),
    "demo": ("demo.command", "compare systems in the browser"),
    "noise": ("noise.command", "draw a mixture and its levels"),
    "validate": ("evaluation.command", "noise grid, validation speaker"),
    "probe": ("pretraining.command", "what a linear classifier finds"),
    "enhancement-gain": ("baseline.command", "gain of the NMF, dB"),
    "recipes": ("copy_recipes", "scripts and yamls, to work in"),
    "random-encoder": (
        "pretraining.random_encoder",
        "the embedded encoder, untrained",
    ),
}
HELP = """\
usage: mlkd COMMAND [OPTIONS]

{commands}

mlkd COMMAND --help explains a command; --debug shows where an error was found. Training, evaluation and studies are the
scripts of a recipe, e.g. recipes/IEMOCAP/MLKD/train_teacher.py."""


def main(argv=None):
    """Run a command.

    Arguments
    ---------
    argv : list of str, optional
        Command and its options; those of the process by default.

    Raises
    ------
    SystemExit
        With 0 if all went well, 1 if something was found or failed, 2 if the
        input cannot be used.

    Example
    -------
    >>> main(["--help"])
    Traceback (most recent call last):
        ...
    SystemExit: 0
    """
    given = sys.argv[1:] if argv is None else argv
    command, *options = [w for w in given if w != DEBUG] or ["--help"]
    set_environment()
    with cli_errors():
        if command in ("-h", "--help"):
            print(help_text())
            raise SystemExit(0)
        if command not in COMMANDS:
            raise InputError(
                f"mlkd has no command '{command}'.{nearest(command, COMMANDS)} "
                f"Expected one of {', '.join(COMMANDS)}."
            )
        module = importlib.import_module(f"mlkd_brain.{COMMANDS[command][0]}")
        raise SystemExit(module.main(options))


def help_text():
    """What ``mlkd --help`` prints."""
    lines = (f"  {name:17} {what}" for name, (_, what) in COMMANDS.items())
    return HELP.format(commands="\n".join(lines))


if __name__ == "__main__":
    main()
