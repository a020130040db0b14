"""Emotions of recordings with a trained model.

    recognizer = EmotionRecognizer.from_hparams(source="exported/speechbrain")
    probabilities, score, index, text_lab = recognizer.classify_file("a.wav")

Authors
 * The MLKD team 2026
"""

import inspect
import pathlib
from typing import Any

import torch
from mlkd_brain.errors import InputError
from mlkd_brain.inference.loading import TrainedRun, labels_in_order
from mlkd_brain.inference.recognition import Recognition
from mlkd_brain.inference.safe_weights import is_local, refuse_harmful
from mlkd_brain.names import HPARAMS
from mlkd_brain.optional import refuse_missing_device

from speechbrain.inference.interfaces import Pretrained
from speechbrain.utils.fetching import fetch


class EmotionRecognizer(Recognition, Pretrained):
    """A trained model in torch, on the GPU if there is one.

    ``classify_file``, ``classify_batch`` and ``timeline``: see ``Recognition``.
    ``run_opts={"device": "cpu"}`` chooses the device.

    Arguments
    ---------
    *args, **kwargs
        Of ``speechbrain.inference.interfaces.Pretrained``; use ``from_hparams``
        or ``from_run``.
    """

    MODULES_NEEDED = ["model"]
    HPARAMS_NEEDED = ["label_encoder"]

    @classmethod
    def from_hparams(
        cls, source: Any, hparams_file: str = HPARAMS, **kwargs: Any
    ) -> "EmotionRecognizer":
        """Load what ``mlkd export --to speechbrain`` wrote.

        A local folder is loaded without any network call. From elsewhere
        nothing pickled is loaded and nothing but our own classes is built.

        Arguments
        ---------
        source : str or speechbrain.utils.fetching.FetchSource
            Local folder, repository of the hub, or address.
        hparams_file : str
            Its HyperPyYAML.
        **kwargs
            Of ``speechbrain.inference.interfaces.pretrained_from_hparams``.

        Raises
        ------
        InputError
            If a source that is not local could run code.
        """
        if not is_local(source):
            known = inspect.signature(fetch).parameters
            options = {k: v for k, v in kwargs.items() if k in known}
            path = fetch(hparams_file, source, **options)
            refuse_harmful(pathlib.Path(path).read_text("utf-8"), source)
        return super().from_hparams(source, hparams_file, **kwargs)

    @classmethod
    def from_run(
        cls, folder: str | pathlib.Path, **kwargs: Any
    ) -> "EmotionRecognizer":
        """Load the best epoch of a run, as the training scripts left it.

        Arguments
        ---------
        folder : str or pathlib.Path
            The run's ``output_folder``.
        **kwargs
            ``run_opts`` of ``Pretrained``.

        Raises
        ------
        InputError
            If the folder holds no trained run.
        """
        run = TrainedRun(folder)
        hparams = {"label_encoder": run.label_encoder}
        return cls(modules={"model": run.model}, hparams=hparams, **kwargs)

    @property
    def emotions(self) -> list[str]:
        """Names of the classes, in the order of the logits."""
        return labels_in_order(self.hparams.label_encoder)

    def logits(self, wavs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Unnormalised scores, see ``Recognition``."""
        wav_lens = lengths.to(self.device) / wavs.shape[1]
        return self.mods.model(wavs.to(self.device), wav_lens).logits

    def forward(self, wavs: Any, wav_lens: Any = None) -> tuple:
        """The same as ``classify_batch``."""
        return self.classify_batch(wavs, wav_lens)


def load_recognizer(
    folder: str | pathlib.Path, device: str | None = None
) -> Recognition:
    """Load whatever a folder holds: an export or a run.

    Arguments
    ---------
    folder : str or pathlib.Path
        Written by ``mlkd export`` (speechbrain, onnx, onnx-int8,
        onnx-weights8), or the ``output_folder`` of a run.
    device : str, optional
        Where to compute; the GPU if there is one, by default.

    Raises
    ------
    InputError
        If the folder holds nothing of these, or there is no such device.

    Returns
    -------
    EmotionRecognizer or OnnxRecognizer
    """
    folder = pathlib.Path(folder)
    if (folder / "model.onnx").is_file():
        # onnxruntime is optional
        from mlkd_brain.inference.onnx_recognizer import OnnxRecognizer

        return OnnxRecognizer(folder, device=device)
    refuse_missing_device(device)
    run_opts = {"device": device} if device else None
    if (folder / "save").is_dir():
        return EmotionRecognizer.from_run(folder, run_opts=run_opts)
    if (folder / HPARAMS).is_file():
        return EmotionRecognizer.from_hparams(str(folder), run_opts=run_opts)
    raise InputError(
        f"{folder}: is neither the folder of a run nor one that `mlkd export` "
        "wrote with --to speechbrain, onnx, onnx-int8 or onnx-weights8."
    )
