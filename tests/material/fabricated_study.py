"""A study as the scripts leave it, made up in a second: nothing is trained."""

import json
import pathlib

import numpy as np
import pandas

EMOTIONS = ["ang", "hap", "neu", "sad"]
SPEAKERS = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
FEMALE = {"08", "09", "13", "14", "16"}
NOISES = ["babble", "factory1"]
SNRS = [0, 10, 20]
#: How well a system knows clean speech, and how much it loses in noise.
SKILL = {
    "teacher": (2.6, 2.4),
    "vad_nmf": (2.0, 1.2),
    "student_unsupervised": (1.9, 0.9),
    "student_from_teacher": (2.1, 0.9),
    "student": (2.4, 0.8),
    "my_system": (2.2, 1.0),
}


class FabricatedStudy:
    """Runs of several systems below a folder.

    Arguments
    ---------
    folder : pathlib.Path
        Where ``<system>/<seed>/fold_<k>`` go.
    systems : list of str
        Names.
    folds, seeds : list of int
        Of every system.
    utterances : int
        Of each speaker.
    noises, snrs : list
        Of the test.
    """

    def __init__(
        self,
        folder,
        systems=("teacher", "student_unsupervised", "student"),
        folds=(1, 2, 3),
        seeds=(1986,),
        utterances=8,
        noises=NOISES,
        snrs=SNRS,
    ):
        self.folder = pathlib.Path(folder)
        self.utterances, self.noises, self.snrs = utterances, noises, snrs
        for system in systems:
            for seed in seeds:
                for fold in folds:
                    self.write_run(system, seed, fold)

    def folder_of(self, system, fold=1, seed=1986):
        return self.folder / system / str(seed) / f"fold_{fold}"

    def write_run(self, system, seed, fold):
        folder = self.folder_of(system, fold, seed)
        folder.mkdir(parents=True)
        speaker = SPEAKERS[fold - 1]
        manifest = self.manifest(speaker)
        manifest.to_csv(folder / "test.csv", index=False)
        table = self.predictions(system, seed, fold, manifest)
        table.to_csv(folder / "predictions.csv", index=False)
        self.write_json(
            folder / "protocol.json", self.protocol(system, seed, fold)
        )
        self.write_json(folder / "complexity.json", self.cost(system, fold))
        (folder / "train_log.txt").write_text(training_log(system, fold))

    def manifest(self, speaker):
        return pandas.DataFrame(
            {
                "ID": f"{speaker}_{number:02d}",
                "spk_id": speaker,
                "gender": "F" if speaker in FEMALE else "M",
                "style": "scripted" if number % 3 else "improvised",
                "emo": EMOTIONS[number % 4],
            }
            for number in range(self.utterances)
        )

    def predictions(self, system, seed, fold, manifest):
        random = np.random.default_rng([len(system), seed, fold])
        clear, noisy = SKILL[system]
        labels = manifest["emo"].map(EMOTIONS.index).to_numpy()
        # what is hard for one condition is hard for another
        hard = random.normal(size=(len(labels), 4))
        parts = []
        for noise in ("clean", *self.noises):
            for snr in [None] if noise == "clean" else self.snrs:
                lost = 0 if snr is None else noisy * (1.2 - snr / 20)
                logits = hard + 0.6 * random.normal(size=hard.shape)
                logits[range(len(labels)), labels] += clear - lost
                parts.append(self.table(manifest, noise, snr, 1.5 * logits))
        table = pandas.concat(parts)
        for place, item in enumerate(
            {"system": system, "seed": seed, "fold": fold}.items()
        ):
            table.insert(place, *item)
        return table

    def table(self, manifest, noise, snr, logits):
        chances = np.exp(logits)
        chances /= chances.sum(axis=1, keepdims=True)
        chances = chances.astype("float32")
        winners = [EMOTIONS[place] for place in chances.argmax(axis=1)]
        return (
            manifest[["ID", "spk_id"]]
            .assign(noise=noise, snr_db=snr, emo=manifest["emo"])
            .assign(predicted=winners)
            .assign(**{f"p_{e}": c for e, c in zip(EMOTIONS, chances.T)})
        )

    def protocol(self, system, seed, fold):
        test, valid = SPEAKERS[fold - 1], SPEAKERS[fold % 10]
        others = [name for name in SPEAKERS if name not in (test, valid)]
        recordings = {name: f"content of {name}" for name in self.noises}
        protocol = {
            "system": system,
            "seed": seed,
            "fold": fold,
            "corpus": "EmoDB",
            "encoder_hub": "/somewhere/encoder",
            "epochs_that_tie": "lowest loss",
            "weighting": "g712",
            "snrs_db": self.snrs,
            "speakers": {"train": others, "valid": [valid], "test": [test]},
            "utterances": {"test": self.utterances},
            "noise_evaluated": recordings,
            "noise_ranges_evaluated": {
                name: [256000, 320000] for name in recordings
            },
            "best_epoch": {"UA": 0.8, "epoch": 5 + fold % 3},
            "versions": {"torch": "2.11.0"},
        }
        if system == "teacher":
            return protocol
        parts = {"train": [0, 192000], "valid": [192000, 256000]}
        heard = {
            "noise_heard": recordings,
            "noise_ranges": dict.fromkeys(recordings, parts),
        }
        if system == "vad_nmf":
            return {
                **protocol,
                **heard,
                "encoder_hub": None,
                "best_epoch": {"UA": 0.8, "epoch": 1},
                "noise_heard_in": "its noise atoms alone",
            }
        return {
            **protocol,
            **heard,
            "teacher": {"UA": 0.8, "epoch": 3},
            "teacher_speakers": {"train": others, "valid": [valid]},
        }

    def cost(self, system, fold):
        blocks = 12 if system == "teacher" else 6
        return {
            "parameters": 10_000_000 + 7_000_000 * blocks,
            "bytes": 4 * (10_000_000 + 7_000_000 * blocks),
            "macs": 10**10 + 10**9 * blocks,
            "milliseconds": 40.0 * blocks + fold,
            "seconds": 4.5,
            "threads": 1,
            "machine": "a machine, 2 cores",
        }

    def edit_predictions(self, change, *run):
        """Replace a run's predictions by what ``change`` makes of them."""
        path = self.folder_of(*run) / "predictions.csv"
        table = pandas.read_csv(path, dtype={"ID": str, "spk_id": str})
        change(table).to_csv(path, index=False)

    def edit_protocol(self, change, *run):
        """Let ``change`` alter a run's protocol.json in place."""
        path = self.folder_of(*run) / "protocol.json"
        protocol = json.loads(path.read_text())
        change(protocol)
        self.write_json(path, protocol)

    def write_json(self, path, facts):
        path.write_text(json.dumps(facts))


def training_log(system, fold, epochs=8):
    """As SpeechBrain's FileTrainLogger writes it."""
    if system == "vad_nmf":  # learned at once
        return "C: 1.0e-02 - train left-out UA: 0.8 - valid UA: 0.7\n"
    random = np.random.default_rng([len(system), fold])
    lines = []
    for epoch in range(1, epochs + 1):
        left = np.exp(-epoch / 3) + 0.05 * random.uniform(size=3)
        ua = f"{0.8 - 0.5 * left[0]:.4e}"
        terms = {"ce": 1.3 * left[0] + 0.2}
        if system in ("student", "student_scaled"):
            terms |= {"kl": 0.4 * left[1], "mse": 30 * left[2] + 2}
        named = [f"train {name}: {value:.4e}" for name, value in terms.items()]
        loss = sum(terms.values())
        lines.append(
            f"epoch: {epoch}, time left: 0:00:{epochs - epoch:02d} - "
            f"train loss: {loss:.4f}, {', '.join(named)}, train UA: {ua}, "
            f"train WA: {ua} - valid loss: {1.4 * left[1] + 0.5:.4f}, "
            f"valid ce: {1.4 * left[1] + 0.5:.4f}, valid UA: {ua}, valid WA: {ua}"
        )
    return "\n".join(lines) + "\n"
