"""What a run is made from: a finished run with the same content is skipped.

Authors
 * The MLKD team 2026
"""

import itertools
import pathlib
from typing import Any

import yaml
from hyperpyyaml import resolve_references
from mlkd_brain.data.folds import fold_speakers, read_groups
from mlkd_brain.data.manifests import read_speakers, recordings_of
from mlkd_brain.fingerprint import (
    fingerprint,
    fingerprint_code,
    fingerprint_folder,
    library_versions,
)
from mlkd_brain.method.embedded import EMBEDDED, FOLDER
from mlkd_brain.run.experiment import load_hparams, prepare_corpus
from mlkd_brain.run.plain_yaml import plain_values, top_level_keys
from mlkd_brain.run.protocol import CHANGEABLE, device_kind
from mlkd_brain.study.definition import Run, Study

EPOCHS = "number_of_epochs"
ENCODER = "encoder_hub"  # its files count, not the name of their folder
#: Keys that may differ between two runs of equal content.
IGNORED = CHANGEABLE - {EPOCHS} | {ENCODER}
PER_RUN = ("seed", "fold", "teacher_folder")  # differ among a system's runs
BY_HAND = "trained by hand"  # in the place of an unknown code
#: Folders of the library whose code decides on the numbers of a run.
RUN_CODE = ("noise", "data", "run", "method", "evaluation")
#: Packages that compute those numbers.
LIBRARIES = ("torch", "transformers", "speechbrain", "scikit-learn", "numpy")


class StudyContent:
    """The content of every run of a study.

    Corpus and noise are prepared on the way and each yaml is built once, so
    that bad input is refused before anything is trained.

    Arguments
    ---------
    study : mlkd_brain.study.definition.Study
        What to run.

    Raises
    ------
    InputError
        If options, corpus, noise, encoder or folds cannot be used.
    """

    def __init__(self, study: Study):
        self.study = study
        self.systems: dict[tuple, dict] = {}

    def for_run(self, run: Run, dependency: dict | None = None) -> dict:
        """Content of a run.

        Arguments
        ---------
        run : mlkd_brain.study.definition.Run
            Of the study.
        dependency : dict, optional
            Content of the run that it depends on.

        Returns
        -------
        dict
            ``hparams`` as plain data; fingerprints of the other parts.
        """
        shared = (p for p in run.overrides if p[0] not in PER_RUN)
        system = (run.yaml, *shared)
        if system not in self.systems:
            self.systems[system] = self._for_system(run)
        content = dict(self.systems[system])
        own = {"seed": run.seed, "fold": run.fold}
        content["hparams"] = {**content["hparams"], **own}
        content["depends_on"] = dependency and fingerprint(dependency)
        return content

    def _for_system(self, run: Run) -> dict:
        file, hparams, _, overrides = load_hparams(run.options)
        encoder = hparams.get(ENCODER)  # the baseline has none
        encoder = FOLDER if encoder == EMBEDDED else encoder
        prepare_corpus(hparams["prepare"], hparams)
        manifests = pathlib.Path(hparams["manifest_folder"])
        groups = read_groups(
            read_speakers(manifests, hparams["emotions"]),
            hparams["fold_groups"],
        )
        for fold in self.study.settings["folds"]:
            fold_speakers(groups, fold, hparams["validates_on"])
        hparams["noise_bank"].prepare()
        rooms = hparams.get("reverberation")
        if rooms is not None:
            rooms.prepare()
        speech = hparams.get("unlabelled")
        if speech is not None:
            speech.prepare()
        return {
            "hparams": settings(file, overrides),
            "unlabelled": speech and speech.facts,
            "impulse_responses": rooms and fingerprint(rooms.checksums),
            "encoder": encoder and fingerprint_folder(encoder),
            "manifests": fingerprint_folder(manifests, "*.csv"),
            "recordings": recordings_of(manifests),
            "noise": fingerprint(hparams["noise_bank"].checksums),
            "code": code_of(self.study.recipe / run.script, file),
            "versions": library_versions(*LIBRARIES),
            # that of the machine where it will run, unless one is asked for
            "device": device_kind(_word_after("--device", run.options)),
        }


def _word_after(option, words):
    """The value of an option, None without it."""
    return dict(itertools.pairwise(words)).get(option)


def settings(hparams_file: str | pathlib.Path, overrides: str) -> dict:
    """Keys and values of a yaml that a run's numbers rest on.

    What the yaml builds from other keys belongs to ``code_of``, unless an
    override puts a plain value in its place, as ``--vad null``.

    Arguments
    ---------
    hparams_file : str or pathlib.Path
        The yaml.
    overrides : str
        Of its keys, as yaml.
    """
    text = pathlib.Path(hparams_file).read_text(encoding="utf-8")
    pairs = yaml.compose(text).value
    built = {key.value for key, value in pairs if _is_built(value)}
    left_out = IGNORED | (built - top_level_keys(overrides or ""))
    values = plain_values(resolve_references(text, overrides)).items()
    kept = ((k, v) for k, v in values if not k.endswith("_folder"))
    return {key: value for key, value in kept if key not in left_out}


def code_of(script: pathlib.Path, hparams_file: str | pathlib.Path) -> str:
    """Fingerprint of a run's code: script, library, objects of the yaml.

    Arguments
    ---------
    script : pathlib.Path
        Trains the run.
    hparams_file : str or pathlib.Path
        Its yaml.
    """
    text = pathlib.Path(hparams_file).read_text(encoding="utf-8")
    baseline = ("baseline",) if "mlkd_brain.baseline." in text else ()
    objects = yaml.compose(text)
    objects.value = [pair for pair in objects.value if _is_built(pair[1])]
    code = fingerprint_code(*RUN_CODE, *baseline, files=(script,))
    return fingerprint([code, yaml.serialize(objects)])


def differences(before: dict, now: dict) -> list[str]:
    """Which parts of two contents differ, hyper-parameters by name.

    Example
    -------
    >>> before = {"hparams": {"lr": 1, "seed": 1}, "code": "a"}
    >>> differences(before, {"hparams": {"lr": 2, "seed": 1}, "code": "b"})
    ['lr', 'code']
    """
    old, new = before.get("hparams", {}), now["hparams"]
    keys = sorted(old.keys() | new.keys())
    other = [key for key in keys if old.get(key) != new.get(key)]
    # what is unknown never differs: the code of a run that was trained by hand,
    # and what an earlier version did not record
    known = [k for k in now if before.get(k, BY_HAND) != BY_HAND]
    parts = [key for key in known if before[key] != now[key]]
    return other + [key for key in parts if key != "hparams"]


def keeps(other: list[str], changed: str) -> bool:
    """Whether --changed keep accepts these differences: code and libraries.

    Example
    -------
    >>> keeps(["code"], "keep"), keeps(["lr"], "keep"), keeps(["code"], "redo")
    (True, False, False)
    """
    return changed == "keep" and set(other) <= {"code", "versions"}


def _is_built(node: Any) -> bool:
    """Whether a value of a yaml is, or holds, an object or a reference."""
    parts = [] if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(node, yaml.MappingNode):
        parts = [value for _, value in parts]
    return not node.tag.startswith("tag:yaml.org") or any(map(_is_built, parts))
