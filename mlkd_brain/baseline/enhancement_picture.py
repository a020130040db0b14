"""The picture of ``mlkd enhancement-gain``.

Authors
 * The MLKD team 2026
"""

import pathlib

import torch
from matplotlib.figure import Figure
from mlkd_brain.noise.picture import draw_spectrograms, save


def draw_enhancement(
    columns: dict[str, dict[str, torch.Tensor]], path: str | pathlib.Path
) -> None:
    """Spectrograms of clean, noisy and enhanced speech, below each other.

    Arguments
    ---------
    columns : dict
        Title to rows, each a dict of title to waveform, (time,), at 16 kHz; all
        of one length.
    path : str or pathlib.Path
        Picture to write.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    figure = Figure(figsize=(12, 8), layout="constrained")
    shape = len(next(iter(columns.values()))), len(columns)
    panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
    for column, (title, rows) in zip(panels.T, columns.items()):
        wavs = {name: wav.numpy() for name, wav in rows.items()}
        draw_spectrograms(column, wavs)
        column[0].set(title=f"{title}\n{column[0].get_title()}")
    save(figure, path)
