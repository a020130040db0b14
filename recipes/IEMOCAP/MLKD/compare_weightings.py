#!/usr/bin/env python3
"""How much more noise each weighting adds than no weighting, in dB.

For real speech and noise recordings, over the test part of each noise:
> python compare_weightings.py SPEECH_FOLDER NOISE_FOLDER

Authors
 * The MLKD team 2026
"""

import argparse
import pathlib
import tempfile

import numpy as np
import pandas
from hyperpyyaml import resolve_references
from mlkd_brain.audio import read_mono
from mlkd_brain.errors import InputError, cli_errors
from mlkd_brain.files import write_csv
from mlkd_brain.markdown import markdown_table, write_into
from mlkd_brain.noise.bank import NoiseBank
from mlkd_brain.noise.levels import WEIGHTINGS, gain_from_levels, speech_level
from mlkd_brain.noise.sampling import evaluation_sample
from mlkd_brain.run.plain_yaml import plain_values
from tqdm import tqdm

TEACHER = pathlib.Path(__file__).parent / "hparams" / "teacher.yaml"


def gains_db(paths, bank):
    """Gain of every noise for every utterance and weighting.

    Arguments
    ---------
    paths : list of pathlib.Path
        Utterances.
    bank : NoiseBank
        Prepared.

    Returns
    -------
    pandas.DataFrame
        ``ID, noise`` and, for each weighting, dB at an SNR of 0 dB.
    """
    rows = []
    for path in tqdm(paths, unit="utt"):
        speech = read_mono(path).numpy()
        levels = {w: speech_level(speech, w) for w in WEIGHTINGS}
        for noise in bank.types:
            position = evaluation_sample(path.stem, noise, 0).position
            segment = (noise, "test", position, len(speech))
            row = {"ID": path.stem, "noise": noise}
            for weighting, level in levels.items():
                added = bank.level(*segment, weighting)
                gain = gain_from_levels(level, added, 0)
                row[weighting] = 20 * np.log10(gain)
            rows.append(row)
    return pandas.DataFrame(rows).round(4)


def table(gains):
    """Mean, least and most of the differences, as Markdown."""
    rows = []
    for noise, part in gains.groupby("noise"):
        more = [part[w] - part[WEIGHTINGS[0]] for w in WEIGHTINGS[1:]]
        cells = (
            f"{d.mean():+.2f} [{d.min():+.2f} {d.max():+.2f}]" for d in more
        )
        rows.append([noise, *cells])
    return markdown_table(["noise", *WEIGHTINGS[1:]], rows)


def main():
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech_folder", type=pathlib.Path)
    parser.add_argument("noise_folder", type=pathlib.Path)
    parser.add_argument("--keep", help="CSV of each gain; .xz is compressed")
    parser.add_argument("--into", help="Markdown file to write the table into")
    options = parser.parse_args()
    paths = sorted(options.speech_folder.glob("*.wav"))
    if not paths:
        raise InputError(f"{options.speech_folder}: holds no wav file.")
    with tempfile.TemporaryDirectory() as cache:
        teacher = plain_values(resolve_references(TEACHER.read_text()))
        shares = teacher["noise_shares"]
        bank = NoiseBank(options.noise_folder, cache, shares=shares)
        bank.prepare()
        gains = gains_db(paths, bank)
    text = table(gains)
    print(f"{len(paths)} utterances; dB more noise than with weighting none")
    print(text)
    if options.keep:
        write_csv(gains, options.keep)
    if options.into:
        write_into(options.into, "weightings", text)


if __name__ == "__main__":
    with cli_errors():
        main()
