"""What stands in one cell of a table: an accuracy and its error, as text.

Authors
 * The MLKD team 2026
"""

import math

from mlkd_brain.report.statistics import (
    accuracies_of_runs,
    accuracy,
    interval,
)

NOTHING = "–"


def pooled(predictions, name="UA"):
    """Accuracy of all utterances taken together."""
    return number(accuracy(predictions, name)) if len(predictions) else NOTHING


def pooled_with_spread(predictions, name="UA"):
    """Pooled accuracy, ± the standard deviation over runs if several.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one system and condition; "–" when there are none.
    name : str
        "UA" or "WA".

    Returns
    -------
    str
        Percent.

    Example
    -------
    >>> import pandas
    >>> right = pandas.DataFrame({"emo": ["ang", "sad"], "predicted": "ang"})
    >>> pooled_with_spread(right.assign(fold=1, seed=1986))
    '50.0'
    """
    if predictions.empty:
        return NOTHING
    runs = accuracies_of_runs(predictions, name)
    value = number(accuracy(predictions, name))
    return value if len(runs) < 2 else f"{value} ± {runs.std():.1f}"


def mean_with_spread(predictions, name="UA"):
    """Mean over runs (folds and seeds) ± their standard deviation."""
    if predictions.empty:
        return NOTHING
    runs = accuracies_of_runs(predictions, name)
    mean = number(runs.mean())
    return mean if len(runs) < 2 else f"{mean} ± {runs.std():.1f}"


def pooled_with_interval(predictions, name="UA"):
    """Pooled accuracy and its 95 % interval, e.g. ``82.1 [78.0, 85.9]``."""
    if predictions.empty:
        return NOTHING
    low, high = interval(predictions, name)
    value = number(accuracy(predictions, name))
    return value if math.isnan(low) else f"{value} [{low:.1f}, {high:.1f}]"


def number(value):
    """One decimal."""
    return f"{value:.1f}"


def signed(value):
    """One decimal, with its sign; a true minus.

    Example
    -------
    >>> signed(1.25), signed(-3.0)
    ('+1.2', '−3.0')
    """
    return f"{value:+.1f}".replace("-", "−")


def p_value(value):
    """Three decimals, or that it is less.

    Example
    -------
    >>> p_value(0.0313), p_value(1e-9)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
