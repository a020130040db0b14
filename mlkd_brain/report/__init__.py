"""What do the runs of a study show, how sure is it, and did anything leak?

Start with ``pages`` (a whole report) or ``command`` (the printed tables);
``results`` reads the runs, ``leakage`` checks them.
"""

from mlkd_brain.report.command import report, run_report
from mlkd_brain.report.results import read_predictions

__all__ = ["read_predictions", "report", "run_report"]
