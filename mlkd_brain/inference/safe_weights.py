"""Weights that can be loaded without running anybody's code.

A pickle runs code when it is read. From a source that is not a local folder
only safetensors are loaded, and only classes that ``mlkd export`` uses are built.

Authors
 * The MLKD team 2026
"""

from typing import Any

import yaml
from mlkd_brain.errors import InputError
from safetensors import SafetensorError
from safetensors.torch import load_file

from speechbrain.utils.fetching import FetchFrom, fetch, guess_source
from speechbrain.utils.parameter_transfer import Pretrainer

PICKLED = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
#: Tags that the hyperparams.yaml of a remote source may have.
HARMLESS = {
    "!ref",
    "!new:mlkd_brain.method.lobes.EmotionClassifier",
    "!new:mlkd_brain.inference.safe_weights.SafePretrainer",
    "!new:mlkd_brain.inference.loading.EncoderFromConfig",
    "!new:speechbrain.dataio.encoder.CategoricalEncoder",
}


class SafePretrainer(Pretrainer):
    """Loads files of one folder, weights from safetensors.

    Arguments
    ---------
    loadables : dict
        Key to the object that is filled.
    files : dict
        Key to the file's name in the folder or repository that is loaded from.

    Example
    -------
    >>> import torch
    >>> from safetensors.torch import save_file
    >>> folder = getfixture("tmp_path")
    >>> saved, loaded = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> save_file(saved.state_dict(), folder / "model.safetensors")
    >>> pretrainer = SafePretrainer(
    ...     {"model": loaded}, {"model": "model.safetensors"}
    ... )
    >>> pretrainer.collect_files(default_source=str(folder))
    >>> pretrainer.load_collected()
    >>> torch.equal(saved.weight, loaded.weight)
    True
    """

    def __init__(self, loadables: dict, files: dict[str, str]) -> None:
        super().__init__(loadables=loadables)
        self.files = files
        self.add_custom_hooks(
            {
                name: _load_weights
                for name, file in files.items()
                if file.endswith(".safetensors")
            }
        )

    def collect_files(self, default_source: Any, **options: Any) -> None:
        """Fetch the files, unless they are pickled and not local.

        Arguments
        ---------
        default_source : str or FetchSource
            Folder, repository of the hub, or address.
        **options
            For ``speechbrain.utils.fetching.fetch``.

        Raises
        ------
        InputError
            If a file from elsewhere could run code.
        """
        for name, file in self.files.items():
            if not is_local(default_source) and file.endswith(PICKLED):
                raise InputError(
                    f"{guess_source(default_source)[1]}: {file} is a pickle, which "
                    "can run code, and comes from elsewhere; only safetensors "
                    "are loaded from a source that is not a local folder."
                )
            path = fetch(file, default_source, self.collect_in, **options)
            self.paths[name] = str(path)
            self.is_local.append(name)


def _load_weights(module, path):
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(
            f"{path}: cannot be loaded ({str(error).strip().splitlines()[0]}); "
            "it is damaged, or of another model. Export it again."
        ) from None


def is_local(source: Any) -> bool:
    """Whether a source is a folder of this machine.

    Example
    -------
    >>> is_local("."), is_local("https://example.org/model")
    (True, False)
    """
    return guess_source(source)[0] == FetchFrom.LOCAL


def refuse_harmful(hparams: str, source: Any) -> None:
    """Refuse a remote hyperparams.yaml that builds more than ours do.

    Arguments
    ---------
    hparams : str
        HyperPyYAML.
    source : str or FetchSource
        Where it comes from, for the message.

    Raises
    ------
    InputError
        Naming the tag.

    Example
    -------
    >>> refuse_harmful("modules: {model: !ref <model>}", "someone/model")
    >>> refuse_harmful("a: !apply:os.system [ls]", "someone/model")
    Traceback (most recent call last):
        ...
    mlkd_brain.errors.InputError: someone/model: its hyperparams.yaml asks for \
'!apply:os.system'. From a source that is not a local folder only what mlkd \
export writes is loaded, nothing pickled; read it, then give a local copy.
    """
    for event in yaml.parse(hparams, Loader=yaml.SafeLoader):
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in HARMLESS:
            raise InputError(
                f"{guess_source(source)[1]}: its hyperparams.yaml asks for '{tag}'. "
                "From a source that is not a local folder only what mlkd export "
                "writes is loaded, nothing pickled; read it, then give a local "
                "copy."
            )
