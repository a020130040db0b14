"""The command ``mlkd validate``: a run's noise grid, of its validation speaker.

Authors
 * The MLKD team 2026
"""

import argparse


def main(argv: list[str]) -> None:
    """Print the accuracy of a run's best epoch on its validation speaker.

    Arguments
    ---------
    argv : list of str
        The run's yaml and options, as its training script got them.

    Raises
    ------
    InputError
        If the run was not trained, or its data or noise cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="mlkd validate",
        usage="mlkd validate hparams/student.yaml --fold 3 [OPTION ...]",
        description="Score a trained run over the noise grid with its "
        "validation speaker, for choices between runs.",
        epilog="Other options are those of the training script.",
        allow_abbrev=False,
    )
    parser.add_argument("hparams_file", help="the yaml of the run")
    parser.parse_known_args(argv)
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.evaluation.validation import mean_over_snrs, validate_run
    from mlkd_brain.run.experiment import load_hparams
    from mlkd_brain.run.protocol import refuse_other_settings

    hparams_file, hparams, run_opts, overrides = load_hparams(argv)
    refuse_other_settings(hparams_file, overrides, hparams["output_folder"])
    table = validate_run(hparams, device=run_opts["device"])
    print(f"validation UA over noises and SNRs: {mean_over_snrs(table):.4f}")
