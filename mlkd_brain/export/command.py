"""The command ``mlkd export``: a trained model for other programs.

    mlkd export results/student/1986/fold_3 --to hf --out DIR

    hf             for transformers: AutoModelForAudioClassification, pipeline
    onnx           for onnxruntime, float32
    onnx-int8      for onnxruntime, the transformer's products in 8 bits
    onnx-weights8  for OpenVINO, all weights in 8 bits, the smallest and fastest
    speechbrain    for mlkd_brain.inference.recognizer.EmotionRecognizer

The best epoch is exported, without its teacher; nothing is pickled.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.commands import command_parser
from mlkd_brain.inference.command import add_trust

FORMATS = ("hf", "onnx", "onnx-int8", "onnx-weights8", "speechbrain")


def main(argv):
    """Read the command line and export.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        See ``mlkd_brain.export.formats.export``.
    """
    parser = command_parser("export", __doc__)
    parser.add_argument("run_folder", help="e.g. results/student/1986/fold_3")
    parser.add_argument("--to", required=True, choices=FORMATS)
    parser.add_argument("--out", required=True, help="folder that is made")
    add_trust(parser)
    options = parser.parse_args(argv)
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.export.formats import export
    from mlkd_brain.inference.rebuild import trust

    trust(*options.trust)
    export(options.run_folder, options.to, options.out)
    print(f"wrote {options.out}")
