"""A small study for the demo page: three systems, noise, a test speaker.

Authors
 * The MLKD team 2026
"""

import numpy as np
import soundfile
from exported_runs import fabricate_run
from portable_signals import speechlike

RATE = 16000
SYSTEMS = ["teacher", "student_unsupervised", "student"]
SETTINGS = """\
weighting: none
noise_shares: {{train: 0.6, valid: 0.2, test: 0.2}}
noise_folder: {folder}/noise
"""


def tone(hz, seconds):
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def fabricate_demo_study(folder, encoder):
    """Folder of results; beside it data/ and noise/, where its yaml looks.

    The noise "tones" is 500 Hz in what training uses, 3000 Hz in the test part.
    """
    for name in ("noise", "data"):
        (folder / name).mkdir()
    tones = np.concatenate([tone(500, 8), tone(3000, 2)])
    soundfile.write(folder / "noise" / "tones.wav", tones, RATE)
    hiss = np.random.default_rng(0).uniform(-0.1, 0.1, 10 * RATE)
    soundfile.write(folder / "noise" / "hiss.wav", hiss, RATE)
    rows = ["ID,wav,emo"]
    for i, emotion in enumerate(("ang", "sad")):
        wav = speechlike(seconds=1.5 + i)
        soundfile.write(folder / "data" / f"u{i}.wav", wav, RATE)
        rows.append(f"u{i},$data_root/u{i}.wav,{emotion}")
    results = folder / "results"
    for seed, system in enumerate(SYSTEMS):
        run = results / system / "1986" / "fold_3"
        fabricate_run(run, encoder, seed)
        yaml = run / "hyperparams.yaml"
        text = yaml.read_text().replace(
            "!apply:os.getenv [EMODB_ROOT, data/EmoDB]",
            f"!apply:os.getenv [NO_SUCH_VARIABLE, {folder}/data]",
        )
        yaml.write_text(text + SETTINGS.format(folder=folder))
        (run / "test.csv").write_text("\n".join(rows) + "\n")
    return results
