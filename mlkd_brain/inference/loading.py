"""A trained run as a model, without the pretrained encoder it started from.

Nothing of the run's hyperparams.yaml is executed: it is read as data, of which
``mlkd_brain.inference.rebuild`` builds the model alone. The teacher is never
built and no pretrained weights are looked for.

Authors
 * The MLKD team 2026
"""

import json
import pathlib
from typing import Any

from mlkd_brain.errors import InputError
from mlkd_brain.files import write_json
from mlkd_brain.inference.rebuild import rebuild
from mlkd_brain.method.encoders import SpeechEncoder
from mlkd_brain.method.teachers import recover_best, training_command
from mlkd_brain.names import HPARAMS, LABELS, PROTOCOL
from mlkd_brain.run.description import Built, describe_run
from mlkd_brain.run.protocol import read_protocol
from transformers import AutoConfig, AutoFeatureExtractor

from speechbrain.dataio.encoder import CategoricalEncoder

ENCODER_SETTINGS = "encoder.json"
#: Names of the encoder in a run's yaml: today's, and that of earlier runs.
ENCODERS = (
    "mlkd_brain.method.encoders.SpeechEncoder",
    "mlkd_brain.method.lobes.SpeechEncoder",
)


class EncoderFromConfig:
    """Makes a ``SpeechEncoder`` whose weights are still to be loaded.

    Arguments
    ---------
    config : dict
        Of a transformers model, with its ``model_type``; its number of layers
        is that of the blocks that were kept.
    normalize_wav : bool
        Whether the model expects waveforms of zero mean and unit variance.

    Example
    -------
    >>> source = SpeechEncoder(getfixture("tiny_wav2vec2"), kept_layers=[2])
    >>> encoder = EncoderFromConfig(**encoder_settings(source))
    >>> keys = encoder.load_state_dict(source.state_dict())
    >>> import torch
    >>> wav = torch.randn(1, 8000)
    >>> torch.equal(encoder.eval()(wav).last, source.eval()(wav).last)
    True
    """

    def __new__(cls, config: dict, normalize_wav: bool) -> SpeechEncoder:
        """The encoder; a class, since yaml files build classes."""
        return SpeechEncoder.from_config(config, normalize_wav)


def encoder_settings(encoder: SpeechEncoder) -> dict[str, Any]:
    """Arguments with which ``EncoderFromConfig`` builds an encoder anew.

    Arguments
    ---------
    encoder : SpeechEncoder
        Any.

    Returns
    -------
    dict
        ``config`` and ``normalize_wav``, ready for json or yaml.
    """
    return _settings(encoder.model.config, encoder.normalize_wav)


def keep_encoder_settings(
    encoder: SpeechEncoder, save_folder: str | pathlib.Path
) -> None:
    """Write the encoder's configuration beside a run's checkpoints.

    With it the run can be exported where its pretrained encoder is not.

    Arguments
    ---------
    encoder : SpeechEncoder
        Of the run's model.
    save_folder : str or pathlib.Path
        Of the run.
    """
    path = pathlib.Path(save_folder) / ENCODER_SETTINGS
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(encoder_settings(encoder), path)


class TrainedRun:
    """A run's best epoch: ``model``, ``emotions`` and ``protocol``.

    ``described`` is what the run's yaml says of the model: the class that was
    trained, and its arguments.

    Arguments
    ---------
    folder : str or pathlib.Path
        The run's ``output_folder``.

    Raises
    ------
    InputError
        If the folder holds no trained run, or one without an encoder; if its
        model may not be built (see ``mlkd_brain.inference.rebuild``), or the
        encoder's configuration is nowhere to be found.
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.folder = pathlib.Path(folder)
        _refuse_other_folders(self.folder)
        self.hparams = describe_run(self.folder)
        self.label_encoder = _read_labels(self.folder / "save" / LABELS)
        self.emotions = labels_in_order(self.label_encoder)
        self.described = _model_with_encoder(self.hparams, self.folder)
        given = {
            "encoder": EncoderFromConfig(**self._encoder_settings()),
            "n_classes": len(self.emotions),
        }
        self.model = rebuild(self.described, given, self.folder).eval()
        remedy = training_command(self.hparams["system"], self.hparams)
        best = recover_best(self.model, self.folder / "save", remedy)
        self.protocol = {**read_protocol(self.folder), "best_epoch": best}

    def _encoder_settings(self):
        kept = self.folder / "save" / ENCODER_SETTINGS
        if kept.is_file():
            return _read_json(kept)
        encoder = self.described.arguments["encoder"].arguments
        return _settings_of_source(
            encoder["source"], encoder.get("kept_layers")
        )


def _read_labels(path):
    encoder = CategoricalEncoder()
    try:
        encoder.load(path)
        if encoder.lab2ind:
            return encoder
    except (OSError, ValueError, RuntimeError, SyntaxError, KeyError):
        pass
    raise _damaged(path)


def _read_json(path):
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if {"config", "normalize_wav"} <= settings.keys():
            return settings
    except (OSError, ValueError, AttributeError):
        pass
    raise _damaged(path)


def _damaged(path):
    return InputError(
        f"{path}: is damaged. Put a copy in its place, or give the command of "
        "the training again, which writes it anew."
    )


def labels_in_order(label_encoder: CategoricalEncoder) -> list[str]:
    """Names of the classes, in the order of the logits.

    Example
    -------
    >>> encoder = CategoricalEncoder()
    >>> encoder.update_from_iterable(["sad", "ang"])
    >>> labels_in_order(encoder)
    ['sad', 'ang']
    """
    return [name for _, name in sorted(label_encoder.ind2lab.items())]


def _refuse_other_folders(folder):
    for name in (HPARAMS, PROTOCOL, f"save/{LABELS}"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: is no trained run, {name} is missing; give the "
                "output_folder of a run, e.g. results/student/1986/fold_3."
            )


def _model_with_encoder(hparams, folder):
    """What the yaml says of the model, whose encoder has to be ours."""
    model = hparams.get("model")
    arguments = model.arguments if isinstance(model, Built) else None
    if not isinstance(arguments, dict) or "encoder" not in arguments:
        raise InputError(
            f"{folder}: system {hparams.get('system')} has no encoder; only the "
            "neural systems can be exported. Give the folder of a teacher or a "
            "student."
        )
    encoder = arguments["encoder"]
    if not isinstance(encoder, Built) or encoder.class_name not in ENCODERS:
        raise InputError(
            f"{folder}: its yaml builds an encoder of its own; only a "
            f"{ENCODERS[0]} is built again without its pretrained weights. Score "
            "such a run with evaluate.py."
        )
    return model


def _settings_of_source(source, kept_layers):
    """Settings of a pretrained encoder; only its configuration is read."""
    try:
        config = AutoConfig.from_pretrained(source)
        extractor = AutoFeatureExtractor.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{source}: its config.json and preprocessor_config.json cannot be "
            f"read ({str(error).splitlines()[0]}). The run keeps no copy in "
            f"save/{ENCODER_SETTINGS}; put the encoder back where it was."
        ) from None
    config.apply_spec_augment = False
    config.layerdrop = 0.0
    if kept_layers is not None:
        config.num_hidden_layers = len(kept_layers)
    return _settings(config, getattr(extractor, "do_normalize", False))


def _settings(config, normalize_wav):
    # through json: what differs from the defaults, as plain data
    plain = json.loads(config.to_json_string(use_diff=True))
    for key in ("transformers_version", "_name_or_path", "architectures"):
        plain.pop(key, None)
    return {"config": plain, "normalize_wav": bool(normalize_wav)}
