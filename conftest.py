"""Tiny encoders and corpora that every test can build in seconds.

Authors
 * The MLKD team 2026
"""

import os
import subprocess
import sys

import hypothesis
import pytest
from places import CORPORA
from tiny_encoders import save_encoder

from speechbrain.utils.importutils import LazyModule

# scripts of the same name in two recipes, without doctests
collect_ignore_glob = [
    "recipes/*/MLKD/train_*.py",
    "recipes/*/MLKD/evaluate.py",
    "recipes/*/MLKD/run_folds.py",
    "recipes/*/MLKD/search_objective.py",
    "recipes/*/*/results/*",  # each run keeps a copy of its script
]

# a busy machine is no failure, and a failure comes back when it is looked at
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ours")
# tools.mutation need not know the smallest example that fails
unshrunk = [p for p in hypothesis.Phase if p is not hypothesis.Phase.shrink]
hypothesis.settings.register_profile("unshrunk", phases=unshrunk)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems():
    """Let hypothesis look at SpeechBrain's lazy modules without loading them.

    It asks every loaded module for its file; a lazy one whose package is not
    installed answers with an ImportError.
    """
    for module in list(sys.modules.values()):
        if isinstance(module, LazyModule):
            vars(module).setdefault("__file__", None)


@pytest.fixture(scope="session")
def encoders(tmp_path_factory):
    """Folder of each kind of encoder, made when it is first asked for."""
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = save_encoder(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return folder


@pytest.fixture(scope="session")
def tiny_wav2vec2(encoders):
    """Folder of a wav2vec 2.0 with 4 blocks of width 32."""
    return encoders("wav2vec2")


@pytest.fixture(scope="session")
def twelve_blocks(tmp_path_factory):
    """Folder of a wav2vec 2.0 as deep as the base model, of width 32."""
    folder = tmp_path_factory.mktemp("twelve_blocks")
    return save_encoder("wav2vec2", folder, num_hidden_layers=12)


@pytest.fixture(scope="session")
def corpora():
    """Real recordings beside the checkout; skips the test without them."""
    if not CORPORA.is_dir():
        pytest.skip("needs the real recordings in ../shared/corpora")
    return CORPORA


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 1 MB that can really be full; skips where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs of 1 MB")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
