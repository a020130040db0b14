"""The command ``mlkd predict``: emotions of recordings.

    mlkd predict MODEL speech.wav more.flac
    mlkd predict MODEL FOLDER --csv > emotions.csv
    sox talk.mp3 -t wav - | mlkd predict MODEL - --window 4 --hop 1

MODEL is an exported folder (speechbrain, onnx, onnx-int8, onnx-weights8) or the
folder of a run. A file that cannot be used is named on standard error, the
others are classified, and the exit status is 1.

Authors
 * The MLKD team 2026
"""

import argparse

from mlkd_brain.commands import command_parser
from mlkd_brain.errors import InputError


def main(argv: list[str]) -> int:
    """Classify recordings.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If the model, an option or a folder of recordings cannot be used.

    Returns
    -------
    int
        Exit status: 1 if a recording could not be used.
    """
    options = _parser().parse_args(argv)
    if options.hop is not None and options.window is None:
        raise InputError("--hop needs --window, e.g. --window 4 --hop 1.")
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.audio import SAMPLE_RATE
    from mlkd_brain.inference.predict import predict, recordings
    from mlkd_brain.inference.rebuild import trust
    from mlkd_brain.inference.recognition import window_spans
    from mlkd_brain.inference.recognizer import load_recognizer

    hop = 1.0 if options.hop is None else options.hop
    if options.window is not None:
        window_spans(SAMPLE_RATE, options.window, hop)  # refuse before loading
    names = recordings(options.recordings)
    trust(*options.trust)
    recognizer = load_recognizer(options.model, options.device)
    return int(
        predict(recognizer, names, options.form, options.window, hop) > 0
    )


def _parser():
    parser = command_parser("predict", __doc__)
    parser.add_argument("model", help="exported folder, or folder of a run")
    parser.add_argument("recordings", nargs="+", metavar="FILE|DIR|-")
    forms = parser.add_mutually_exclusive_group()
    for form, text in (("csv", "with a header"), ("json", "an object a line")):
        forms.add_argument(
            f"--{form}",
            dest="form",
            action="store_const",
            const=form,
            default="text",
            help=text,
        )
    parser.add_argument("--window", type=float, help="seconds, for a timeline")
    parser.add_argument("--hop", type=float, help="seconds; 1 by default")
    parser.add_argument("--device", help="e.g. cpu; the GPU if there is one")
    add_trust(parser)
    return parser


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the option that names code of the user's, as export has it too."""
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own that defines the run's model; it is run",
    )
