"""Grad-CAM: its values by hand for every network, and the place that an answer depends on."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models import SPECS, get_spec
from mindzoo.tests.support.networks import eagerly, fill, noise_images
from mindzoo.utils.engine.runners import MindSporeRunner
from mindzoo.utils.explaining import grad_cam
from mindzoo.utils.explaining.grad_cam import GradCam, HeadGradient

CLASSES = 4


class OneCorner(nn.Cell):
    """Says class 1 as much as the upper right corner of the first channel is bright, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(4, 4)
        self.corner = Tensor(np.eye(1, 64, 7, dtype=np.float32).reshape(1, 1, 8, 8))
        self.weights = Tensor(np.array([[0, 40], [0, 0], [0, 0]], np.float32))

    def features(self, x: Tensor) -> Tensor:
        maps = self.pool(x)
        return ms.ops.concat((maps[:, :1] * self.corner, maps[:, 1:]), 1)

    def classify(self, features: Tensor) -> Tensor:
        return ms.ops.matmul(features.mean((2, 3)), self.weights)

    def construct(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_network_is_split_and_its_gradient_is_the_one_worked_out_by_hand(name: str) -> None:
    spec = get_spec(name)
    options = {key: value for key, value in spec.small.items() if key in spec.options}
    if "image_size" in spec.options:
        options["image_size"] = (64, 64)
    with eagerly():
        network = fill(spec.build(CLASSES, **options))
        images = Tensor(noise_images(1, 64, 64))
        maps = network.features(images)
        logits = network(images).asnumpy()
        np.testing.assert_allclose(network.classify(maps).asnumpy(), logits, rtol=1e-5, atol=1e-6)
        classifier = network.parameters_dict()[f"{spec.classifier}.weight"].asnumpy()
        best = int((classifier @ maps.asnumpy()[0].mean((1, 2))).argmax())
        chosen = Tensor(np.eye(1, CLASSES, best, dtype=np.float32))
        found = HeadGradient(network)(maps, chosen).asnumpy()
    wanted = classifier[best][:, None, None] * gradient_of_mean(
        maps.asnumpy()[0].astype(np.float64), exponent_of(network)
    )
    np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
    heat = grad_cam.weighted(maps.asnumpy(), found)[0]
    by_hand = np.maximum((wanted.mean((1, 2))[:, None, None] * maps.asnumpy()[0]).sum(0), 0)
    np.testing.assert_allclose(heat, by_hand, rtol=1e-4, atol=1e-5 * max(by_hand.max(), 1e-3))
    assert heat.shape == maps.shape[2:]
    assert heat.max() > 0


def exponent_of(network: nn.Cell) -> float:
    """Of the pooling; of a plain mean it is 1."""
    return float(network.pool.p.asnumpy()) if hasattr(network, "pool") else 1.0


def gradient_of_mean(maps: np.ndarray, p: float) -> np.ndarray:
    """The derivative of (mean of x^p)^(1/p) of each channel (C, h, w), where x is at least 1e-6."""
    x = np.maximum(maps, 1e-6)
    mean = (x**p).mean((1, 2), keepdims=True)
    inside = maps > 1e-6 if p != 1 else 1.0
    return inside * x ** (p - 1) * mean ** (1 / p - 1) / maps[0].size


def test_the_map_peaks_where_the_answer_depends_on_the_image() -> None:
    network = OneCorner().set_train(False)
    heat = GradCam(MindSporeRunner(network, "maps"), network, 2)(np.ones((3, 32, 32), np.float32), 1)
    assert heat.shape == (8, 8)
    assert heat[0, 7] == pytest.approx(40 / 64)  # the gradient of each pixel of the map, times the pixel, which is 1
    assert np.count_nonzero(heat) == 1


def test_what_speaks_against_a_class_is_nothing() -> None:
    maps = np.array([[[[1.0, 2.0]], [[3.0, 0.0]]]], np.float32)
    gradients = np.array([[[[1.0, 3.0]], [[-1.0, -1.0]]]], np.float32)  # means 2 and -1
    np.testing.assert_array_equal(grad_cam.weighted(maps, gradients), [[[0.0, 4.0]]])
