"""Networks as backbones: maps of several strides, no classifier, images of other channels, dropout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models import create_model, get_spec, list_models
from mindzoo.models.feature_maps import FeatureMaps
from mindzoo.tests.support.networks import eagerly, fill, noise_images, undrawn, weights_of
from mindzoo.tests.support.reference import rows
from mindzoo.utils.checkpoints import checkpoint_file, network_plan
from mindzoo.utils.checkpoints.input_channels import of_channels
from mindzoo.utils.errors import UserError

NETWORKS = list_models()
SIZE = 64
STRIDES = [2, 4, 8, 16, 32]
WIDTHS = {
    "densenet121": [8, 12, 10],
    "genet_res50": [8, 32, 64, 128, 256],
    "glore_res50": [8, 32, 64, 128, 256],
    "hrnet_w48": [64, 8, 16],
    "multigrain": [4, 16, 32, 64, 128],
}


def small(name: str) -> dict[str, Any]:
    spec = get_spec(name)
    more = {"image_size": (SIZE, SIZE)} if "image_size" in spec.options else {}
    return {option: value for option, value in {**spec.small, **more}.items() if option in spec.options}


def saved(network: nn.Cell, path: Path) -> Path:
    ms.save_checkpoint(rows({p.name: p.asnumpy() for p in network.get_parameters()}), str(path))
    return path


@pytest.fixture(params=NETWORKS, scope="module")
def whole(request: pytest.FixtureRequest) -> tuple[str, nn.Cell]:
    """A network's name, and a small one with weights that its names say, but for what options say."""
    with undrawn():
        network = create_model(request.param, 3, **small(request.param))
    return request.param, fill(network, without="pool.p")


@eagerly()
def test_a_grey_backbone_gives_the_maps_of_the_whole_network(whole: tuple[str, nn.Cell], tmp_path: Path) -> None:
    """Of images whose channels are alike, and from a file with a classifier."""
    name, network = whole
    file, widths = saved(network, tmp_path / "x.ckpt"), WIDTHS[name]
    every = tuple(range(len(widths)))
    with undrawn():
        backbone = create_model(
            name, checkpoint=file, in_channels=1, features_only=True, out_indices=every, **small(name)
        )
    grey = noise_images(2, SIZE, SIZE)[:, :1]
    maps = backbone(Tensor(grey))
    assert [m.shape for m in maps] == [
        (2, width, SIZE // s, SIZE // s) for width, s in zip(widths, STRIDES, strict=False)
    ]
    assert (backbone.feature_info.channels(), backbone.feature_info.reduction()) == (widths, STRIDES[: len(widths)])
    images = Tensor(np.repeat(grey, 3, 1))
    last = network.incre_modules[-1](network.branches(images)[-1]) if name == "hrnet_w48" else network.features(images)
    scale = np.abs(last.asnumpy()).max()
    assert np.abs(maps[-1].asnumpy() - last.asnumpy()).max() <= 1e-5 * scale
    assert scale > 0
    names = {p.name: p.shape for p in network.get_parameters() if not p.name.startswith(get_spec(name).classifier)}
    found = {p.name: p.shape for p in backbone.get_parameters()}
    assert list(found) == list(names)
    (stem,) = [key for key in names if found[key] != names[key]]
    assert stem in get_spec(name).first_convolution


@eagerly()
def test_a_network_without_classes_gives_what_the_classifier_sees(whole: tuple[str, nn.Cell], tmp_path: Path) -> None:
    name, network = whole
    images = Tensor(noise_images(2, SIZE, SIZE))
    classifier = network
    for part in get_spec(name).classifier.split("."):
        classifier = getattr(classifier, part)
    with undrawn():
        headless = create_model(name, 0, saved(network, tmp_path / "x.ckpt"), **small(name))
    assert get_spec(name).shown_by(weights_of(headless)) == get_spec(name).shown_by(weights_of(network))
    seen = headless(images)
    assert seen.shape == (2, classifier.in_channels)
    np.testing.assert_allclose(classifier(seen).asnumpy(), network(images).asnumpy(), rtol=1e-5, atol=1e-5)


def test_the_maps_that_are_given() -> None:
    with undrawn():
        network = create_model("densenet121", 0, **small("densenet121"))
    assert FeatureMaps(network).feature_info.reduction() == [4, 8]  # by default all but that of stride 2
    assert FeatureMaps(network, (0, -1)).feature_info.channels() == [8, 10]
    for wrong in ((), (3,), (-4,), (1, 0), (1, 1)):
        with pytest.raises(ValueError, match=r"^out_indices is .*; wanted some of 0 to 2, in that order$"):
            FeatureMaps(network, wrong)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"num_classes": 3, "features_only": True}, r"^num_classes is 3, and features_only has no classifier"),
        ({"out_indices": (1,)}, r"^out_indices is given without features_only"),
        ({"in_channels": 0}, r"^in_channels is 0; wanted at least 1$"),
        ({"drop_rate": 1.0}, r"^drop_rate is 1.0; wanted a number from 0 on, below 1$"),
    ],
)
def test_what_cannot_be(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_model("densenet121", **{**small("densenet121"), **words})


def test_a_filter_is_changed_as_timm_changes_it() -> None:
    """timm 1.0.22: adapt_input_conv(n, torch.tensor([[[[1.]], [[2.]], [[6.]]]])).flatten()"""
    weight = np.array([1, 2, 6], np.float32).reshape(1, 3, 1, 1)
    wanted = {1: [9.0], 2: [1.5, 3.0], 3: [1.0, 2.0, 6.0], 4: [0.75, 1.5, 4.5, 0.75], 5: [0.6, 1.2, 3.6, 0.6, 1.2]}
    for channels, values in wanted.items():
        found = of_channels(weight, channels)
        assert found.shape == (1, channels, 1, 1)
        np.testing.assert_allclose(found.ravel(), values, rtol=1e-6)
    assert of_channels(weight.astype(np.float16), 5).dtype == np.float16


def test_weights_for_other_channels_are_for_programs_that_ask_for_them(tmp_path: Path) -> None:
    with undrawn():
        file = saved(create_model("densenet121", 3, in_channels=2, **small("densenet121")), tmp_path / "two.ckpt")
        again = create_model("densenet121", checkpoint=file)
    assert again.backbone.features.conv0.in_channels == 2
    for wanted in (1, 3):
        with pytest.raises(UserError, match=rf"two\.ckpt is of a network for images of 2 channels; wanted {wanted}: "):
            create_model("densenet121", checkpoint=file, in_channels=wanted)
    content = checkpoint_file.read_checkpoint(file, get_spec("densenet121"))
    with pytest.raises(UserError, match=r"2 channels; wanted 3: use it in a program, with create_model"):
        network_plan.plan_network(get_spec("densenet121"), content)


@eagerly()
@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_stands_in_front_of_the_classifier(name: str) -> None:
    """With all weights 0 but one row of the classifier's, a logit is a sum of what is left, each twice as large."""
    with undrawn():
        network = create_model(name, 2, drop_rate=0.5, **small(name))
    (dropout,) = [cell for _, cell in network.cells_and_names() if isinstance(cell, nn.Dropout)]
    assert dropout.p == 0.5
    parameters = {p.name: p for p in network.get_parameters()}
    assert not [key for key in parameters if "drop" in key]
    weight = parameters[f"{get_spec(name).classifier}.weight"]
    weight.set_data(Tensor(np.ones(weight.shape, np.float32)))
    maps = Tensor(np.ones((1, WIDTHS[name][-1] if name != "hrnet_w48" else weight.shape[1], 2, 2), np.float32))
    assert network.classify(maps).asnumpy().tolist() == [[weight.shape[1]] * 2]
    network.set_train()
    logit = float(network.classify(maps).asnumpy()[0, 0])
    assert logit % 2 == 0
    assert 0 <= logit <= 2 * weight.shape[1]
