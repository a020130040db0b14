"""The command ``mlkd recipes``: the recipes' scripts and yamls, to work in.

    mlkd recipes work
    cd work/IEMOCAP/MLKD

For those who installed a wheel: a recipe writes its results beside its scripts,
which is no thing to do in the folder of an installed library. In a clone of the
repository the recipes are in recipes/.

Authors
 * The MLKD team 2026
"""

import pathlib
import shutil

from mlkd_brain.commands import command_parser
from mlkd_brain.errors import InputError

LIBRARY = pathlib.Path(__file__).parent


def main(argv: list[str]) -> None:
    """Copy the recipes to a new folder.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If the folder exists, or the library came without recipes.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "work"
    >>> main([str(folder)])  # doctest: +ELLIPSIS
    wrote .../work: EmoDB/MLKD, IEMOCAP/MLKD, Manifest/MLKD, Speech/pretrain
    >>> (folder / "EmoDB" / "MLKD" / "train_teacher.py").is_symlink()
    False
    """
    parser = command_parser("recipes", __doc__)
    parser.add_argument("folder", type=pathlib.Path, help="is made")
    target = parser.parse_args(argv).folder
    source = recipes_folder()
    if target.exists():
        raise InputError(f"{target}: exists; name a folder to be made.")
    made = ("results", "data", "pretrained_models", "__pycache__")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*made))
    names = sorted(f"{p.parent.name}/{p.name}" for p in target.glob("*/*"))
    print(f"wrote {target}: {', '.join(names)}")


def recipes_folder() -> pathlib.Path:
    """Where the recipes are: within an installed library, or beside a clone's.

    Raises
    ------
    InputError
        If they are at neither place.
    """
    for folder in (LIBRARY / "recipes", LIBRARY.parent / "recipes"):
        if (folder / "IEMOCAP").is_dir():
            return folder
    raise InputError(
        f"{LIBRARY}: has no recipes, nor has the folder above; install the "
        "library's wheel, or clone its repository."
    )
