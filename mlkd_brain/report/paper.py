"""What the paper measured, and how far a study is from it.

Only numbers that are known stand here: Table 1, two means of Table 2, and the
cost of the student beside its teacher's.

Source: "Multi-Level Knowledge Distillation for Speech Emotion Recognition in
Noisy Conditions", Interspeech 2023, https://arxiv.org/abs/2312.13556.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.names import CLEAN

CORPUS = "IEMOCAP"
FOLDS = 10
SNRS_DB = (0, 5, 10, 15, 20, CLEAN)
#: UA in percent under factory noise, at ``SNRS_DB``.
FACTORY = {
    "teacher": dict(zip(SNRS_DB, (41.0, 54.0, 65.0, 71.6, 75.8, 77.8))),
    "student_unsupervised": dict(
        zip(SNRS_DB, (57.9, 61.7, 65.1, 67.8, 68.0, 72.2))
    ),
    "student": dict(zip(SNRS_DB, (64.0, 66.1, 68.5, 69.1, 69.6, 73.9))),
}
#: Mean UA in percent over five noises and five SNRs.
MEAN = {"vad_nmf": 49.0, "student": 67.5}
MEAN_NOTE = (
    "the paper's Table 2 repeats the baseline's 10 dB row as its mean; the mean "
    "of its cells is 49.0, so that the student gains 18.51 points on average, "
    "not 18.23"
)
SIZE_MIB = {"teacher": 360, "student": 198, "student_unsupervised": 198}
#: Time of a forward pass, teacher = 1.
RELATIVE_TIME = {"teacher": 1.0, "student": 0.48, "student_unsupervised": 0.48}


def beside(protocols):
    """How the paper's numbers may be read beside these, in words.

    Arguments
    ---------
    protocols : list of dict
        Of the study.

    Returns
    -------
    str
        e.g. "paper: IEMOCAP, 10 folds; here EmoDB, so that the difference
        compares no like with like".

    Example
    -------
    >>> beside([{"corpus": "IEMOCAP"}])
    'paper: IEMOCAP, 10 folds'
    """
    own = (
        ", ".join(corpora(protocols)) or "a corpus that no protocol.json names"
    )
    said = f"paper: {CORPUS}, {FOLDS} folds"
    if own == CORPUS:
        return said
    return f"{said}; here: {own}, so the difference is no comparison of methods"


def corpora(protocols):
    """Names of the corpora, as the runs say."""
    return sorted({c["corpus"] for c in protocols if c.get("corpus")})
