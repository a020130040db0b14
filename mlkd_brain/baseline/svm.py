"""The classifier: a support vector machine by scikit-learn, kept by skops.

Authors
 * The MLKD team 2026
"""

from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
import torch
from mlkd_brain.errors import InputError
from sklearn.calibration import CalibratedClassifierCV
from sklearn.impute import SimpleImputer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from tqdm import tqdm

KERNELS = {
    "linear": (LinearSVC, ("coef_", "intercept_")),
    "rbf": (SVC, ("support_vectors_", "dual_coef_", "intercept_")),
}
#: Beside scikit-learn's public classes, which skops trusts by itself.
TRUSTED = [
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
]
TINY = np.finfo(np.float32).tiny  # added to probabilities before the logarithm


def standardised(machine: Any) -> Pipeline:
    """A classifier on standardised features, where NaN counts as the mean.

    Arguments
    ---------
    machine : sklearn.base.BaseEstimator
        Not fitted.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Not fitted.
    """
    imputer = SimpleImputer(
        strategy="constant", fill_value=0.0, keep_empty_features=True
    )
    return make_pipeline(StandardScaler(), imputer, machine)


def left_out_accuracy(
    pipeline: Pipeline,
    features: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
) -> float:
    """Unweighted accuracy on all speakers, each left out in turn.

    It is that of all decisions together. The mean over speakers, which
    ``GridSearchCV`` would take, depends on which classes a speaker has.

    Arguments
    ---------
    pipeline : sklearn.pipeline.Pipeline
        Is cloned, not fitted.
    features : np.ndarray
        (utterances, features)
    labels, speakers : np.ndarray
        Of each utterance, (utterances,).

    Returns
    -------
    float
        In [0, 1].
    """
    predicted = cross_val_predict(
        pipeline, features, labels, groups=speakers, cv=LeaveOneGroupOut()
    )
    return float(balanced_accuracy_score(labels, predicted))


class SupportVectorMachine(torch.nn.Module):
    """Each class against the others, balanced, with a calibrated softmax.

    C is the value that does best on the training speakers, each left out in
    turn; the decisions on them then give the temperature of the softmax. The
    state is one tensor of bytes, written by skops: reading it runs no code.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
    section 4.2, for the temperature.

    Arguments
    ---------
    classes : int
        Number of them.
    kernel : str
        "linear" or "rbf", the latter as wide as the features vary.
    C : list of float
        Values to choose from, greater than 0; of equals the first.

    Raises
    ------
    InputError
        If the kernel is unknown or a C out of range.

    Example
    -------
    >>> random = np.random.default_rng(0)
    >>> labels, speakers = np.tile([0, 1, 2], 20), np.repeat([1, 2, 3], 20)
    >>> features = random.standard_normal((60, 2)).astype("float32")
    >>> features[:, 0] += 9 * labels
    >>> features[0, 1] = np.nan
    >>> machine = SupportVectorMachine(3, "rbf", C=[1.0])
    >>> machine.fit(features, labels, speakers)["UA"]
    1.0
    >>> logits = machine(torch.from_numpy(features))
    >>> bool((logits.argmax(dim=-1).numpy() == labels).all())
    True
    """

    def __init__(self, classes: int, kernel: str, C: list[float]):
        super().__init__()
        if kernel not in KERNELS:
            raise InputError(
                f"Bad value '{kernel}' for kernel, expected one of "
                f"{list(KERNELS)}."
            )
        if not C or min(C) <= 0:
            raise InputError(
                f"C is {C}; give values above 0 to choose from, e.g. "
                "[0.001, 0.01, 0.1]."
            )
        self.classes, self.kernel, self.C = classes, kernel, list(C)
        self.estimator: Any = None  # until it is fitted or loaded

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Classify.

        Arguments
        ---------
        features : torch.Tensor
            (batch, features), with NaN or infinity where not defined.

        Returns
        -------
        torch.Tensor
            Logarithms of the probabilities, (batch, classes).
        """
        values = _defined(features.double().cpu().numpy())
        logits = np.log(self.estimator.predict_proba(values) + TINY)
        return torch.from_numpy(logits).to(features)

    def fit(
        self, features: np.ndarray, labels: np.ndarray, speakers: np.ndarray
    ) -> dict[str, float]:
        """Choose C and the temperature, then learn from all utterances.

        Arguments
        ---------
        features : np.ndarray
            (utterances, features), float32, with NaN or infinity where not
            defined.
        labels : np.ndarray
            Index of each utterance's class, (utterances,).
        speakers : np.ndarray
            Of each utterance, (utterances,).

        Raises
        ------
        InputError
            If a class is spoken by fewer than two speakers.

        Returns
        -------
        dict
            ``C``, ``temperature``, and ``UA`` on the speakers left out, in
            [0, 1].
        """
        _refuse_lonely_classes(labels, speakers, self.classes)
        data = _defined(features.astype(np.float64)), labels
        with np.errstate(invalid="ignore"):  # of features defined nowhere
            accuracies = {
                C: left_out_accuracy(self._pipeline(C), *data, speakers)
                for C in tqdm(self.C, desc="choosing C")
            }
            best = max(accuracies, key=lambda C: accuracies[C])
            self.estimator = CalibratedClassifierCV(
                self._pipeline(best),
                method="temperature",
                cv=list(LeaveOneGroupOut().split(*data, speakers)),
                ensemble=False,  # the decisions stay those of the machine
            ).fit(*data)
        self.estimator.cv = None  # need not be kept
        return {
            "C": best,
            "temperature": self.temperature,
            "UA": accuracies[best],
        }

    def _pipeline(self, C):
        # LinearSVC with many classes does not balance "the others"
        machine, _ = KERNELS[self.kernel]
        return standardised(
            OneVsRestClassifier(
                machine(C=C, class_weight="balanced", random_state=0)
            )
        )

    @property
    def temperature(self) -> float:
        """What decisions are divided by before the softmax."""
        (fitted,) = self.estimator.calibrated_classifiers_
        return float(1 / fitted.calibrators[0].beta_)

    def learned_values(self) -> list[torch.Tensor]:
        """What was learned, for whoever counts it; float32."""
        (fitted,) = self.estimator.calibrated_classifiers_
        scaler, _, machines = (step for _, step in fitted.estimator.steps)
        arrays = [scaler.mean_, scaler.scale_, self.temperature] + [
            getattr(machine, name)
            for machine in machines.estimators_
            for name in KERNELS[self.kernel][1]
        ]
        return [torch.as_tensor(a, dtype=torch.float32) for a in arrays]

    def get_extra_state(self) -> torch.Tensor:
        """Bytes of the estimator; part of ``state_dict``."""
        state = skops.io.dumps(self.estimator, compression=ZIP_DEFLATED)
        return torch.frombuffer(bytearray(state), dtype=torch.uint8)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take the estimator back from its bytes."""
        data = state.cpu().numpy().tobytes()
        self.estimator = skops.io.loads(data, trusted=TRUSTED)


def _defined(features):
    """Features with NaN in the place of infinity, which is no measurement.

    A number in its place, however large, would decide alone.
    """
    return np.where(np.isfinite(features), features, np.nan)


def _refuse_lonely_classes(labels, speakers, classes):
    for index in range(classes):
        count = len(np.unique(speakers[labels == index]))
        if count < 2:
            raise InputError(
                f"Class {index} of {classes} is spoken by {count} training "
                "speakers; C is chosen on speakers that are left out, for "
                "which two are needed. Complete the corpus, or change "
                "--emotions."
            )
