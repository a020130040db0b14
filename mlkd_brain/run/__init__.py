"""The life of one run: its options, folder, protocol, checkpoints and log.

Start with ``experiment.py``, which every script of a recipe begins with, and
``protocol.py``, which keeps a run's settings from changing when it is resumed.

Authors
 * The MLKD team 2026
"""
