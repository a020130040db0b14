"""The classifier: what scikit-learn learned, torch decides, from a checkpoint."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mlkd_brain.baseline.svm import SupportVectorMachine, fit_temperature
from mlkd_brain.errors import InputError

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


def fitted(kernel, data, strengths=(0.01, 0.1, 1.0)):
    machine = SupportVectorMachine(data[0].shape[1], 3, kernel, strengths)
    return machine, machine.fit(*data)


def theirs(kernel, strength, labels):
    """The same machine, all of it scikit-learn's."""
    machine = (
        LinearSVC(C=strength, class_weight="balanced", random_state=0)
        if kernel == "linear"
        else SVC(C=strength, gamma="scale", class_weight="balanced")
    )
    return make_pipeline(StandardScaler(), machine), labels


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_logits_are_scikit_learns_decisions_over_the_temperature(kernel):
    values, labels, speakers = material()
    machine, chosen = fitted(kernel, (values, labels, speakers))
    ours = machine(torch.from_numpy(values)) * chosen["temperature"]
    for place in range(3):
        pipeline, own = theirs(kernel, chosen["C"], labels == place)
        expected = pipeline.fit(values, own).decision_function(values)
        # float32 holds seven digits
        assert np.allclose(ours[:, place], expected, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_was_learned_survives_a_checkpoint(kernel):
    data = material()
    machine, _ = fitted(kernel, data)
    again = SupportVectorMachine(6, 3, kernel, [1.0])
    again.load_state_dict(machine.state_dict())
    values = torch.from_numpy(data[0])
    assert torch.equal(again(values), machine(values))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_data_give_the_same_bits(kernel):
    (one, _), (other, _) = (fitted(kernel, material()) for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_batch_size_changes_no_decision(kernel):
    values, *rest = material(utterances=72)
    machine, _ = fitted(kernel, (values, *rest))
    together = machine(torch.from_numpy(values))
    alone = torch.cat(
        [machine(row) for row in torch.from_numpy(values).split(1)]
    )
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_strength_that_serves_speakers_left_out_is_chosen():
    """Each speaker's own offset is learned by a machine that is too strong."""
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


@given(st.lists(st.floats(width=32), min_size=6, max_size=6))
def test_no_feature_makes_a_logit_nan(row):
    machine = MACHINES.setdefault("linear", fitted("linear", material())[0])
    with torch.no_grad():
        assert not machine(torch.tensor([row])).isnan().any()


MACHINES = {}


def test_the_temperature_makes_confidence_the_share_that_is_right():
    decisions = torch.tensor([[1.0, -1.0]] * 4)
    # three of four are right: softmax([1, -1] / T) shall be [3/4, 1/4]
    temperature = fit_temperature(decisions, np.array([0, 0, 0, 1]))
    assert temperature == pytest.approx(2 / np.log(3), rel=1e-4)


def test_decisions_that_are_never_wrong_leave_the_temperature_finite():
    decisions = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    assert 0 < fit_temperature(decisions, np.array([0, 1])) < 1


@pytest.mark.parametrize(
    ("kernel", "strengths", "message"),
    [
        ("cubic", [1.0], "Bad value 'cubic' for kernel, expected one of"),
        ("linear", [], "values of C above 0"),
        ("linear", [0.1, 0.0], "values of C above 0"),
    ],
)
def test_a_wrong_option_gets_one_line(kernel, strengths, message):
    with pytest.raises(InputError, match=message):
        SupportVectorMachine(6, 3, kernel, strengths)


def test_a_class_of_one_speaker_cannot_be_validated():
    values, labels, speakers = material()
    labels = np.where(speakers == "a", labels, np.minimum(labels, 1))
    with pytest.raises(
        InputError, match="Class 2 of 3 is spoken by 1 training"
    ):
        fitted("linear", (values, labels, speakers))
