"""How much sooner a study ends with two workers than with one.

    python -m bench.study

Four independent runs (the teacher of four folds, one epoch, the embedded
encoder, synthetic speech), one thread each, on a Ray node with one processor
and then on one with two. The whole command is timed, with what it reads and
checks before the first run.

Authors
 * The MLKD team 2026
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from mlkd_brain.method.embedded import save_random_encoder
from mlkd_brain.study.executor import OBJECT_STORE, RAY
from ray.cluster_utils import Cluster

from bench.results import add, markdown, row

RECIPE = pathlib.Path(__file__).parents[1] / "recipes" / "IEMOCAP" / "MLKD"
FOLDS = 4
CORPUS = {"speakers": FOLDS, "utterances": 8, "seed": 3, "noise_seconds": 6}


def prepare(folder):
    """Make a corpus, noises and an encoder; options that name them."""
    sys.path.insert(0, str(RECIPE))
    from synthesise_corpus import synthesise

    synthesise(folder / "corpus", **CORPUS)
    save_random_encoder(folder / "encoder", seed=1986)
    return {
        "data_folder": folder / "corpus" / "IEMOCAP",
        "noise_folder": folder / "corpus" / "noise",
        "noise_types": "null",
        "encoder_hub": folder / "encoder",
        "allow_partial": "True",
        "freeze_feature_extractor": "False",
        "num_workers": 0,
        "number_of_epochs": 1,
    }


def seconds(workers, options, results):
    """Time of a study on a node with so many processors."""
    node = {
        "num_cpus": workers,
        "object_store_memory": OBJECT_STORE,
        "include_dashboard": False,
    }
    cluster = Cluster(initialize_head=True, head_node_args=node)
    options = {
        "systems": "teacher",
        "folds": f"1-{FOLDS}",
        "cpus_per_run": 1,
        "address": cluster.address,
        "results_folder": results,
        **options,
    }
    pairs = ((f"--{key}", str(value)) for key, value in options.items())
    words = [word for pair in pairs for word in pair]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "run_folds.py", "hparams/study.yml", *words],
        cwd=RECIPE,
        check=True,
        stdout=sys.stderr,
    )
    took = time.perf_counter() - started
    cluster.shutdown()
    return took


def main():
    """Measure, keep, print."""
    os.environ.update(RAY)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        options = prepare(folder)
        times = {
            workers: seconds(workers, options, folder / str(workers))
            for workers in (1, 2)
        }
    one = f"study: {FOLDS} runs, 1 worker"
    made = [
        row(one, "s", times[1], one, times[1]),
        row(f"study: {FOLDS} runs, 2 workers", "s", times[2], one, times[1]),
    ]
    add(made)
    print(markdown(made))


if __name__ == "__main__":
    main()
