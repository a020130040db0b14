"""From a corpus to batches.

In this order: ``manifests.py`` (one table a speaker), ``folds.py`` (which speaker
is tested), ``pipelines.py`` (what an utterance brings) and ``samplers.py`` (which
utterances share a batch).

Authors
 * The MLKD team 2026
"""
