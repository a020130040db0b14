"""Everything else is in pyproject.toml; here the recipes get into the wheel.

Authors
 * The MLKD team 2026
"""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCES = ("*.py", "*.yaml", "*.yml", "*.sh", "*.txt", "README.md")
MADE = ("results", "data", "pretrained_models")  # by those who ran a recipe


class BuildWithRecipes(build_py):
    """Copies the recipes' sources to mlkd_brain/recipes."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for path in self.recipe_files():
            target = self.recipe_target(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)  # the file that a link points to

    def get_outputs(self, include_bytecode=True):
        """Also what was copied."""
        targets = map(self.recipe_target, self.recipe_files())
        own = super().get_outputs(include_bytecode)
        return own if self.editable_mode else [*own, *map(str, targets)]

    def recipe_target(self, path):
        """Where a file of the recipes goes."""
        return pathlib.Path(self.build_lib, "mlkd_brain", path)

    @staticmethod
    def recipe_files():
        """Sources of all recipes, sorted."""
        folder = pathlib.Path("recipes")
        found = {path for kind in SOURCES for path in folder.rglob(kind)}
        return sorted(p for p in found if not {*MADE} & {*p.parts})


setup(cmdclass={"build_py": BuildWithRecipes})
