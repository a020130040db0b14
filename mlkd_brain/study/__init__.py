"""Which runs does a study have, what of them is finished, and who runs them?

Start at ``definition.py`` (systems x folds x seeds), then ``plan.py``;
``executor.py`` and ``task.py`` run the plan on Ray, ``search.py`` a grid.
"""
