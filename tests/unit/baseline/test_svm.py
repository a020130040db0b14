"""The classifier: scikit-learn's machines, calibrated, kept in a checkpoint."""

import pathlib

import numpy as np
import pytest
import torch
from hypothesis import (
    given,
    strategies as st,
)
from mlkd_brain.baseline.svm import SupportVectorMachine, left_out_accuracy
from mlkd_brain.errors import InputError
from scipy.special import softmax
from sklearn.metrics import log_loss
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from skops.io.exceptions import UntrustedTypesFoundException

KERNELS = ("linear", "rbf")


def material(seed=0, utterances=72, features=6, apart=2.0):
    """Three classes of unequal size, spoken by four speakers."""
    random = np.random.default_rng(seed)
    labels = np.array([0, 0, 0, 1, 2, 2] * (utterances // 6))
    speakers = np.repeat(list("abcd"), utterances // 4)
    values = random.standard_normal((utterances, features))
    values[:, 0] += apart * labels
    values[:, 1] *= 1000
    return values.astype("float32"), labels, speakers


def fitted(kernel, data, C=(0.01, 0.1, 1.0)):
    machine = SupportVectorMachine(3, kernel, C)
    return machine, machine.fit(*data)


def one_class(kernel, C, labels):
    """A machine for one class, built by hand."""
    machine = (
        LinearSVC(C=C, class_weight="balanced", random_state=0)
        if kernel == "linear"
        else SVC(C=C, gamma="scale", class_weight="balanced")
    )
    return make_pipeline(StandardScaler(), machine), labels


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_logits_are_the_decisions_over_the_temperature(kernel):
    values, labels, speakers = material()
    machine, chosen = fitted(kernel, (values, labels, speakers))
    ours = machine(torch.from_numpy(values)).softmax(-1)
    decisions = []
    for index in range(3):
        pipeline, own = one_class(kernel, chosen["C"], labels == index)
        decisions.append(pipeline.fit(values, own).decision_function(values))
    expected = softmax(np.stack(decisions, 1) / chosen["temperature"], axis=1)
    # float32 holds seven digits
    assert np.allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_was_learned_survives_a_checkpoint(kernel):
    data = material()
    machine, _ = fitted(kernel, data)
    again = SupportVectorMachine(3, kernel, [1.0])
    again.load_state_dict(machine.state_dict())
    values = torch.from_numpy(data[0])
    assert torch.equal(again(values), machine(values))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_data_give_the_same_bits(kernel):
    (one, _), (other, _) = (fitted(kernel, material()) for _ in range(2))
    for value, same in zip(one.learned_values(), other.learned_values()):
        assert torch.equal(value, same)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_batch_size_changes_no_decision(kernel):
    values, *rest = material(utterances=72)
    machine, _ = fitted(kernel, (values, *rest))
    together = machine(torch.from_numpy(values))
    alone = torch.cat(
        [machine(row) for row in torch.from_numpy(values).split(1)]
    )
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_c_that_serves_speakers_left_out_is_chosen():
    """Each speaker's own offset is learned by too large a C."""
    values, labels, speakers = material(apart=1.0, features=40)
    _, chosen = fitted("linear", (values, labels, speakers), (1e-4, 1e-2, 10))
    scores = {
        c: fitted("linear", (values, labels, speakers), (c,))[1]["UA"]
        for c in (1e-4, 1e-2, 10)
    }
    assert chosen["UA"] == max(scores.values()) == scores[chosen["C"]]


def test_a_feature_that_is_nowhere_defined_is_no_feature():
    values, labels, speakers = material()
    machine, _ = fitted("linear", (values, labels, speakers))
    empty = np.full((len(values), 1), np.nan, "float32")
    more = np.concatenate([values, empty], axis=1)
    wider, _ = fitted("linear", (more, labels, speakers))
    ours = machine(torch.from_numpy(values))
    assert torch.allclose(ours, wider(torch.from_numpy(more)), atol=1e-5)


@pytest.fixture(scope="module")
def linear():
    return fitted("linear", material())[0]


@given(row=st.lists(st.floats(width=32), min_size=6, max_size=6))
def test_no_feature_makes_a_logit_nan(linear, row):
    assert not linear(torch.tensor([row])).isnan().any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_temperature_is_the_likeliest_on_speakers_left_out(kernel):
    values, labels, speakers = material(apart=1.0)
    machine, chosen = fitted(kernel, (values, labels, speakers), [0.1])
    decisions = cross_val_predict(
        machine._pipeline(0.1),
        values.astype(float),
        labels,
        groups=speakers,
        cv=LeaveOneGroupOut(),
        method="decision_function",
    )

    def negative_log_likelihood(temperature):
        return log_loss(labels, softmax(decisions / temperature, axis=1))

    best = negative_log_likelihood(chosen["temperature"])
    for factor in (0.99, 1.01):
        assert best < negative_log_likelihood(factor * chosen["temperature"])


def test_the_accuracy_is_that_of_all_speakers_together():
    values, labels, speakers = material(apart=1.0)
    machine, chosen = fitted("linear", (values, labels, speakers), [0.1])
    pipeline = machine._pipeline(0.1)
    right = np.zeros(len(labels), bool)
    for speaker in "abcd":
        own = speakers == speaker
        pipeline.fit(values[~own].astype(float), labels[~own])
        right[own] = pipeline.predict(values[own].astype(float)) == labels[own]
    recalls = [right[labels == index].mean() for index in range(3)]
    accuracy = left_out_accuracy(pipeline, values, labels, speakers)
    assert accuracy == pytest.approx(np.mean(recalls))
    assert chosen["UA"] == pytest.approx(np.mean(recalls))


def test_decisions_that_are_never_wrong_leave_the_logits_finite():
    values, labels, speakers = material(apart=100.0)
    machine, chosen = fitted("linear", (values, labels, speakers))
    assert 0 < chosen["temperature"] < 1
    assert machine(torch.from_numpy(values)).isfinite().all()


def test_a_state_of_unknown_classes_is_refused():
    machine, _ = fitted("linear", material())
    machine.estimator = pathlib.PurePosixPath("anything")
    state = machine.state_dict()
    with pytest.raises(UntrustedTypesFoundException):
        SupportVectorMachine(3, "linear", [1.0]).load_state_dict(state)


@pytest.mark.parametrize(
    ("kernel", "C", "message"),
    [
        ("cubic", [1.0], "Bad value 'cubic' for kernel, expected one of"),
        ("linear", [], "give values above 0"),
        ("linear", [0.1, 0.0], "give values above 0"),
    ],
)
def test_a_wrong_option_gets_one_line(kernel, C, message):
    with pytest.raises(InputError, match=message):
        SupportVectorMachine(3, kernel, C)


def test_a_class_of_one_speaker_cannot_be_validated():
    values, labels, speakers = material()
    labels = np.where(speakers == "a", labels, np.minimum(labels, 1))
    with pytest.raises(
        InputError, match="Class 2 of 3 is spoken by 1 training"
    ):
        fitted("linear", (values, labels, speakers))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_an_infinite_feature_counts_as_one_that_is_not_defined(
    kernel, infinity
):
    values, labels, speakers = material()
    replaced = []
    for value in (infinity, np.nan):
        changed = values.copy()
        changed[::5, 2] = value
        machine, _ = fitted(kernel, (changed, labels, speakers))
        replaced.append(machine(torch.from_numpy(changed)))
    assert torch.equal(*replaced)
