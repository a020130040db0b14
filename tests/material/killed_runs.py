"""A training on recordings of a second, in processes that are killed.

The processes are forked, so that torch is imported once. A moment is a time on the
processor, so that a busy machine is killed where a quiet one is; the kernel kills,
by SIGPROF, which nobody handles: Python has no say in it.
"""

import importlib
import itertools
import os
import random
import signal
import sys
import time

import numpy as np
import pandas
import soundfile
import torch
from mlkd_brain.errors import cli_errors
from places import REPOSITORY

import speechbrain as sb
from speechbrain.utils.checkpoints import Checkpointer

RECIPE = REPOSITORY / "recipes" / "Manifest" / "MLKD"
SPEAKERS, UTTERANCES = 4, 4
#: Of the log, what differs between two runs of one command.
TIMES = (
    *("time left", "s: ", "utt/s", "audio s/s"),
    *("data: ", "model: ", "student: ", "teacher: ", "optimiser: "),
)


def make_corpus(folder):
    """A CSV of short noises, spoken by nobody, and noise to add to them."""
    signal_of = np.random.default_rng(0)
    rows = []
    for speaker, n in itertools.product(range(SPEAKERS), range(UTTERANCES)):
        name = f"{speaker}_{n}.wav"
        samples = signal_of.normal(0, 0.1, 4000 + 500 * n)
        soundfile.write(folder / name, samples, 16000)
        rows.append({"wav": name, "spk_id": f"s{speaker}", "emo": "xy"[n % 2]})
    pandas.DataFrame(rows).to_csv(folder / "my.csv", index=False)
    (folder / "noise").mkdir()
    for name in ("hiss", "hum"):
        samples = signal_of.normal(0, 0.1, 48000)
        soundfile.write(folder / "noise" / f"{name}.wav", samples, 16000)
    return folder


class KilledRuns:
    """Starts the recipe's scripts in processes of their own.

    Arguments
    ---------
    corpus : pathlib.Path
        Of ``make_corpus``.
    encoder : str
        Folder of an encoder with four blocks.
    results : pathlib.Path
        Where the runs go.
    """

    def __init__(self, corpus, encoder, results):
        self.results = results
        self.options = {
            "manifest": corpus / "my.csv",
            "noise_folder": corpus / "noise",
            "results_folder": results,
            "encoder_hub": encoder,
            "number_of_epochs": 2,
            "batch_size": 2,
            "snrs_db": "[0, 20]",
            "lr": 0.001,
            "ckpt_interval_minutes": 0,
            "ckpt_interval_steps": 2,
            "num_workers": 0,
        }

    def words(self, system, **options):
        own = {} if system == "teacher" else {"teacher_layers": "[2, 4]"}
        pairs = {**self.options, **own, **options}.items()
        words = [w for key, value in pairs for w in (f"--{key}", str(value))]
        return [f"hparams/{system}.yaml", *words]

    def folder(self, system):
        return self.results / system / "1986" / "fold_1"

    def start(self, system, kill_at=0, report=None, **options):
        """Train and evaluate in a forked process; its number.

        Arguments
        ---------
        kill_at : float
            Time on the processor after which it is killed, s; 0: it is not.
        report : pathlib.Path, optional
            Where the time that it took is written.
        """
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            script = "teacher" if system == "teacher" else "student"
            self._become(system)
            signal.setitimer(signal.ITIMER_PROF, kill_at)
            with cli_errors():
                for name in (f"train_{script}", "evaluate"):
                    main = importlib.import_module(name).main
                    main(self.words(system, **options))
            if report:
                report.write_text(str(time.process_time()))
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _become(self, system):
        """Output to a log; workers that outlive us are nobody's problem."""
        self.results.mkdir(parents=True, exist_ok=True)
        log = os.open(
            self.results / f"{system}.log",
            os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = open(1, "w"), open(2, "w")
        os.chdir(RECIPE)
        torch.set_num_threads(1)
        # a list of all packages, by pip, in each start
        sb.utils.logger.get_environment_description = str

    def run(self, system, **options):
        """Exit status of a run, negative for a signal."""
        return wait(self.start(system, **options))

    def log(self, system):
        return (self.results / f"{system}.log").read_text()

    def outcome(self, system):
        """What a run leaves: weights of both epochs, predictions, log."""
        folder = self.folder(system)
        weights = {
            c.meta["epoch"]: torch.load(c.paramfiles["model"])
            for c in Checkpointer(folder / "save").list_checkpoints()
            if c.meta["end-of-epoch"]
        }
        lines = (folder / "train_log.txt").read_text().splitlines()
        return (
            weights,
            (folder / "predictions.csv").read_bytes(),
            [_without_times(line) for line in lines],
        )


def wait(pid, seconds=300):
    """Exit status of a process, negative for a signal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"process {pid} did not end in {seconds} s")


def _without_times(line):
    return [
        part
        for part in line.replace(" - ", ", ").split(", ")
        if not part.startswith(TIMES)
    ]


def moments(count, seconds, seed):
    """Random times, one in each of equal parts of a run."""
    chance = random.Random(seed)
    return [(i + chance.random()) / count * seconds for i in range(count)]


def assert_equal(ours, theirs):
    """Weights bit for bit, predictions byte for byte, log word for word."""
    for epoch in ours[0].keys() & theirs[0].keys():
        for name, value in theirs[0][epoch].items():
            assert torch.equal(ours[0][epoch][name], value), (epoch, name)
    assert max(ours[0]) == max(theirs[0])
    assert ours[1] == theirs[1]
    assert ours[2] == theirs[2]
