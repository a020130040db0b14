"""The command ``mlkd random-encoder``: the embedded encoder, untrained.

Authors
 * The MLKD team 2026
"""

import argparse


def main(argv: list[str]) -> None:
    """Write the encoder.

    Arguments
    ---------
    argv : list of str
        Options of the command.
    """
    parser = argparse.ArgumentParser(
        prog="mlkd random-encoder",
        description="Write the embedded encoder with random weights.",
    )
    parser.add_argument("folder", help="can be given as --encoder_hub")
    parser.add_argument(
        "--seed", type=int, required=True, help="of the weights"
    )
    options = parser.parse_args(argv)
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.method.embedded import save_random_encoder

    save_random_encoder(options.folder, options.seed)
