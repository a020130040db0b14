"""Tables, figures and checks of a study, from what its runs left behind.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.report.results import read_predictions
from mlkd_brain.report.summary import report, run_report

__all__ = ["read_predictions", "report", "run_report"]
