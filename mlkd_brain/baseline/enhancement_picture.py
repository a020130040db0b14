"""The picture of ``mlkd enhancement-gain``.

Authors
 * The MLKD team 2026
"""

from matplotlib.figure import Figure

from mlkd_brain.audio import SAMPLE_RATE
from mlkd_brain.noise.picture import RANGE_DB, save, spectrogram


def draw_enhancement(columns, path):
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
    spectra = {
        title: {name: spectrogram(wav.numpy()) for name, wav in rows.items()}
        for title, rows in columns.items()
    }
    (*_, wav), *_ = [list(rows.values()) for rows in columns.values()]
    brightest = max(s.max() for rows in spectra.values() for s in rows.values())
    figure = Figure(figsize=(12, 8), layout="constrained")
    height = len(next(iter(columns.values())))
    panels = figure.subplots(
        height, len(columns), sharex=True, sharey=True, squeeze=False
    )
    for column, (title, rows) in zip(panels.T, spectra.items()):
        for panel, (name, spectrum) in zip(column, rows.items()):
            image = panel.imshow(
                spectrum,
                extent=(0, len(wav) / SAMPLE_RATE, 0, SAMPLE_RATE / 2000),
                aspect="auto",
                origin="lower",
                cmap="magma",
                vmin=brightest - RANGE_DB,
                vmax=brightest,
            )
            panel.set(title=name)
        column[0].set(title=f"{title}\n{column[0].get_title()}")
        column[-1].set(xlabel="time [s]")
    for panel in panels[:, 0]:
        panel.set(ylabel="frequency [kHz]")
    figure.colorbar(image, ax=panels, label="power density [dB]")
    save(figure, path)
