"""The paper's baseline: enhancement, voice activity, functionals, an SVM.

Start with ``system.py``, the model and its training; each part of the front end
and of the classifier has a file of its own.
"""
