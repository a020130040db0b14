"""A support vector machine that is learned by scikit-learn and kept by torch.

Authors
 * The MLKD team 2026
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from tqdm import tqdm

from mlkd_brain.errors import InputError

COOLEST, HOTTEST = -5.0, 5.0  # natural logarithm of the temperature


class SupportVectorMachine(torch.nn.Module):
    """Each class against the others, balanced, on standardised features.

    What is learned lies in buffers, so that it is saved like any model. The
    strength C is the one that does best on the training speakers, each left out
    in turn. The decisions on them fit the temperature by which all decisions
    are divided, so that the softmax of the logits means something.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
    section 4.2, for the temperature.

    Arguments
    ---------
    features : int
        Number of them.
    classes : int
        Number of them.
    kernel : str
        "linear" or "rbf", the latter as wide as the features vary.
    strengths : list of float
        Values of C to choose from, greater than 0; of equals the first.

    Raises
    ------
    InputError
        If the kernel is unknown or a strength out of range.

    Example
    -------
    >>> random = np.random.default_rng(0)
    >>> labels, speakers = np.tile([0, 1, 2], 20), np.repeat([1, 2, 3], 20)
    >>> features = random.standard_normal((60, 2)).astype("float32")
    >>> features[:, 0] += 9 * labels
    >>> features[0, 1] = np.nan  # is taken for the mean
    >>> machine = SupportVectorMachine(2, 3, "rbf", strengths=[1.0])
    >>> machine.fit(features, labels, speakers)["UA"]
    1.0
    >>> logits = machine(torch.from_numpy(features))
    >>> bool((logits.argmax(dim=-1).numpy() == labels).all())
    True
    """

    def __init__(self, features, classes, kernel, strengths):
        super().__init__()
        if kernel not in KERNELS:
            raise InputError(
                f"Bad value '{kernel}' for kernel, expected one of "
                f"{list(KERNELS)}."
            )
        if not strengths or min(strengths) <= 0:
            raise InputError(
                f"strengths is {strengths}; give values of C above 0 to choose "
                "from, e.g. [0.001, 0.01, 0.1]."
            )
        self.classes, self.strengths = classes, list(strengths)
        self.decide = KERNELS[kernel](features, classes)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, features):
        """Classify.

        Arguments
        ---------
        features : torch.Tensor
            (batch, features), float32; NaN counts as the mean in training.

        Returns
        -------
        torch.Tensor
            Unnormalised scores, (batch, classes).
        """
        return self._decisions(features) / self.temperature

    def _decisions(self, features):
        return self.decide(self._standardised(features))

    def _standardised(self, features):
        return ((features - self.mean) / self.scale).nan_to_num()

    def fit(self, features, labels, speakers):
        """Choose C and the temperature, then learn from all utterances.

        Arguments
        ---------
        features : np.ndarray
            (utterances, features), float32, with NaN where not defined.
        labels : np.ndarray
            Index of each utterance's class, (utterances,).
        speakers : np.ndarray
            Whoever speaks it, (utterances,).

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
        features = torch.from_numpy(features)
        trials = {
            strength: self._left_out(features, labels, speakers, strength)
            for strength in tqdm(self.strengths, desc="choosing C")
        }
        scores = {
            strength: recall_score(  # UA: the mean over classes
                labels, decisions.argmax(dim=-1).numpy(), average="macro"
            )
            for strength, decisions in trials.items()
        }
        best = max(scores, key=scores.get)
        self._learn(features, labels, best)
        self.temperature.fill_(fit_temperature(trials[best], labels))
        return {
            "C": best,
            "temperature": self.temperature.item(),
            "UA": scores[best],
        }

    def _left_out(self, features, labels, speakers, strength):
        """Decisions on each speaker, learned from the others."""
        decisions = torch.empty(len(labels), self.classes)
        parts = LeaveOneGroupOut().split(features, labels, speakers)
        for others, own in parts:
            self._learn(features[others], labels[others], strength)
            decisions[own] = self._decisions(features[own])
        return decisions

    def _learn(self, features, labels, strength):
        with np.errstate(invalid="ignore"):  # of features defined nowhere
            scaler = StandardScaler().fit(features.double().numpy())
        self.mean.copy_(torch.from_numpy(scaler.mean_))
        self.scale.copy_(torch.from_numpy(scaler.scale_))
        values = self._standardised(features).double().numpy()
        self.decide.learn(values, labels, strength)


class LinearDecisions(torch.nn.Module):
    """Signed distances to a plane for each class, in units of its margin.

    Arguments
    ---------
    features, classes : int
        Number of them.
    """

    def __init__(self, features, classes):
        super().__init__()
        self.register_buffer("weight", torch.zeros(classes, features))
        self.register_buffer("bias", torch.zeros(classes))

    def forward(self, values):
        """(batch, features) to (batch, classes)."""
        return F.linear(values, self.weight, self.bias)

    def learn(self, values, labels, strength):
        """Fit the planes to standardised features, (utterances, features)."""
        for place in range(len(self.bias)):
            machine = LinearSVC(
                C=strength, class_weight="balanced", random_state=0
            ).fit(values, labels == place)
            self.weight[place] = torch.from_numpy(machine.coef_[0])
            self.bias[place] = machine.intercept_[0]


class RbfDecisions(torch.nn.Module):
    """Weighted likeness to the support vectors, for each class.

    Arguments
    ---------
    features, classes : int
        Number of them. How many vectors there are is learned.
    """

    def __init__(self, features, classes):
        super().__init__()
        self.register_buffer("vectors", torch.zeros(0, features))
        self.register_buffer("weight", torch.zeros(classes, 0))
        self.register_buffer("bias", torch.zeros(classes))
        self.register_buffer("gamma", torch.ones(()))

    def forward(self, values):
        """(batch, features) to (batch, classes)."""
        distances = torch.cdist(
            values,
            self.vectors,
            # the other way rounds otherwise in larger batches
            compute_mode="donot_use_mm_for_euclid_dist",
        ).square()
        return F.linear(
            torch.exp(-self.gamma * distances), self.weight, self.bias
        )

    def learn(self, values, labels, strength):
        """Fit to standardised features, (utterances, features)."""
        gamma = 1 / (values.shape[1] * values.var() + 1e-12)
        weight = np.zeros((len(self.bias), len(values)))
        for place, row in enumerate(weight):
            machine = SVC(C=strength, gamma=gamma, class_weight="balanced").fit(
                values, labels == place
            )
            row[machine.support_] = machine.dual_coef_[0]
            self.bias[place] = machine.intercept_[0]
        kept = weight.any(axis=0)
        self.vectors = torch.from_numpy(values[kept]).float()
        self.weight = torch.from_numpy(weight[:, kept]).float()
        self.gamma.fill_(gamma)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        for name in ("vectors", "weight"):
            saved = state_dict.get(prefix + name)
            if saved is not None:
                setattr(self, name, torch.empty_like(saved))
        super()._load_from_state_dict(state_dict, prefix, *args)


KERNELS = {"linear": LinearDecisions, "rbf": RbfDecisions}


def _refuse_lonely_classes(labels, speakers, classes):
    for place in range(classes):
        spoken_by = np.unique(speakers[labels == place])
        if len(spoken_by) < 2:
            raise InputError(
                f"Class {place} of {classes} is spoken by {len(spoken_by)} "
                "training speakers; C is chosen on speakers that are left out, "
                "for which two are needed. Complete the corpus, or change "
                "--emotions."
            )


def fit_temperature(decisions, labels):
    """What decisions are divided by so that their softmax is most likely.

    Arguments
    ---------
    decisions : torch.Tensor
        (utterances, classes)
    labels : np.ndarray
        Index of each utterance's class, (utterances,).

    Returns
    -------
    float
        Between exp(-5) and exp(5).
    """
    decisions, labels = decisions.double(), torch.from_numpy(labels)

    def surprise(log_temperature):
        cooled = decisions / np.exp(log_temperature)
        return F.cross_entropy(cooled, labels).item()

    found = minimize_scalar(
        surprise, bounds=(COOLEST, HOTTEST), method="bounded"
    )
    return float(np.exp(found.x))
