"""GloRe-ResNet-50 against reference vectors, the units' definitions and the original README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnxruntime
import pytest
from mindspore import Tensor, nn
from mindspore.amp import auto_mixed_precision

from mindzoo.models import SPECS, create_model
from mindzoo.models.glore_res50 import SPEC
from mindzoo.models.glore_res50.network import GloReUnit, glore_res50
from mindzoo.models.glore_res50.weights import options_of
from mindzoo.tests.support.networks import assert_parameters, eagerly, fill, noise_images, undrawn, weights_of
from mindzoo.tests.support.reference import Vectors, assert_logits, rows, vectors
from mindzoo.utils import compat
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.records import EpochRecord, EvalResult, Evaluated

SMALL: dict[str, Any] = {"layers": (1, 1, 2, 1), "base_width": 4}
PIXELS = [(3, 5), (2, 1)]  # more than half as many as the eight nodes of `small_unit`, and fewer
TORCH_WORDS = {
    "blocker.gamma": "blocker.weight",
    "blocker.beta": "blocker.bias",
    "blocker.moving_mean": "blocker.running_mean",
    "blocker.moving_variance": "blocker.running_var",
}


def small(**options: Any) -> nn.Cell:
    return glore_res50(5, **{**SMALL, **options})


def small_unit(unit: str) -> GloReUnit:
    return GloReUnit(32, 16, 8, unit=unit)


def features(batch: int, channels: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(4).standard_normal((batch, channels, height, width)).astype(np.float32)


def small_weights(**options: Any) -> dict[str, np.ndarray]:
    return weights_of(fill(small(**options)))


@pytest.fixture(scope="module")
def zoo() -> Vectors:
    return vectors("ms_glore_resnet50")


@undrawn()
def test_names_shapes_and_counts_are_those_of_the_zoo(zoo: Vectors) -> None:
    network = glore_res50()
    assert_parameters(network, zoo, tensors=328, trained=200, numbers=30_506_824)
    assert sum(parameter.size for parameter in network.get_parameters()) == 30_575_432


@eagerly()
def test_logits_are_those_of_the_zoo(zoo: Vectors, tmp_path: Path) -> None:
    """The units' sums run over with these weights, in the original too: the logits show the last layer only."""
    ms.save_checkpoint(rows(zoo.weights), str(tmp_path / "zoo.ckpt"))
    with undrawn():
        network = create_model("glore_res50", checkpoint=tmp_path / "zoo.ckpt")
    assert_logits(network, zoo)


@undrawn()
@pytest.mark.parametrize(
    ("cell", "count"),
    [
        (lambda: glore_res50(use_glore=False), 25_576_264),
        (lambda: GloReUnit(1024, 512, 256), 1_643_520),
        (lambda: GloReUnit(1024, 512, 256, unit="paper"), 1_641_472),
        (lambda: glore_res50(unit="paper"), 25_576_264 + 3 * 1_641_472),
    ],
)
def test_counts(cell: Any, count: int) -> None:
    assert sum(parameter.size for parameter in cell().trainable_params()) == count


@eagerly()
def test_the_authors_unit() -> None:
    """The reference is computed on 64 channels, the image's three in turn, and kept at every fourth pixel."""
    wanted = vectors("pt_glore_unit")
    unit = GloReUnit(64, 64, 32, unit="paper").set_train(False)
    names = {parameter.name: TORCH_WORDS.get(parameter.name, parameter.name) for parameter in unit.get_parameters()}
    assert sorted(names.values()) == sorted(wanted.weights)
    for parameter in unit.get_parameters():
        parameter.set_data(Tensor(wanted.weights[names[parameter.name]].reshape(parameter.shape)))
    found = unit(Tensor(np.tile(wanted.images, (1, 22, 1, 1))[:, :64])).asnumpy()[:, :, ::4, ::4]
    assert np.abs(found - wanted.logits).max() <= 1e-6 * np.abs(wanted.logits).max()


def normalised(x: np.ndarray, weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    mean, variance, gamma, beta = (
        weights[f"{name}.{word}"][:, None] for word in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    return (x - mean) / np.sqrt(variance + 1e-4) * gamma + beta


def zoo_unit(x: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The original zoo's unit, step by step as it is written there; (B, C, pixels) float64."""

    def step(x: np.ndarray, name: str) -> np.ndarray:
        return weights[f"{name}.2.weight"][:, :, 0, 0] @ np.maximum(normalised(x, weights, f"{name}.0"), 0)

    states, projection = step(x, "conv_state"), step(x, "conv_proj")
    graph = states @ projection.transpose(0, 2, 1)
    nodes, of_states = weights["gcn.conv1.weight"][:, :, 0, 0], weights["gcn.conv2.weight"][:, :, 0, 0]
    graph = graph + (nodes @ graph.transpose(0, 2, 1)).transpose(0, 2, 1)
    return x + step(of_states @ np.maximum(graph, 0) @ projection, "conv_extend")


@eagerly()
@pytest.mark.parametrize(("height", "width"), PIXELS)
def test_the_zoos_unit_is_its_definition(height: int, width: int) -> None:
    unit, x = fill(small_unit("zoo")), features(2, 32, height, width)
    weights = {parameter.name: parameter.asnumpy().astype(np.float64) for parameter in unit.get_parameters()}
    wanted = zoo_unit(x.reshape(2, 32, -1).astype(np.float64), weights).reshape(x.shape)
    assert np.abs(wanted - x).max() > 1
    np.testing.assert_allclose(unit(Tensor(x)).asnumpy(), wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("unit", ["zoo", "paper"])
def test_a_new_unit_does_nothing_and_learns_all_its_weights(unit: str) -> None:
    """Only the last weights have a gradient in the first step; in the second one all have."""
    cell, x = small_unit(unit).set_train(), Tensor(features(4, 32, 3, 5))
    np.testing.assert_array_equal(cell(x).asnumpy(), x.asnumpy())
    before = {parameter.name: parameter.asnumpy().copy() for parameter in cell.trainable_params()}
    step = TrainStep(cell, nn.MSELoss(), nn.SGD(cell.trainable_params(), 0.1)).set_train()
    first = float(step(x, x * 2))
    moved = {p.name for p in cell.trainable_params() if np.abs(p.asnumpy() - before[p.name]).max() > 0}
    last = {"zoo": {"conv_extend.2.weight"}, "paper": {"blocker.gamma", "blocker.beta"}}
    assert moved == last[unit]
    assert float(step(x, x * 2)) < first
    still = [p.name for p in cell.trainable_params() if np.abs(p.asnumpy() - before[p.name]).max() == 0]
    assert still == []


def test_a_training_moves_every_weight_of_the_network() -> None:
    network = small().set_train()
    before = {parameter.name: parameter.asnumpy().copy() for parameter in network.trainable_params()}
    step = TrainStep(network, nn.CrossEntropyLoss(), nn.SGD(network.trainable_params(), 0.1)).set_train()
    for _ in range(3):
        step(Tensor(noise_images(4)), Tensor([0, 1, 2, 3], ms.int32))
    assert [p.name for p in network.trainable_params() if np.array_equal(p.asnumpy(), before[p.name])] == []


@pytest.mark.parametrize("unit", ["zoo", pytest.param("paper", marks=pytest.mark.slow)])
def test_mixed_precision_has_nearly_the_loss_of_float32(unit: str) -> None:
    network = small(layers=(1, 1, 1, 1), unit=unit).set_train()
    loss, x, labels = nn.CrossEntropyLoss(), Tensor(noise_images(4)), Tensor([0, 1, 2, 3], ms.int32)
    with eagerly():
        wanted = float(loss(network(x), labels))
    network = auto_mixed_precision(network, "O2")
    step = TrainStep(network, loss, nn.SGD(network.trainable_params(), 0.1)).set_train()
    assert float(step(x, labels)) == pytest.approx(wanted, rel=0.01)
    assert float(step(x, labels)) < wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "torch"}, r"^unit is 'torch'; wanted one of zoo, paper$"),
        ({"weight_init": "zeros"}, r"^weight_init is 'zeros'; wanted one of xavier_uniform, he_uniform, he_normal$"),
        ({"layers": (1, 1, 1)}, r"^layers is \(1, 1, 1\); wanted four numbers of blocks$"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.parametrize(("blocks", "units"), [(1, [1]), (3, [1, 4]), (5, [1, 4, 7]), (7, [1, 4, 7])])
def test_units_follow_blocks_1_3_and_5_of_layer3(blocks: int, units: list[int]) -> None:
    network = small(layers=(1, 1, blocks, 1))
    found = {name.split(".")[1] for name in network.parameters_dict() if ".gcn." in name and "layer3" in name}
    assert sorted(map(int, found)) == units
    plain = small(layers=(1, 1, blocks, 1), use_glore=False)
    assert [name for name in plain.parameters_dict() if "gcn" in name] == []


def test_every_batch_norm_has_the_momentum_given_and_the_zoos_epsilon() -> None:
    norms = [cell for _, cell in small(bn_momentum=0.7).cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    assert len(norms) == 3 + 5 * 3 + 4 + 3
    # nn.BatchNorm2d stores the share of the new value
    assert {(round(1 - cell.momentum, 6), cell.eps) for cell in norms} == {(0.7, 1e-4)}


@pytest.mark.parametrize("name", ["xavier_uniform", "he_uniform", "he_normal"])
def test_first_weights(name: str) -> None:
    network = glore_res50(500, layers=(1, 1, 1, 1), base_width=16, weight_init=name)
    weights = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    fan_in, fan_out = 64 * 9, 64 * 9
    found = weights["layer3.0.conv2.weight"]
    variance = 2 / (fan_in + fan_out) if name == "xavier_uniform" else 2 / fan_in
    assert found.var() == pytest.approx(variance, rel=0.05)
    # uniform numbers end at the root of three times their variance
    assert bool(np.abs(found).max() > 1.01 * np.sqrt(3 * variance)) is (name == "he_normal")
    dense = weights["end_point.weight"]
    assert 0.019 < np.abs(dense).max() <= 0.02
    assert not weights["end_point.bias"].any()
    assert not any(weights[f"layer{number}.0.bn3.gamma"].any() for number in range(1, 5))


@eagerly()
def test_any_size_of_image() -> None:
    network = fill(small())
    x = Tensor(noise_images(1, 97, 33))
    wanted = network.features(x)
    assert wanted.shape == (1, 128, 4, 2)
    embedded = network.embed(x)
    assert (embedded.shape, embedded.dtype) == ((1, 128), ms.float32)
    np.testing.assert_allclose(embedded.asnumpy(), wanted.asnumpy().mean((2, 3)), rtol=1e-5)


@pytest.mark.parametrize(("unit", "size"), [("zoo", 97), ("paper", 32)])
def test_exported_files_agree_and_take_any_batch(unit: str, size: int) -> None:
    """With 32 pixels per side the units see fewer pixels than nodes, with 97 more than half as many."""
    x = noise_images(3, size, size)
    network = fill(small(unit=unit))
    with eagerly():
        wanted = network(Tensor(x)).asnumpy()
    ms.export(network, Tensor(x[:2]), file_name="x", file_format="MINDIR")
    graph = nn.GraphCell(ms.load("x.mindir"))
    compat.export_onnx(network, Tensor(x[:2]), "x.onnx", "images", "logits")
    session = onnxruntime.InferenceSession("x.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 3):
        limit = 1e-5 * np.abs(wanted[:count]).max()
        np.testing.assert_allclose(graph(Tensor(x[:count])).asnumpy(), wanted[:count], atol=limit)
        np.testing.assert_allclose(session.run(None, {"images": x[:count]})[0], wanted[:count], atol=limit)


@pytest.mark.parametrize(
    "options", [{}, {"unit": "paper"}, {"use_glore": False}, {"layers": (1, 2, 3, 1), "base_width": 6}]
)
def test_the_options_show_in_the_weights(options: dict[str, Any], tmp_path: Path) -> None:
    weights = small_weights(**options)
    wanted = {"use_glore": True, "unit": "zoo", **SMALL, **options}
    if not wanted["use_glore"]:
        wanted.pop("unit")
    assert options_of(weights) == wanted
    ms.save_checkpoint(rows(weights), str(tmp_path / "x.ckpt"))
    network = create_model("glore_res50", checkpoint=tmp_path / "x.ckpt")
    assert {p.name: p.shape for p in network.get_parameters()} == {n: v.shape for n, v in weights.items()}


def test_other_weights_are_not_taken_for_its_own() -> None:
    weights = small_weights()
    assert options_of({}) is None
    assert options_of({"conv1.weight": np.zeros((64, 3, 7, 7))}) is None
    assert options_of({**weights, "conv1.conv_3.weight": np.zeros(())}) is None
    assert options_of({name: value for name, value in weights.items() if not name.startswith("layer4")}) is None


@pytest.mark.parametrize("name", ["glore_res50_120-1251.ckpt", "glore_resnet50-120_1251.ckpt"])
def test_a_training_file_of_the_original_zoo_loads(tmp_path: Path, name: str) -> None:
    weights = small_weights()
    trained = {name: value for name, value in weights.items() if not name.endswith(("moving_mean", "moving_variance"))}
    content = {
        **{f"network.{name}": value for name, value in weights.items()},
        **{f"moments.{name}": np.zeros_like(value) for name, value in trained.items()},
        "momentum": np.float32(0.9),
        "learning_rate": np.zeros(5, np.float32),
        "global_step": np.array([5], np.int32),
    }
    ms.save_checkpoint(rows(content), str(tmp_path / name))
    network = create_model("glore_res50", checkpoint=tmp_path / name)
    for parameter in network.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name], err_msg=parameter.name)


def test_weights_of_the_other_unit_are_refused(tmp_path: Path) -> None:
    ms.save_checkpoint(rows(small_weights()), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"^unit is paper, and .*x\.ckpt is of a network with zoo; leave unit out"):
        create_model("glore_res50", checkpoint=tmp_path / "x.ckpt", unit="paper")


def test_a_class_count_of_1001(tmp_path: Path) -> None:
    assert create_model("glore_res50", 1001, **SMALL).end_point.weight.shape == (1001, 128)
    ms.save_checkpoint(rows(small_weights()), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"x\.ckpt has 5 classes; wanted 1001"):
        create_model("glore_res50", 1001, tmp_path / "x.ckpt")
    network = create_model("glore_res50", 1001, tmp_path / "x.ckpt", replace_head=True)
    with eagerly():
        assert network(Tensor(noise_images())).shape == (2, 1001)


def test_the_epoch_line() -> None:
    record = EpochRecord(
        epoch=0, epochs=120, step=1251, epoch_step=1251, steps_per_epoch=1251, steps_in_epoch=1251, loss=5.721338, mean_loss=6.5,
        lr=0.8, seconds=9.0, images_per_second=3886.0,
    )  # fmt: skip
    assert SPEC.lines.epoch(record) == ["epoch:1 step:1251, loss is 5.721338"]


def test_the_lines_of_an_evaluation() -> None:
    result = EvalResult(top1=9, top5=12, total=16, loss=1.0)
    accuracy = "{'Accuracy': 0.5625}"
    best = "Save the maximum accuracy checkpoint,the accuracy is 0.5625"
    assert SPEC.lines.evaluation(Evaluated(result, epoch=3, is_best=True)) == [accuracy, best]
    assert SPEC.lines.evaluation(Evaluated(result, epoch=3)) == [accuracy]
    assert SPEC.lines.evaluation(Evaluated(result, checkpoint="x.ckpt")) == [
        accuracy,
        "==============Acc: {'top_1_accuracy': 0.5625, 'top_5_accuracy': 0.75} ==============",
    ]


def test_the_name_of_a_checkpoint() -> None:
    settings = SPEC.train_config()
    assert SPEC.lines.checkpoint(settings, 0, 120, 1251) == "glore_res50_120-1251.ckpt"
    assert SPEC.lines.checkpoint(settings, 3, 120, 1251) == "glore_res50_rank3_120-1251.ckpt"


def test_a_file_without_a_name_is_recognised_by_its_weights(tmp_path: Path) -> None:
    ms.save_checkpoint(rows(small_weights()), str(tmp_path / "x.ckpt"))
    spec, _ = checkpoint_file.recognise(tmp_path / "x.ckpt", SPECS.values())
    assert spec is SPEC
