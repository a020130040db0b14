"""Names that several folders share: the files of a run, and the clean condition.

Authors
 * The MLKD team 2026
"""

SAMPLE_RATE = 16000  # Hz; every encoder of the wav2vec 2.0 family expects it
UNLABELLED = -100  # in place of a class index, as torch has it
CLEAN = "clean"  # the condition without noise, in predictions.csv and tables

#: What is particular to a corpus, beside the yaml files that recipes share.
CORPUS = "corpus.yaml"

#: Files in the folder of a run, ``<results>/<system>/<seed>/fold_<k>``.
HPARAMS = "hyperparams.yaml"
PROTOCOL = "protocol.json"
LABELS = "label_encoder.txt"  # below save/
TRAIN_LOG = "train_log.txt"
PREDICTIONS = "predictions.csv"
NOISE_GRID = "noise_grid.csv"
COMPLEXITY = "complexity.json"
VALIDATION = "validation.csv"

#: In a checkpoint: what the best epoch is chosen by, UA and then minus the loss.
SELECTION = "selection"
TIES = "lowest loss"  # of epochs with the same UA, in a protocol
