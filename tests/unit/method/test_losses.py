"""Each equation of the objective against a case worked by hand."""

import math

import pytest
import torch
from hypothesis import (
    given,
    settings,
    strategies as st,
)
from mlkd_brain.method.gradients import gradient_norms
from mlkd_brain.method.losses import (
    UNLABELLED,
    FeatureDistillation,
    LogitDistillation,
    MultiLevelObjective,
    balanced_weights,
    label_loss,
)

MASK = torch.tensor([[True, True, False], [True, False, False]])


def random_logits(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def objective(**changes):
    options = {"alpha": 0.7, "feature_weight": 1.0, **changes}
    return MultiLevelObjective(
        LogitDistillation(7.0), FeatureDistillation(), **options
    )


def test_kl_of_two_classes_worked_by_hand():
    # softmax([T ln 3, 0] / T) = [3/4, 1/4]; softmax([0, 0]) = [1/2, 1/2]
    temperature = 7.0
    teacher = torch.tensor([[temperature * math.log(3.0), 0.0]])
    student = torch.zeros(1, 2)
    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    loss = LogitDistillation(temperature)(student, teacher)
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_kl_is_the_teachers_divergence_from_the_student_not_the_reverse():
    teacher = torch.tensor([[math.log(3.0), 0.0]])
    student = torch.tensor([[0.0, 0.0]])
    forward = LogitDistillation(1.0)(student, teacher).item()
    backward = LogitDistillation(1.0)(teacher, student).item()
    assert forward == pytest.approx(0.130812, abs=1e-5)
    assert backward == pytest.approx(0.5 * math.log(4 / 3), abs=1e-5)


def test_kl_is_averaged_over_the_batch():
    student, teacher = random_logits(0, 5, 4), random_logits(1, 5, 4)
    loss = LogitDistillation(2.0)
    each = [loss(student[i : i + 1], teacher[i : i + 1]) for i in range(5)]
    assert loss(student, teacher).item() == pytest.approx(
        torch.stack(each).mean().item(), rel=1e-5
    )


def test_the_temperature_divides_both_sides():
    student, teacher = random_logits(0, 3, 4), random_logits(1, 3, 4)
    at_two = LogitDistillation(2.0)(student, teacher)
    assert torch.allclose(
        at_two, LogitDistillation(1.0)(student / 2, teacher / 2)
    )
    assert not torch.allclose(at_two, LogitDistillation(1.0)(student, teacher))


def test_hintons_factor_is_a_switch_that_is_off():
    student, teacher = random_logits(0, 3, 4), random_logits(1, 3, 4)
    plain = LogitDistillation(7.0)(student, teacher)
    scaled = LogitDistillation(7.0, times_squared_temperature=True)
    assert torch.allclose(scaled(student, teacher), 49 * plain)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.5, 20), st.sampled_from([2, 4, 7]))
def test_kl_is_zero_on_equal_logits_and_never_negative(
    seed, temperature, classes
):
    loss = LogitDistillation(temperature)
    logits, other = (
        10 * random_logits(s, 3, classes) for s in (seed, seed + 1)
    )
    assert loss(logits, logits).item() == 0.0
    assert loss(logits, other).item() >= -1e-6
    # a shift of all scores is the same distribution
    assert loss(logits + 3.0, logits).item() == pytest.approx(0.0, abs=1e-5)


def test_mse_over_valid_frames_and_features_summed_over_pairs():
    teacher = [torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)]
    student = [torch.full((2, 3, 2), 1.0), torch.full((2, 3, 2), 3.0)]
    assert FeatureDistillation()(student, teacher, MASK).item() == 1.0 + 9.0
    mean = FeatureDistillation(over_pairs="mean")
    assert mean(student, teacher, MASK).item() == 5.0


def test_each_valid_frame_weighs_the_same():
    teacher = [torch.zeros(2, 3, 1)]
    student = [torch.tensor([[[3.0], [0.0], [0.0]], [[0.0], [0.0], [0.0]]])]
    # three valid frames, one of them off by 3
    assert FeatureDistillation()(student, teacher, MASK).item() == 3.0


def test_junk_in_the_padding_changes_nothing():
    student, teacher = random_logits(0, 2, 3, 4), random_logits(1, 2, 3, 4)
    loss = FeatureDistillation()
    before = loss([student], [teacher], MASK)
    student, teacher = student.clone(), teacher.clone()
    student[~MASK], teacher[~MASK] = 1e6, -1e6
    assert torch.equal(loss([student], [teacher], MASK), before)


def test_the_gradient_reaches_the_student_and_not_the_teacher():
    student_logits, teacher_logits = (
        random_logits(seed, 2, 4).requires_grad_() for seed in (0, 1)
    )
    student_block, teacher_block = (
        random_logits(seed, 2, 3, 4).requires_grad_() for seed in (2, 3)
    )
    loss, _ = objective()(
        student_logits,
        teacher_logits,
        [student_block],
        [teacher_block],
        MASK,
        torch.tensor([0, 3]),
    )
    loss.backward()
    assert student_logits.grad.abs().sum() > 0
    assert student_block.grad[MASK].abs().sum() > 0
    assert student_block.grad[~MASK].abs().sum() == 0
    assert teacher_logits.grad is None and teacher_block.grad is None


def test_the_objective_is_the_papers_weighted_sum():
    student, teacher = random_logits(0, 2, 4), random_logits(1, 2, 4)
    blocks = [random_logits(2, 2, 3, 4)], [random_logits(3, 2, 3, 4)]
    labels = torch.tensor([1, 2])
    loss, terms = objective(alpha=0.7)(student, teacher, *blocks, MASK, labels)
    by_hand = -sum(
        math.log(torch.softmax(student, -1)[i, y]) for i, y in enumerate((1, 2))
    )
    assert terms["ce"].item() == pytest.approx(by_hand / 2, rel=1e-5)
    expected = 0.7 * terms["kl"] + 0.3 * terms["ce"] + terms["mse"]
    assert torch.allclose(loss, expected)


def test_class_weights_reach_the_cross_entropy_of_the_objective():
    student, teacher = random_logits(0, 2, 4), random_logits(1, 2, 4)
    blocks, labels = [torch.zeros(2, 3, 4)], torch.tensor([1, 2])
    inputs = (student, teacher, blocks, blocks, MASK, labels)
    weights = torch.tensor([9.0, 1.0, 3.0, 9.0])
    _, terms = objective()(*inputs, weights)
    nats = -torch.log_softmax(student, dim=-1)
    by_hand = (nats[0, 1] + 3 * nats[1, 2]) / 2
    assert terms["ce"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_weights_are_the_papers_unless_they_are_changed():
    plain = MultiLevelObjective(
        LogitDistillation(7.0), FeatureDistillation(), alpha=0.7
    )
    plain.balance({"ce": 1.0, "kl": 2.0, "mse": 3.0})  # nobody asked for it
    weighted = plain.weighted(dict.fromkeys(("ce", "kl", "mse"), 1.0))
    assert weighted == pytest.approx({"kl": 0.7, "ce": 0.3, "mse": 1.0})


def test_weight_zero_equals_the_term_left_out():
    student, teacher = random_logits(0, 2, 4), random_logits(1, 2, 4)
    blocks = [random_logits(2, 2, 3, 4)], [random_logits(3, 2, 3, 4)]
    inputs = (student, teacher, *blocks, MASK, torch.tensor([1, 2]))
    labels_alone, terms = objective(alpha=0.0, feature_weight=0.0)(*inputs)
    assert torch.equal(labels_alone, terms["ce"])
    logits_alone, terms = objective(alpha=1.0, feature_weight=0.0)(*inputs)
    assert torch.equal(logits_alone, terms["kl"])


def test_half_precision_stays_finite():
    logits = torch.tensor([[6e4, -6e4, 0.0, 1.0]], dtype=torch.float16)
    block = torch.full((1, 1, 2), 6e4, dtype=torch.float16)
    loss, _ = objective()(
        logits,
        -logits,
        [block],
        [-block],
        torch.ones(1, 1, dtype=torch.bool),
        torch.tensor([0]),
    )
    assert torch.isfinite(loss)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: LogitDistillation(0.0),
            "0.0; it must be greater than 0. Change it in hparams/student.yaml",
        ),
        (
            lambda: FeatureDistillation("max"),
            r"'max' for over_pairs, expected one of \['sum', 'mean'\]",
        ),
        (
            lambda: objective(alpha=1.5),
            r"alpha is 1.5 .* alpha lies in \[0, 1\] and feature_weight is at",
        ),
        (
            lambda: objective(feature_weight=-1),
            "feature_weight -1; .* 0. Change them in hparams/student.yaml",
        ),
        (
            lambda: FeatureDistillation()([torch.ones(1, 1, 1)], [], MASK),
            "1 student blocks and 0 teacher blocks are paired one to one. "
            "Change teacher_layers in hparams/student.yaml",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ------------------------------------------------------- balanced objective


def balanced(**changes):
    return MultiLevelObjective(
        LogitDistillation(2.0),
        FeatureDistillation(layer_norm=True),
        alpha=0.5,
        feature_weight=0.5,
        balance_batches=1,
        **changes,
    )


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_balanced_terms_have_gradients_of_one_size_at_any_scale(size):
    student = random_logits(0, 3, 4).requires_grad_()
    terms = {
        "ce": student.square().sum(),
        "kl": size * student.sum(),
        "mse": size**2 * student.abs().sum(),
    }
    objective = balanced()
    norms = gradient_norms(terms, [student])
    objective.balance({name: float(norm) for name, norm in norms.items()})
    weighted = gradient_norms(objective.weighted(terms), [student])
    assert {n: v.item() for n, v in weighted.items()} == pytest.approx(
        dict.fromkeys(terms, 0.5 * norms["ce"].item()), rel=1e-5
    )


def test_the_scales_are_kept_with_a_checkpoint():
    first, second = balanced(), balanced()
    first.balance({"ce": 1.0, "kl": 0.5, "mse": 10.0})
    assert not second.is_balanced
    second.load_state_dict(first.state_dict())
    assert second.is_balanced and torch.equal(first.scales, second.scales)


def test_a_term_that_agrees_already_is_not_scaled():
    objective = balanced()
    objective.balance({"kl": 0.0, "ce": 2.0, "mse": 4.0})
    terms = objective.weighted(dict.fromkeys(("ce", "kl", "mse"), 1.0))
    assert terms == {"kl": 0.5, "ce": 0.5, "mse": 0.25}


def test_hidden_states_are_compared_after_layer_normalisation():
    frames = torch.ones(1, 4).bool()
    teacher = [random_logits(1, 1, 4, 8)]
    # what layer norm takes away, of each frame by itself
    factors = torch.tensor([[[0.5], [2.0], [3.0], [9.0]]])
    scaled = [factors * teacher[0] + 2.0 - factors]
    loss = FeatureDistillation(layer_norm=True)(scaled, teacher, frames)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert FeatureDistillation()(scaled, teacher, frames).item() > 1.0


@pytest.mark.parametrize("distance", ["mse", "l1", "cosine"])
def test_every_distance_is_zero_on_equal_states_and_ignores_padding(distance):
    hidden = random_logits(2, 2, 3, 8)
    junk = hidden.clone()
    junk[~MASK] = 1e6
    loss = FeatureDistillation(distance=distance)
    assert loss([hidden], [junk], MASK).item() == pytest.approx(0.0, abs=1e-6)
    assert loss([hidden], [-hidden], MASK).item() > 0.5


def test_an_unknown_distance_is_named():
    with pytest.raises(ValueError, match="'l3' for distance, expected one of"):
        FeatureDistillation(distance="l3")


def test_utterances_without_a_label_leave_the_cross_entropy_alone():
    logits, labels = random_logits(3, 3, 4), torch.tensor([1, -100, 2])
    assert label_loss(logits, labels).item() == pytest.approx(
        label_loss(logits[[0, 2]], labels[[0, 2]]).item()
    )


def test_cross_entropy_of_the_only_labelled_utterance_worked_by_hand():
    labels = torch.tensor([UNLABELLED, 1, UNLABELLED])
    loss = label_loss(torch.zeros(3, 4), labels)
    assert loss.item() == pytest.approx(math.log(4))


@given(st.lists(st.sampled_from([0, 1, 2, 3, UNLABELLED]), min_size=1))
def test_classes_weigh_alike_in_sum_and_utterances_one_on_average(labels):
    classes = {label for label in labels if label != UNLABELLED}
    weights = balanced_weights(torch.tensor(labels), 4).tolist()
    sums = [labels.count(label) * weights[label] for label in classes]
    share = sum(map(labels.count, classes)) / max(1, len(classes))
    assert sums == pytest.approx([share] * len(classes))


def test_balanced_weights_count_every_class_alike():
    labels = torch.tensor([0] * 6 + [2] * 2 + [UNLABELLED])
    weights = balanced_weights(labels, 4)
    assert weights.tolist() == pytest.approx([8 / 12, 0, 2, 0])
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    loss = label_loss(logits, labels, weights)
    each = -torch.log_softmax(logits, dim=-1)
    by_class = [each[:6, 0].mean(), each[6:8, 2].mean()]
    assert float(loss) == pytest.approx(float(sum(by_class) / 2), rel=1e-5)
