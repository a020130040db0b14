"""The command ``mlkd noise``: the picture of a mixture, and its levels.

Authors
 * The MLKD team 2026
"""

import argparse
import math
import pathlib

# those of mlkd_brain.noise.levels, which takes scipy and half a second
WEIGHTINGS = ("none", "band_4khz", "g712")


def main(argv: list[str]) -> None:
    """Read two recordings, draw their mixture, print the levels.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If a file cannot be read or written, or an option cannot be used.
    """
    options = _parser().parse_args(argv)
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.audio import read_checked
    from mlkd_brain.noise.picture import cut_segment, draw_mix, save

    speech = read_checked(options.speech).numpy()
    noise = read_checked(options.noise).numpy()
    segment = cut_segment(noise, options.start, len(speech))
    title = f"{options.speech.name} + {options.noise.name}"
    figure, summary = draw_mix(
        speech, segment, options.snr, options.weighting, title
    )
    save(figure, options.out)
    print(f"{summary}\n{options.out}")


def _decibels(text):
    """A number that argparse accepts for --snr."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of dB")
    return value


def _parser():
    parser = argparse.ArgumentParser(
        prog="mlkd noise",
        description="Draw clean speech, the noise as added, and the mixture.",
    )
    add = parser.add_argument
    add("speech", type=pathlib.Path, help="recording of clean speech")
    add("noise", type=pathlib.Path, help="recording of noise")
    add(
        "--snr", type=_decibels, required=True, help="signal-to-noise ratio, dB"
    )
    add("--weighting", choices=WEIGHTINGS, default="none", help="of the SNR")
    add(
        "--start", type=float, default=0.0, help="of the noise segment, seconds"
    )
    add("--out", type=pathlib.Path, required=True, help="picture, e.g. mix.png")
    return parser
