"""Losses on embeddings against their definitions, in NumPy and float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from mindzoo.tests.support.networks import eagerly
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.metric_losses import (
    DistanceWeightedSampler,
    MarginLoss,
    MixedLoss,
    TripletLoss,
    log_weights,
)

PAIRS = np.array([0, 0, 1, 1, 2, 2], np.int32)
MIXED = np.array([7, 3, 7, 9, 7, 3], np.int32)  # three copies, two, one


def embeddings(batch: int = 6, length: int = 5, seed: int = 1) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((batch, length))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def distances(x: np.ndarray) -> np.ndarray:
    differences = x[:, None].astype(np.float64) - x[None]
    return np.sqrt((differences**2).sum(2) + 1e-8)


def triplet_reference(x: np.ndarray, instances: np.ndarray, margin: float) -> float:
    d, losses = distances(x), []
    for anchor in range(len(x)):
        copies = [d[anchor, i] for i in range(len(x)) if instances[i] == instances[anchor] and i != anchor]
        others = [d[anchor, i] for i in range(len(x)) if instances[i] != instances[anchor]]
        if copies and others:
            losses.append(max(0.0, margin + max(copies) - min(others)))
    return float(np.mean(losses)) if losses else 0.0


def margin_reference(x: np.ndarray, instances: np.ndarray, drawn: np.ndarray, alpha: float, beta: float) -> float:
    d, terms = distances(x), []
    for anchor, other in itertools.product(range(len(x)), repeat=2):
        if anchor != other and instances[anchor] == instances[other]:
            terms.append(max(0.0, alpha + d[anchor, other] - beta))
        if drawn[anchor, other]:
            terms.append(max(0.0, alpha - d[anchor, other] + beta))
    return sum(terms) / max(1, sum(term > 0 for term in terms))


def finite_differences(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    gradient = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        up, down = x.astype(np.float64), x.astype(np.float64)
        up[at] += step
        down[at] -= step
        gradient[at] = (function(up) - function(down)) / (2 * step)
    return gradient


@eagerly()
@pytest.mark.parametrize(("instances", "margin"), [(PAIRS, 0.2), (MIXED, 1.0)])
def test_triplet_loss_and_its_gradient(instances: np.ndarray, margin: float) -> None:
    x = embeddings()
    value, gradient = ms.value_and_grad(TripletLoss(margin))(Tensor(x), Tensor(instances))
    assert (value.shape, value.dtype) == ((), ms.float32)
    wanted = triplet_reference(x, instances, margin)
    assert wanted > 0.1
    assert float(value) == pytest.approx(wanted, rel=1e-5)
    differences = finite_differences(lambda at: triplet_reference(at, instances, margin), x)
    np.testing.assert_allclose(gradient.asnumpy(), differences, atol=1e-5)


@pytest.mark.parametrize("loss", [TripletLoss, MarginLoss])
def test_losses_are_the_same_in_a_graph_and_one_operator_at_a_time(loss: type[nn.Cell]) -> None:
    x, instances = Tensor(embeddings()), Tensor(MIXED)
    value, gradient = ms.value_and_grad(ms.jit(loss()))(x, instances)
    with eagerly():
        eager_value, eager_gradient = ms.value_and_grad(loss())(x, instances)
    assert float(eager_value) == pytest.approx(float(value), rel=1e-6)
    np.testing.assert_allclose(eager_gradient.asnumpy(), gradient.asnumpy(), atol=1e-6)


@eagerly()
def test_triplet_loss_by_hand() -> None:
    """On a circle at 0, 60 and 180 degrees: distances 1 to the copy, 2 and the root of 3 to the other image."""
    angles = np.radians([0, 60, 180])
    x = Tensor(np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    loss = TripletLoss(1.1)(x, Tensor(np.array([4, 4, 5], np.int32)))
    assert float(loss) == pytest.approx((1.1 + 1 - 2 + 1.1 + 1 - np.sqrt(3)) / 2, rel=1e-5)


@eagerly()
@pytest.mark.parametrize("instances", [[0, 1, 2, 3], [5, 5, 5, 5]])
def test_without_an_anchor_the_triplet_loss_is_0(instances: list[int]) -> None:
    value, gradient = ms.value_and_grad(TripletLoss())(Tensor(embeddings(4)), Tensor(instances, ms.int32))
    assert float(value) == 0
    assert not gradient.asnumpy().any()


@eagerly()
@pytest.mark.parametrize(("instances", "alpha", "beta"), [(PAIRS, 0.2, 1.2), (MIXED, 0.4, 0.9)])
def test_margin_loss_and_its_gradients(instances: np.ndarray, alpha: float, beta: float) -> None:
    x = embeddings()
    loss = MarginLoss(alpha, beta, seed=3)
    drawn = DistanceWeightedSampler(seed=3)(Tensor(x), Tensor(instances)).asnumpy()
    step = ms.value_and_grad(loss, 0, loss.trainable_params())
    value, (at_embeddings, (at_beta,)) = step(Tensor(x), Tensor(instances))
    wanted = margin_reference(x, instances, drawn, alpha, beta)
    assert wanted > 0.1
    assert float(value) == pytest.approx(wanted, rel=1e-5)

    differences = finite_differences(lambda at: margin_reference(at, instances, drawn, alpha, beta), x)
    assert np.abs(differences).max() > 0.01
    np.testing.assert_allclose(at_embeddings.asnumpy(), differences, atol=1e-5)
    of_beta = finite_differences(lambda at: margin_reference(x, instances, drawn, alpha, float(at)), np.array(beta))
    np.testing.assert_allclose(at_beta.asnumpy(), of_beta, atol=1e-5)


@eagerly()
def test_margin_loss_by_hand() -> None:
    """Two copies at distance 2 and no other image: one term of 0.2 + 2 - 1.2 in either direction."""
    x = Tensor(np.array([[1, 0], [-1, 0]], np.float32))
    assert float(MarginLoss()(x, Tensor(np.array([1, 1], np.int32)))) == pytest.approx(1.0, rel=1e-6)


@eagerly()
def test_equal_copies_have_a_finite_gradient() -> None:
    x = Tensor(np.repeat(embeddings(3), 2, 0))
    for loss in (MarginLoss(), TripletLoss()):
        value, gradient = ms.value_and_grad(loss)(x, Tensor(PAIRS))
        assert np.isfinite(float(value))
        assert np.isfinite(gradient.asnumpy()).all()


def test_parameters_of_the_margin_loss() -> None:
    loss = MixedLoss(SmoothedCrossEntropy(3), MarginLoss(), 0.5, 2)
    assert [p.name for p in loss.trainable_params()] == ["metric_loss.beta"]
    assert [p.name for p in loss.get_parameters()] == ["metric_loss.beta", "metric_loss.sampler.uniform.draws"]


@eagerly()
@pytest.mark.parametrize("length", [2, 5, 2048])
def test_log_weights(length: int) -> None:
    d = np.linspace(0, 2, 50, dtype=np.float32)
    at = np.clip(d.astype(np.float64), 0.5, 1.4)
    wanted = -np.log(at) * (length - 2) - np.log1p(-(at**2) / 4) * (length - 3) / 2
    np.testing.assert_allclose(log_weights(Tensor(d), length).asnumpy(), wanted, rtol=1e-6, atol=1e-6 * length)


def probabilities(x: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """(B, B): of each image to be the first that is drawn for the anchor of the row."""
    d, length = distances(x), x.shape[1]
    at = np.clip(d, 0.5, 1.4)
    weights = at ** (2.0 - length) * (1 - at**2 / 4) ** (-(length - 3) / 2)
    others = instances[:, None] != instances
    weights = np.where(others & (d < 1.4), weights, 0)
    weights = np.where(weights.any(1, keepdims=True), weights, others)
    return weights / weights.sum(1, keepdims=True)


def draws(x: np.ndarray, instances: np.ndarray, times: int) -> np.ndarray:
    """(times, B, B) bool."""
    sampler = DistanceWeightedSampler(seed=1)
    arguments = Tensor(x.astype(np.float32)), Tensor(instances.astype(np.int32))
    return np.stack([sampler(*arguments).asnumpy() for _ in range(times)])


def many_groups(instances: np.ndarray, seed: int, groups: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """The same few images again and again, in directions of their own: other groups are 1.414 away, beyond reach."""
    cosines = np.tril(np.random.default_rng(seed).uniform(0.03, 0.2, (len(instances),) * 2), -1)
    group = np.linalg.cholesky(cosines + cosines.T + np.eye(len(instances)))
    return np.kron(np.eye(groups), group), np.concatenate([instances + 100 * number for number in range(groups)])


def draws_in_groups(x: np.ndarray, instances: np.ndarray, count: int, times: int) -> np.ndarray:
    """(draws, count, count) bool: what each group of `count` images draws; none draws from another group."""
    found = draws(x, instances, times)
    groups = len(x) // count
    blocks = found.reshape(times, groups, count, groups, count)
    assert blocks.sum() == sum(blocks[:, group, :, group].sum() for group in range(groups))
    return np.concatenate([blocks[:, group, :, group] for group in range(groups)])


def assert_drawn(found: np.ndarray, wanted: np.ndarray, times: int) -> None:
    """Counts of every outcome against its probability: no farther than chance takes them in 999 of 1000 cases."""
    assert found[wanted == 0].sum() == 0
    assert found.sum() == times
    expected = times * wanted[wanted > 0]
    distance, freedom = ((found[wanted > 0] - expected) ** 2 / expected).sum(), len(expected) - 1
    # Wilson and Hilferty's approximation of chi-square, 3.09 standard deviations above its mean.
    assert distance <= freedom * (1 - 2 / (9 * freedom) + 3.09 * np.sqrt(2 / (9 * freedom))) ** 3


def test_one_image_is_drawn_with_its_probability() -> None:
    x, instances = many_groups(PAIRS, seed=5)
    wanted = probabilities(x, instances)[:6, :6]
    assert ((wanted > 0.02) & (wanted < 0.7)).sum() >= 12
    found = draws_in_groups(x, instances, 6, 40)
    assert (found.sum(2) == 1).all()
    for anchor in range(6):
        assert_drawn(found[:, anchor].sum(0), wanted[anchor], len(found))


def test_two_images_are_drawn_without_replacement() -> None:
    """Each set of two comes as often as by drawing its one or other image first."""
    x, instances = many_groups(np.array([0, 0, 0, 1, 2, 3, 4]), seed=8)
    first, found = probabilities(x, instances)[1, :7], draws_in_groups(x, instances, 7, 40)[:, 1]
    sets = list(itertools.combinations(np.flatnonzero(first), 2))
    wanted = np.array([first[i] * first[j] * (1 / (1 - first[i]) + 1 / (1 - first[j])) for i, j in sets])
    assert (wanted > 0.05).sum() >= 4
    np.testing.assert_allclose(wanted.sum(), 1)
    assert_drawn(np.array([(found[:, i] & found[:, j]).sum() for i, j in sets]), wanted, len(found))


def test_where_all_are_too_far_all_are_equally_likely() -> None:
    found = draws(np.eye(32), np.repeat(np.arange(16), 2), 60)
    assert (found.sum(2) == 1).all()
    assert_drawn(found.sum((0, 1)), np.full(32, 1 / 32), 60 * 32)


def test_the_others_draw_as_ever_where_one_anchor_is_too_far_from_all() -> None:
    x = np.array([[1, 0], [1, 0.2], [-1, 0], [-1, 0.1], [-1, 0.2]])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = draws(x, np.array([0, 0, 1, 1, 2]), 20)
    assert (found[:, :4].sum(2) == 1).all()
    assert found[:, 2:4, 4].all()
    assert len(np.unique(np.argwhere(found[:, :2])[:, 2])) == 3


def test_draws_depend_on_seed_and_counter_only() -> None:
    arguments = Tensor(embeddings(32)), Tensor(np.repeat(np.arange(16), 2).astype(np.int32))
    sampler, resumed, other = (DistanceWeightedSampler(seed) for seed in (1, 1, 2))
    drawn = [sampler(*arguments).asnumpy() for _ in range(4)]
    assert any((drawn[0] != later).any() for later in drawn[1:])
    assert (other(*arguments).asnumpy() != drawn[0]).any()
    resumed.uniform.draws.set_data(Tensor(3, ms.int32))
    np.testing.assert_array_equal(resumed(*arguments).asnumpy(), drawn[3])


@pytest.mark.parametrize("length", [2, 64])
@pytest.mark.parametrize("instances", [np.repeat(np.arange(4), 3), np.array([0] * 9 + [1, 1, 2])])
def test_as_many_as_copies_and_never_a_copy(length: int, instances: np.ndarray) -> None:
    """The nine copies of the second case have but three other images: those within reach are drawn, once each."""
    x = embeddings(12, length, seed=length)
    found = draws(x, instances, 20)
    copies = (instances[:, None] == instances).sum(1) - 1
    within = (instances[:, None] != instances) & (distances(x) < 1.4)
    candidates = np.where(within.any(1, keepdims=True), within, instances[:, None] != instances).sum(1)
    assert not found[:, instances[:, None] == instances].any()
    assert (found.sum(2) == np.minimum(copies, candidates)).all()


def test_long_embeddings_draw_the_closest() -> None:
    """With 2048 numbers a weight is e^1400 times another; sums of them would run over, their logarithms do not."""
    x = embeddings(6, 2048)
    x[2] = x[0] + 0.02 * x[2]
    x[4] = x[0] + 0.9 * x[4]
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = draws(x, PAIRS, 20)
    assert found[:, 0, 2].all()
    assert found.sum(2).max() == 1


@eagerly()
def test_rows_without_another_image_draw_none() -> None:
    assert not draws(embeddings(4), np.full(4, 3), 3).any()


@eagerly()
def test_mixed_loss() -> None:
    noise, x = np.random.default_rng(5), Tensor(embeddings())
    logits, labels = Tensor(noise.standard_normal((6, 3)), ms.float32), Tensor(PAIRS)
    parts = (SmoothedCrossEntropy(3, 0.1), TripletLoss(0.5))
    of_threes = Tensor(np.array([0, 0, 0, 1, 1, 1], np.int32))
    cross_entropy, triplet = float(parts[0](logits, labels)), float(parts[1](x, of_threes))
    for weight in (0.0, 0.25, 1.0):
        found = MixedLoss(*parts, weight, repeats=3)((logits, x), labels)
        assert float(found) == pytest.approx(weight * cross_entropy + (1 - weight) * triplet, rel=1e-6), weight


def test_a_part_of_weight_0_is_not_computed() -> None:
    """One copy of each image and not even an embedding: there is nothing to draw for, and nothing is drawn."""
    mixed = MixedLoss(SmoothedCrossEntropy(3), MarginLoss(), 1.0, 1)
    logits = Tensor(np.eye(3, dtype=np.float32))
    mixed((logits, ops.zeros((3, 2), ms.float32)), Tensor([0, 1, 2], ms.int32))
    assert int(mixed.metric_loss.sampler.uniform.draws) == 0


@pytest.mark.parametrize("weight", [-0.1, 1.5])
def test_a_weight_outside_of_0_to_1_is_refused(weight: float) -> None:
    with pytest.raises(
        ValueError, match=rf"^the weight of the cross entropy is {weight}; wanted a number from 0 to 1$"
    ):
        MixedLoss(nn.Identity(), nn.Identity(), weight, 3)


def test_copies_are_needed_to_compare() -> None:
    with pytest.raises(ValueError, match=r"^each image is in a batch 1 times; a metric loss wants 2 times or more$"):
        MixedLoss(nn.Identity(), nn.Identity(), 0.5, 1)
