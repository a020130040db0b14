"""Where the repository and what lies beside it are.

Authors
 * The MLKD team 2026
"""

import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
CORPORA = SHARED / "corpora"
MODELS = SHARED / "models"
RECIPE = REPOSITORY / "recipes" / "IEMOCAP" / "MLKD"
