"""One trained run, scored: its predictions, its noise grid and its costs.

Authors
 * The MLKD team 2026
"""

import hashlib
import pathlib
from typing import Any

from mlkd_brain.data.manifests import read_manifest
from mlkd_brain.errors import InputError
from mlkd_brain.evaluation.complexity import complexity
from mlkd_brain.evaluation.noise_grid import noise_grid
from mlkd_brain.files import write_csv, write_json
from mlkd_brain.method.teachers import recover_best, training_command
from mlkd_brain.names import COMPLEXITY, NOISE_GRID, PREDICTIONS, PROTOCOL
from mlkd_brain.run.protocol import noise_ranges, read_protocol


def evaluate_run(hparams: dict[str, Any], device: str = "cpu") -> pathlib.Path:
    """Score a trained run: predictions.csv, noise_grid.csv, complexity.json.

    With the noise recordings, weighting and SNRs that the run was trained with
    they go to its own folder, with others to a folder below it that names them,
    whichever evaluation comes first. If a noise folder has none of the yaml's
    noise types, all of its recordings are used.

    Arguments
    ---------
    hparams : dict
        Of the run.
    device : str
        Where to compute.

    Raises
    ------
    InputError
        If the run was not trained, or without knowing its noise, or its data or
        noise cannot be used.

    Returns
    -------
    pathlib.Path
        Where the files are, beside a protocol.json.
    """
    run = pathlib.Path(hparams["output_folder"])
    remedy = training_command(hparams["system"], hparams)
    best = recover_best(hparams["model"], hparams["save_folder"], remedy)
    manifest = read_manifest(run / "test.csv", hparams["emotions"])
    _refuse_missing_corpus(manifest, hparams["data_folder"])
    grid = hparams["noise_grid"]
    bank = grid.bank
    if bank.holds_none_of_its_types():
        bank.noise_types = None
    bank.prepare()
    folder = _folder_with_protocol(run, grid, best, remedy)
    predictions = grid.predict(
        hparams["model"], manifest, hparams["data_folder"], device
    )
    for column, key in enumerate(("system", "seed", "fold")):
        predictions.insert(column, key, hparams[key])
    write_csv(predictions, folder / PREDICTIONS)
    write_csv(noise_grid(predictions), folder / NOISE_GRID)
    write_json(complexity(hparams["model"], device), folder / COMPLEXITY)
    return folder


def _folder_with_protocol(run, grid, best_epoch, remedy):
    """The run's folder, or one below it that names what differs."""
    bank = grid.bank
    protocol = read_protocol(run)
    if "noise_evaluated" not in protocol:
        raise InputError(
            f"{run}: was trained where its noise was not, so that it has no "
            "evaluation of its own. Give its training again with the noise "
            "recordings of this study, which takes a moment: "
            f"`{remedy} --noise_folder DIR`."
        )
    now = {
        "noise_evaluated": bank.checksums,
        "weighting": grid.weighting,
        "snrs_db": grid.snrs_db,
    }
    changed = {
        key: value for key, value in now.items() if protocol[key] != value
    }
    folder = run / "_".join(
        _name_of_change(key, value, bank.noise_folder)
        for key, value in changed.items()
    )
    folder.mkdir(exist_ok=True)
    now["noise_ranges_evaluated"] = {
        name: ranges["test"] for name, ranges in noise_ranges(bank).items()
    }
    now["noise_fingerprints"] = {
        **protocol.get("noise_fingerprints", {}),
        **bank.fingerprints,
    }
    now["best_epoch"] = best_epoch
    write_json({**protocol, **now}, folder / PROTOCOL)
    return folder


def _name_of_change(key, value, noise_folder):
    """E.g. noise_kitchen_1f2e3d, snr_0_5 or weighting_none."""
    if key == "noise_evaluated":
        digest = hashlib.sha256(str(sorted(value.items())).encode())
        name = pathlib.Path(noise_folder).resolve().name
        return f"noise_{name}_{digest.hexdigest()[:6]}"
    if key == "snrs_db":
        return "snr_" + "_".join(str(snr) for snr in value)
    return f"weighting_{value}"


def _refuse_missing_corpus(manifest, data_folder):
    """Name the option that is missing, rather than the first wav."""
    wavs = manifest["wav"].str.replace("$data_root", str(data_folder))
    missing = [wav for wav in wavs if not pathlib.Path(wav).is_file()]
    if missing:
        raise InputError(
            f"data_folder '{data_folder}' has not the {len(missing)} of "
            f"{len(wavs)} test utterances such as {missing[0]}; give the corpus "
            "that the run was trained on with --data_folder."
        )
