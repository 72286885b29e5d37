"""Gather-Excite ResNet-50 against reference vectors, the paper's definition and the original README."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnxruntime
import pytest
from mindspore import Tensor, nn

from mindzoo.models import create_model
from mindzoo.models.genet_res50 import SPEC
from mindzoo.models.genet_res50.keys import GENetEvalConfig, GENetExportConfig, GENetTrainConfig
from mindzoo.models.genet_res50.network import WholeMapGather, genet_res50
from mindzoo.tests.support.networks import eagerly, fill, noise_images, shapes_of, undrawn
from mindzoo.tests.support.reference import Vectors, assert_logits, rows, vectors
from mindzoo.utils import commands, compat
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES
from mindzoo.utils.records import EpochRecord, EvalResult, Evaluated

SMALL: dict[str, Any] = {"layers": (1, 2, 1, 1), "base_width": 4, "image_size": (32, 64)}
# mlp, extra -> trainable parameters, trainable tensors, all tensors of the original zoo's networks
COUNTS = {
    (True, True): (33_586_216, 250, 394),
    (False, True): (31_071_272, 218, 362),
    (False, False): (25_557_032, 161, 267),
    (True, False): (28_071_976, 193, 299),
}
VARIANTS = list(COUNTS)
RESNET50 = 25_557_032
CHANNELS, BLOCKS = (256, 512, 1024, 2048), (3, 4, 6, 3)


def filled(**options: Any) -> nn.Cell:
    """A small network whose weights are functions of their names, set to inference."""
    return fill(genet_res50(5, **{**SMALL, **options}))


def images(batch: int = 2, size: tuple[int, int] = (32, 64)) -> np.ndarray:
    return noise_images(batch, *size)


@pytest.fixture(scope="module")
def zoo() -> Vectors:
    return vectors("ms_genet_tt")


@undrawn()
def test_names_and_shapes_are_those_of_the_zoo(zoo: Vectors) -> None:
    assert shapes_of(genet_res50()) == {name: value.shape for name, value in zoo.weights.items()}


@eagerly()
def test_logits_are_those_of_the_zoo(zoo: Vectors, tmp_path: Path) -> None:
    ms.save_checkpoint(rows(zoo.weights), str(tmp_path / "zoo.ckpt"))
    with undrawn():
        network = create_model("genet_res50", checkpoint=tmp_path / "zoo.ckpt")
    assert_logits(network, zoo)


@undrawn()
@pytest.mark.parametrize(("mlp", "extra"), VARIANTS)
def test_counts_are_those_of_the_zoo(mlp: bool, extra: bool) -> None:
    network = genet_res50(mlp=mlp, extra=extra)
    trained = network.trainable_params()
    assert (sum(p.size for p in trained), len(trained), len(shapes_of(network))) == COUNTS[mlp, extra]


@undrawn()
@pytest.mark.parametrize(("mlp", "extra"), VARIANTS)
def test_the_papers_counts_follow_from_its_definition(mlp: bool, extra: bool) -> None:
    """Per block a depthwise filter as large as the map with gamma and beta, and an MLP with biases."""
    wanted = RESNET50
    for channels, blocks, side in zip(CHANNELS, BLOCKS, (56, 28, 14, 7), strict=True):
        hidden = channels // 16
        wanted += extra * blocks * channels * (side * side + 2)
        wanted += mlp * blocks * (channels * hidden + hidden + hidden * channels + channels)
    found = sum(p.size for p in genet_res50(mlp=mlp, extra=extra, gather="paper").trainable_params())
    assert found == wanted
    assert found == {(1, 1): 33_637_592, (0, 1): 31_106_600, (0, 0): RESNET50}.get((mlp, extra), wanted)


@undrawn()
@pytest.mark.parametrize(
    ("gather", "size", "kernels"),
    [
        ("zoo", (224, 224), [(28, 28), (28, 28), (14, 14), (7, 7)]),
        ("paper", (224, 224), [(56, 56), (28, 28), (14, 14), (7, 7)]),
        ("zoo", (32, 96), [(4, 12), (4, 12), (2, 6), (1, 3)]),
        ("paper", (32, 96), [(8, 24), (4, 12), (2, 6), (1, 3)]),
    ],
)
def test_a_gather_covers_the_whole_map(gather: str, size: tuple[int, int], kernels: list[tuple[int, int]]) -> None:
    found = shapes_of(genet_res50(gather=gather, image_size=size, base_width=4))
    first = 2 if gather == "zoo" else 0
    for number, (kernel, at, blocks) in enumerate(zip(kernels, (first, 0, 0, 0), BLOCKS, strict=True), 1):
        for block in range(blocks):
            assert found[f"layer{number}.{block}.downop.{at}.weight"] == (8 * 2**number, 1, *kernel)
    dense = found["layer1.0.downop.0.weight"] == (16, 16, 3, 3)
    assert dense is (gather == "zoo")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def gate_by_definition(weights: dict[str, np.ndarray], residual: np.ndarray, mlp: bool, extra: bool) -> np.ndarray:
    """The paper's gate of layer2's second block, from the residual (B, C, H, W), in float64: (B, C)."""
    block = {name.removeprefix("layer2.1."): value.astype(np.float64) for name, value in weights.items()}
    gathered = residual.astype(np.float64).mean((2, 3))
    if extra:
        gathered = (residual * block["downop.0.weight"][:, 0]).sum((2, 3))
        scale = block["downop.1.gamma"] / np.sqrt(block["downop.1.moving_variance"] + 1e-5)
        gathered = (gathered - block["downop.1.moving_mean"]) * scale + block["downop.1.beta"]
        gathered = np.maximum(gathered, 0) if mlp else gathered
    if mlp:
        hidden = gathered @ block["mlpLayer.0.weight"][:, :, 0, 0].T + block["mlpLayer.0.bias"]
        gathered = np.maximum(hidden, 0) @ block["mlpLayer.2.weight"][:, :, 0, 0].T + block["mlpLayer.2.bias"]
    return sigmoid(gathered)


@eagerly()
@pytest.mark.parametrize(("mlp", "extra"), VARIANTS)
def test_a_block_of_the_papers_gather_is_its_definition(mlp: bool, extra: bool) -> None:
    network = filled(mlp=mlp, extra=extra, gather="paper")
    weights = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    block = network.layer2[1]
    x = np.abs(np.random.default_rng(5).standard_normal((2, 32, 4, 8))).astype(np.float32)
    residual = block.conv3(block.conv2(block.conv1(Tensor(x)))).asnumpy()
    gate = gate_by_definition(weights, residual, mlp, extra)
    wanted = np.maximum(residual * gate[:, :, None, None] + x, 0)
    np.testing.assert_allclose(block(Tensor(x)).asnumpy(), wanted, rtol=1e-5, atol=1e-5)
    assert np.ptp(gate) > 0.1


@eagerly()
@pytest.mark.parametrize("kernel", [(8, 24), (1, 3)])
def test_a_gather_of_the_whole_map_is_the_depthwise_convolution(kernel: tuple[int, int]) -> None:
    """Values and gradients, without a kernel that the card may not have."""
    gathers = [kind(4, 4, kernel, pad_mode="valid", group=4) for kind in (nn.Conv2d, WholeMapGather)]
    random = np.random.default_rng(4)
    weight, x = (random.standard_normal((count, *shape)).astype(np.float32) / np.sqrt(np.prod(kernel))
                 for count, shape in ((4, (1, *kernel)), (2, (4, *kernel))))  # fmt: skip
    found = []
    for gather in gathers:
        gather.weight.set_data(Tensor(weight))
        both = ms.value_and_grad(gather, 0, gather.trainable_params())
        value, (of_x, (of_weight,)) = both(Tensor(x))
        found.append([tensor.asnumpy() for tensor in (value, of_x, of_weight)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "momenta"), [({}, (0.95, 0.9, 0.997)), ({"bn_momentum": 0.75}, (0.75, 0.75, 0.75))]
)
def test_momentum_and_epsilon_of_the_batch_norms(options: dict[str, Any], momenta: tuple[float, ...]) -> None:
    kinds: dict[str, set[tuple[float, float]]] = {}
    for name, cell in genet_res50(5, **SMALL, **options).cells_and_names():
        if isinstance(cell, nn.BatchNorm2d):
            kind = "bn1" if name == "bn1" else "gather" if "downop" in name else name.rpartition(".")[2]
            # MindSpore keeps 1 - momentum.
            kinds.setdefault(kind, set()).add((round(1 - cell.momentum, 6), cell.eps))
    stem, gather, block = momenta
    assert kinds == {"bn1": {(stem, 1e-4)}, "gather": {(gather, 1e-5)}, "batchnorm": {(block, 1e-5)}}


def test_first_weights() -> None:
    ms.set_seed(1)
    network = genet_res50(1000, image_size=(64, 64), layers=(1, 1, 1, 1))
    found = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    for name, value in found.items():
        if value.ndim == 4 and name != "conv1.weight":
            bound = np.sqrt(6 / np.prod(value.shape[1:]))
            assert 0.97 * bound < np.abs(value).max() <= bound * (1 + 1e-6), name
            assert value.std() == pytest.approx(bound / np.sqrt(3), rel=0.05), name
    assert found["conv1.weight"].std() == pytest.approx(np.sqrt(2 / (64 * 7 * 7)), rel=0.05)
    classifier = found["end_point.weight"]
    assert 0.0195 < np.abs(classifier).max() <= 0.02
    assert classifier.std() == pytest.approx(0.0088, rel=0.02)  # a normal of 0.01 that is cut at two deviations
    assert not found["end_point.bias"].any()
    biases = [p.asnumpy() for p in genet_res50(5, **SMALL, gather="paper").get_parameters() if p.name.endswith(".bias")]
    assert len(biases) == 1 + 2 * 5
    assert not np.concatenate(biases).any()


@eagerly()
@pytest.mark.parametrize("size", [(32, 64), (96, 32)])
def test_features_and_embedding(size: tuple[int, int]) -> None:
    network, batch = filled(image_size=size), Tensor(images(size=size))
    features, embedding = network.features(batch), network.embed(batch)
    assert features.shape == (2, 128, size[0] // 32, size[1] // 32)
    assert (embedding.shape, embedding.dtype) == ((2, 128), ms.float32)
    np.testing.assert_allclose(features.asnumpy().mean((2, 3)), embedding.asnumpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.end_point(embedding).asnumpy(), network(batch).asnumpy(), atol=1e-5)


@eagerly()
@pytest.mark.parametrize("mlp", [False, True])
def test_a_mean_takes_images_of_any_size(mlp: bool) -> None:
    network = filled(mlp=mlp, extra=False, image_size=(33, 1))
    logits = [network(Tensor(images(size=size))).asnumpy() for size in ((32, 32), (75, 41))]
    assert [value.shape for value in logits] == [(2, 5), (2, 5)]
    assert np.isfinite(logits).all()


def call(network: nn.Cell, x: Tensor) -> Tensor:
    return network(x)


def embed(network: nn.Cell, x: Tensor) -> Tensor:
    return network.embed(x)


@eagerly()
@pytest.mark.parametrize("compute", [call, embed])
def test_a_learnt_gather_refuses_images_of_another_size(compute: Callable[[nn.Cell, Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"images are \(64, 64\); .* take \(32, 64\) only"):
        compute(filled(), Tensor(images(size=(64, 64))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gather": "mean"}, r"^gather is 'mean'; wanted one of zoo, paper$"),
        ({"image_size": (224, 225)}, r"^image_size is \(224, 225\); .* multiples of 32: .* or extra=False"),
        ({"image_size": (0, 32)}, r"^image_size is \(0, 32\)"),
        ({"image_size": (32,)}, r"^image_size is \(32,\)"),
        ({"layers": (1, 1, 1)}, r"^layers is \(1, 1, 1\); .* 4 layers$"),
        ({"layers": (1, 0, 1, 1)}, r"^layers is \(1, 0, 1, 1\)"),
        ({"base_width": 6}, r"^base_width is 6; wanted a multiple of 4$"),
    ],
)
def test_arguments_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        genet_res50(5, **{**SMALL, **options})


EXPORTED = [*((mlp, extra, "zoo") for mlp, extra in VARIANTS), (True, True, "paper"), (True, False, "paper")]


@pytest.mark.parametrize(("mlp", "extra", "gather"), EXPORTED)
def test_mindir_and_onnx_compute_the_same(mlp: bool, extra: bool, gather: str) -> None:
    options = {"mlp": mlp, "extra": extra, "gather": gather}
    network, one, two = filled(**options), images()[:1], images()
    with eagerly():
        wanted = network(Tensor(two)).asnumpy()
    ms.export(network, Tensor(one), file_name="x", file_format="MINDIR")
    compat.export_onnx(network, Tensor(one), "x.onnx", "images", "logits")
    assert_alike(nn.GraphCell(ms.load("x.mindir"))(Tensor(one)).asnumpy(), wanted[:1])
    session = onnxruntime.InferenceSession(Path("x.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    for batch in (one, two):
        assert_alike(session.run(None, {"images": batch})[0], wanted[: len(batch)])


def assert_alike(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_sides_that_no_gather_covers_are_refused_before_anything_is_written(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data_dir", str(colors / "train"), "--output_dir", str(tmp_path / "out"), "--device_target", "CPU"]
    assert commands.train(SPEC, [*flags, "--batch_size", "6", "--image_size", "40"]) == 2
    assert "image_size is (40, 40); a learnt gather needs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_epoch_line() -> None:
    record = EpochRecord(
        epoch=2, epochs=150, step=15000, epoch_step=5000, steps_per_epoch=5000, steps_in_epoch=5000, loss=float(np.float32(3.833077)),
        mean_loss=5.5, lr=0.1, seconds=9.0, images_per_second=100.0,
    )  # fmt: skip
    assert list(SPEC.lines.epoch(record)) == ["epoch: 3 step: 5000, loss is 3.833077"]


def test_the_evaluation_line() -> None:
    result = EvalResult(top1=39174, top5=46989, total=49920, loss=1.0)
    line = "result: {'top_5_accuracy': 0.9412860576923077, 'top_1_accuracy': 0.7847355769230769}"
    assert list(SPEC.lines.evaluation(Evaluated(result, epoch=3))) == [line]
    assert list(SPEC.lines.evaluation(Evaluated(result, checkpoint="a/GENet-150_625.ckpt"))) == [
        f"{line} ckpt= a/GENet-150_625.ckpt"
    ]


@pytest.mark.parametrize(("rank", "name"), [(0, "GENet-150_625.ckpt"), (3, "GENet_rank3-150_625.ckpt")])
def test_the_name_of_a_checkpoint(rank: int, name: str) -> None:
    assert SPEC.lines.checkpoint(SPEC.train_config(), rank, 150, 625) == name
    found = re.fullmatch(SPEC.lines.checkpoint_pattern, name)
    assert found is not None
    assert (found["epoch"], found["step"]) == ("150", "625")


def test_the_name_that_mindspore_gives_a_second_run() -> None:
    assert re.fullmatch(SPEC.lines.checkpoint_pattern, "GENet_1-10_625.ckpt")
    assert not re.fullmatch(SPEC.lines.checkpoint_pattern, "best.ckpt")


def test_spellings_of_the_original_readme() -> None:
    flags = "--class_num 7 --epoch_size 9 --pretrain_epoch_size 2 --save_checkpoint_path o --use_label_smooth False"
    more = "--lr_init 0.5 --pre_trained p --is_modelarts False --mlp True --extra False"
    aliases = {**TRAIN_ALIASES, **SPEC.train_aliases}
    settings = reading.read_config(GENetTrainConfig, [*flags.split(), *more.split()], aliases=aliases).config
    found = (settings.num_classes, settings.max_epoch, settings.begin_epoch, settings.output_dir, settings.lr)
    assert found == (7, 9, 2, "o", 0.5)
    assert (settings.pretrained, settings.smoothing, settings.mlp, settings.extra) == ("p", 0.0, True, False)
    words = ["--checkpoint_path", "c", "--is_modelarts", "False"]
    assert reading.read_config(GENetEvalConfig, words, aliases=SPEC.eval_aliases).config.checkpoint == "c"
    words = ["--pre_trained", "c", "--format_type", "ONNX", "--mlp", "False"]
    export = reading.read_config(GENetExportConfig, words, aliases=SPEC.export_aliases).config
    assert (export.checkpoint, export.file_format, export.mlp) == ("c", "ONNX", False)


def test_the_shorter_side_is_resized_in_every_command() -> None:
    for kind in (SPEC.train_config, SPEC.eval_config, SPEC.export_config):
        assert kind().resize_mode == "shorter"
