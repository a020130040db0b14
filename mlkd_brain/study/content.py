"""What a run is made from, so that a finished one is known when it is seen.

Authors
 * The MLKD team 2026
"""

import pathlib

import yaml
from hyperpyyaml import resolve_references

from mlkd_brain.data.folds import fold_speakers
from mlkd_brain.data.manifests import read_speakers
from mlkd_brain.fingerprint import (
    fingerprint,
    fingerprint_code,
    fingerprint_folder,
)
from mlkd_brain.method.embedded import EMBEDDED, FOLDER
from mlkd_brain.run.experiment import load_hparams
from mlkd_brain.run.protocol import CHANGEABLE, plain_values
from mlkd_brain.study.definition import top_level_keys

EPOCHS = "number_of_epochs"
ELSEWHERE = CHANGEABLE - {EPOCHS}  # keys that change no number
ENCODER = "wav2vec2_hub"  # told by its weights, not by its place
EACH = ("seed", "fold", "teacher_folder")  # of runs that are alike otherwise
BY_HAND = "trained by hand"
#: Folders of the library whose code decides on the numbers of a run.
RUN_CODE = ("noise", "data", "run", "method", "evaluation")


class Contents:
    """The content of every run of a study.

    The corpus and the noise are prepared on the way, and every yaml is built
    once, so that bad input is said before anything is trained.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        What to run.

    Raises
    ------
    InputError
        If options, corpus, noise, encoder or folds cannot be used.
    """

    def __init__(self, study):
        self.study = study
        self.of_systems = {}

    def of(self, run, needed=None):
        """What a run is made from.

        Arguments
        ---------
        run : mlkd_brain.study.definition.Run
            Of the study.
        needed : dict, optional
            Content of the run that it depends on.

        Returns
        -------
        dict
            ``hparams`` as plain data, and digests of ``encoder``,
            ``manifests``, ``noise``, ``code`` and of the content of what it
            ``depends_on``.
        """
        alike = (run.yaml, *(p for p in run.overrides if p[0] not in EACH))
        if alike not in self.of_systems:
            self.of_systems[alike] = self._of_system(run)
        content = self.of_systems[alike]
        return {
            **content,
            "hparams": {
                **content["hparams"],
                "seed": run.seed,
                "fold": run.fold,
            },
            "depends_on": needed and fingerprint(needed),
        }

    def _of_system(self, run):
        file, hparams, _, overrides = load_hparams(run.options)
        corpus = (
            "data_folder",
            "manifest_folder",
            "allow_partial",
            "skip_prep",
        )
        hparams["prepare"](**{key: hparams[key] for key in corpus})
        manifests = pathlib.Path(hparams["manifest_folder"])
        speakers = list(read_speakers(manifests, hparams["emotions"]))
        for fold in self.study.settings["folds"]:
            fold_speakers(speakers, fold, hparams["validates_on"])
        hparams["noise_bank"].prepare()
        return {
            "hparams": settings(file, overrides),
            "encoder": encoder_digest(hparams.get(ENCODER)),
            "manifests": fingerprint_folder(manifests, "*.csv"),
            "noise": fingerprint(hparams["noise_bank"].checksums),
            "code": code_of(self.study.recipe / run.script, file),
        }


def settings(hparams_file, overrides):
    """Keys and values of a yaml that a run's numbers rest on.

    What is made from other keys is left to ``code_of``, where something
    is to nobody; unless an option takes its place, as ``--vad null``.
    """
    text = pathlib.Path(hparams_file).read_text(encoding="utf-8")
    built = {
        key.value for key, value in yaml.compose(text).value if is_built(value)
    } - top_level_keys(overrides or "")
    return {
        key: value
        for key, value in plain_values(
            resolve_references(text, overrides)
        ).items()
        if key not in ELSEWHERE | {ENCODER} | built
        and not key.endswith("_folder")
    }


def encoder_digest(hub):
    """Digest of an encoder's files; its name where it is of the hub.

    None of a system that has no encoder.
    """
    if hub is None:
        return None
    return fingerprint_folder(FOLDER if hub == EMBEDDED else hub)


def code_of(script, hparams_file):
    """Fingerprint of the code that a run executes.

    Arguments
    ---------
    script : pathlib.Path
        Trains the run.
    hparams_file : str or pathlib.Path
        Its yaml.

    Returns
    -------
    str
        Changes with the script, the objects of the yaml, and the folders of
        this library that a run passes through.
    """
    text = pathlib.Path(hparams_file).read_text(encoding="utf-8")
    baseline = ("baseline",) if "mlkd_brain.baseline." in text else ()
    code = fingerprint_code(*RUN_CODE, *baseline, files=(script,))
    return fingerprint([code, _objects(text)])


def differences(then, now):
    """Which parts of two contents differ, hyper-parameters by name.

    The code of a run that was trained by hand is not known, nor asked for.

    Example
    -------
    >>> then = {"hparams": {"lr": 1, "seed": 1}, "code": "a"}
    >>> differences(then, {"hparams": {"lr": 2, "seed": 1}, "code": "b"})
    ['lr', 'code']
    """
    before, after = then.get("hparams", {}), now["hparams"]
    keys = sorted(before.keys() | after.keys())
    return [
        *(key for key in keys if before.get(key) != after.get(key)),
        *(
            key
            for key in now
            if key != "hparams" and then.get(key) not in (now[key], BY_HAND)
        ),
    ]


def _objects(text):
    """What a yaml builds; its plain values are told by ``settings``."""
    nodes = yaml.compose(text)
    nodes.value = [pair for pair in nodes.value if is_built(pair[1])]
    return yaml.serialize(nodes)


def is_built(node):
    """Whether a value of a yaml is, or holds, an object or a reference."""
    parts = [] if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(node, yaml.MappingNode):
        parts = [value for _, value in parts]
    tagged = not node.tag.startswith("tag:yaml.org")
    return tagged or any(map(is_built, parts))
