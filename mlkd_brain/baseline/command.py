"""The command ``mlkd enhancement-gain``: how much the enhancement gains, in dB.

    mlkd enhancement-gain hparams/vad_nmf.yaml --into README.md

Authors
 * The MLKD team 2026
"""

import argparse

from mlkd_brain.files import write_csv
from mlkd_brain.markdown import around, write_into


def main(argv: list[str]) -> None:
    """Print the table, and write table and picture where they are wanted.

    Arguments
    ---------
    argv : list of str
        Options of the command, then those of a training script.

    Raises
    ------
    InputError
        If the yaml, its data or the Markdown file cannot be used.
    """
    options, rest = _parser().parse_known_args(argv)
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.baseline.enhancement_gain import (
        examples,
        gain_table,
        gains,
        prepared,
    )
    from mlkd_brain.baseline.enhancement_picture import draw_enhancement

    with prepared(rest) as hparams:
        if options.into:
            around(options.into, options.marker)
        if options.picture:
            columns = examples(hparams, options.shown, options.snrs[0])
            draw_enhancement(columns, options.picture)
        gained = gains(hparams, options.snrs)
        table = gain_table(gained)
        print(table)
        if options.keep:
            write_csv(gained, options.keep)
        if options.into:
            write_into(options.into, options.marker, table)


def _parser():
    parser = argparse.ArgumentParser(
        prog="mlkd enhancement-gain",
        description="How much nearer to clean speech the enhancement brings "
        "a noisy utterance.",
        epilog="The yaml of the baseline and other options are those of its "
        "training script.",
    )
    add = parser.add_argument
    add("--snrs", type=float, nargs="+", default=[0.0], help="dB; 0 by default")
    add("--keep", help="CSV of each gain; .xz is compressed")
    add("--into", help="Markdown file to write the table into")
    add("--marker", default="enhancement", help="place in that file")
    add("--picture", help="of one utterance, e.g. gain.png")
    add("--shown", nargs="+", default=["white"], help="noises of the picture")
    return parser
