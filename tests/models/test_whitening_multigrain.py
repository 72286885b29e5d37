"""Whitening folded into the classifier: the same classes win."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.models.multigrain.network import multigrain
from mindzoo.models.multigrain.whitening import folded, pca_whitening, whitened
from mindzoo.tests.models.test_multigrain import SMALL, give, small
from mindzoo.tests.support.networks import eagerly, noise_images, weights_of


def test_a_folded_classifier_gives_the_same_answers() -> None:
    noise = np.random.default_rng(8)
    pooled, weight, bias = noise.random((500, 12)), noise.standard_normal((7, 12)), noise.standard_normal(7)
    extended = np.hstack([pooled, np.ones((500, 1))])
    lengths = np.linalg.norm(extended, axis=1, keepdims=True)
    projection, mean = pca_whitening(extended / lengths)
    white = (extended / lengths - mean) @ projection
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-10)
    np.testing.assert_allclose(np.cov(white.T), np.eye(13), atol=1e-8)

    new_weight, new_bias = folded(weight, bias, projection, mean)
    assert new_weight.shape == (7, 13)
    logits = pooled @ weight.T + bias
    np.testing.assert_allclose(white @ new_weight.T + new_bias, logits / lengths, atol=1e-9)
    np.testing.assert_array_equal((white @ new_weight.T + new_bias).argmax(1), logits.argmax(1))
    np.testing.assert_allclose(new_weight @ projection.T, np.hstack([weight, bias[:, None]]), atol=1e-9)


@pytest.mark.parametrize(("count", "varied"), [(10, 12), (200, 11)])
def test_vectors_that_do_not_vary_in_all_directions_cannot_be_whitened(count: int, varied: int) -> None:
    x = np.random.default_rng(9).standard_normal((count, varied)) @ np.eye(varied, 12)
    with pytest.raises(
        ValueError, match=rf"^{count} vectors of 12 numbers vary in {min(count - 1, varied)} directions; "
    ):
        pca_whitening(x)


@eagerly()
def test_a_whitened_network_gives_the_same_classes() -> None:
    plain, white = small(base_width=1), small(base_width=1, whitening=True)
    for network in (plain, white):  # no channel is off for all images
        network.layer4[0].bn3.beta.set_data(Tensor(np.ones(32, np.float32)))
    x = Tensor(noise_images(64, 64, 64))
    plain.end_point.bias.set_data(
        Tensor(-(plain(x) - plain.end_point.bias).mean(0))
    )  # so that each class wins somewhere
    pooled, logits = plain.pooled(x).asnumpy(), plain(x).asnumpy()
    give(white, whitened(weights_of(plain), pooled))
    lengths = np.sqrt((pooled.astype(np.float64) ** 2).sum(1, keepdims=True) + 1)
    found = white(x).asnumpy()
    np.testing.assert_allclose(found, logits / lengths, atol=1e-5 * np.abs(found).max())
    np.testing.assert_array_equal(found.argmax(1), logits.argmax(1))
    assert len(set(found.argmax(1))) == 5
    assert white.embed(x).shape == (64, 33)
    np.testing.assert_allclose(np.cov(white.pooled(x).asnumpy().T), np.eye(33), atol=1e-4)


@eagerly()
def test_a_whitening_without_values_only_normalises() -> None:
    network = multigrain(5, **SMALL, whitening=True).set_train(False)
    pooled = network.pooled(Tensor(noise_images())).asnumpy()
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), 1, rtol=1e-5)
    assert (pooled[:, -1] > 0).all()
