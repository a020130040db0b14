"""The noise grid of a trained run on its validation speaker.

For choices between runs: neither the test speaker nor the test ranges of the
noise recordings are used, and a held-out noise stays held out.

    mlkd validate hparams/student.yaml --fold 3

Authors
 * The MLKD team 2026
"""

import pathlib
from typing import Any

from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.evaluation.noise_grid import noise_grid
from mlkd_brain.files import write_csv
from mlkd_brain.method.teachers import recover_best, training_command
from mlkd_brain.names import CLEAN, VALIDATION
from pandas import DataFrame


def validate_run(hparams: dict[str, Any], device: str = "cpu") -> DataFrame:
    """Score the best epoch of a run on its validation speaker.

    Arguments
    ---------
    hparams : dict
        Of the run.
    device : str
        Where to compute.

    Raises
    ------
    InputError
        If the run was not trained, or its data or noise cannot be used.

    Returns
    -------
    pandas.DataFrame
        The noise grid, which goes to validation.csv in the run's folder.
    """
    run = pathlib.Path(hparams["output_folder"])
    remedy = training_command(hparams["system"], hparams)
    recover_best(hparams["model"], hparams["save_folder"], remedy)
    grid = hparams["noise_grid"]
    grid.bank.prepare()
    predictions = grid.predict(
        hparams["model"],
        read_manifest(run / "valid.csv", hparams["emotions"]),
        hparams["data_folder"],
        device,
        part="valid",
    )
    used = predictions["noise"] != hparams["held_out_noise"]
    table = noise_grid(predictions[used])
    write_csv(table, run / VALIDATION)
    return table


def mean_over_snrs(table: DataFrame, with_clean: bool = False) -> float:
    """UA averaged over noises and SNRs.

    Arguments
    ---------
    table : pandas.DataFrame
        What ``validate_run`` returns.
    with_clean : bool
        Whether clean speech counts as one SNR more.

    Returns
    -------
    float
        In [0, 1].

    Example
    -------
    >>> rows = [("clean", None, 1.0), ("volvo", 5, 0.5), ("babble", 5, 0.7)]
    >>> table = DataFrame(rows, columns=["noise", "snr_db", "ua"])
    >>> round(mean_over_snrs(table), 6)
    0.6
    >>> round(mean_over_snrs(table, with_clean=True), 6)
    0.8
    """
    used = table if with_clean else table[table["noise"] != CLEAN]
    return float(used.groupby("snr_db", dropna=False)["ua"].mean().mean())
