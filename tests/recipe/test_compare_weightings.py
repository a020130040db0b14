"""The script that compares the weightings, as docs/noise.md gives it.

Authors
 * The MLKD team 2026
"""

import runpy
import sys

import numpy as np
import pandas
import soundfile
from places import RECIPE
from portable_signals import low, speechlike

SCRIPT = RECIPE / "compare_weightings.py"


def test_the_table_is_written_into_the_page(tmp_path, monkeypatch):
    speech, noise = tmp_path / "speech", tmp_path / "noise"
    for folder, samples in ((speech, speechlike()), (noise, low())):
        folder.mkdir()
        soundfile.write(folder / "a.wav", samples.astype(np.float32), 16000)
    page = tmp_path / "page.md"
    page.write_text("<!-- begin weightings -->\n<!-- end weightings -->\n")
    arguments = [str(SCRIPT), str(speech), str(noise), "--into", str(page)]
    kept = tmp_path / "kept.csv.xz"
    monkeypatch.setattr(sys, "argv", [*arguments, "--keep", str(kept)])
    script = runpy.run_path(str(SCRIPT), run_name="__main__")
    assert script["table"](pandas.read_csv(kept)) in page.read_text()
    header, _, row = page.read_text().splitlines()[1:4]
    assert header == "| noise | band_4khz | g712 |"
    # FANT's own gains for these two signals differ by 0.03 and 5.27 dB
    name, band, telephone = row.strip("| ").split(" | ")
    assert name == "a"
    assert abs(float(band.split()[0]) - 0.03) < 0.15
    assert abs(float(telephone.split()[0]) - 5.27) < 0.3
