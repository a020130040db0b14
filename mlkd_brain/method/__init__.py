"""The paper: what a student learns from its teacher, and in which model.

Start with ``losses.py`` (the objective), then ``lobes.py`` (encoder, classifier,
how a student is cut from a teacher) and ``brains.py`` (the training loop); the
other modules serve these three.

Authors
 * The MLKD team 2026
"""
