"""What the cache of the teacher's targets takes and how fast it is.

Authors
 * The MLKD team 2026
"""

import pathlib
import time

from mlkd_brain.tensor_store import TensorStore

from bench.lengths import iemocap_like


def cache(setup, findings):
    """Size and read rate of what the students' part has left on disk."""
    targets = pathlib.Path(setup.folder).glob("results/teacher/*/*/targets/*")
    (folder,) = (path for path in targets if path.is_dir())
    files = sorted(folder.glob("*.safetensors"))
    size = sum(path.stat().st_size for path in files)
    store = TensorStore(folder)
    start = time.perf_counter()
    for path in files:
        store[path.stem]["teacher_blocks"].sum()
    seconds = time.perf_counter() - start
    findings.note("files", len(files))
    findings.add("cache: read, one process", "GB/s", size / seconds / 1e9)
    audio = _audio_of(setup, len(files))
    fold = size / audio * float(iemocap_like().sum())
    findings.note("bytes for a fold", fold)
    findings.add("cache: size for one fold of IEMOCAP", "GB", fold / 1e9)


def _audio_of(setup, utterances):
    """Seconds of the training speakers' utterances."""
    return setup.size.shorter * float(iemocap_like(utterances).sum())
