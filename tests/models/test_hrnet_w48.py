"""HRNet-W48-C against reference vectors, the paper's structure and the original README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnxruntime
import pytest
from mindspore import Tensor, nn
from safetensors.numpy import save_file

from mindzoo.models import create_model
from mindzoo.models.hrnet_w48 import SPEC
from mindzoo.models.hrnet_w48.keys import HRNetTrainConfig
from mindzoo.models.hrnet_w48.network import Module, Upsample, hrnet_w48
from mindzoo.models.hrnet_w48.weights import from_torch, options_of
from mindzoo.tests.support.networks import assert_parameters, eagerly, fill, noise_images, undrawn, weights_of
from mindzoo.tests.support.reference import FILL, Vectors, assert_logits, assert_maps, rows, vectors
from mindzoo.utils import compat
from mindzoo.utils.checkpoints import checkpoint_file, loading
from mindzoo.utils.errors import UserError
from mindzoo.utils.records import EpochRecord, EvalResult, Evaluated

SMALL: dict[str, Any] = {"width": 4, "modules": (1, 1), "blocks": 1, "head_width": 2}
# timm 1.0.22: create_model("hrnet_w48", features_only=True) with the weights of the reference: channels, and what
# [float(m.abs().double().mean()) for m in model(images(1, 64))] gives.
TIMM_MAPS = [64, 128, 256, 512, 1024], [0.4229156, 2076.79093, 1610.34910, 1679.25255, 1013.34580]
WORDS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def small(**options: Any) -> nn.Cell:
    return fill(hrnet_w48(3, **{**SMALL, **options}))


def small_weights(**options: Any) -> dict[str, np.ndarray]:
    return weights_of(small(**options))


def torch_names(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same under the authors' names, with batch norm's counters."""
    found = {}
    for name, value in weights.items():
        layer, leaf = name.rsplit(".", 1)
        found[f"{layer}.{WORDS.get(leaf, leaf)}"] = value
        if leaf == "moving_mean":
            found[f"{layer}.num_batches_tracked"] = np.array(7)
    return found


def repeat(x: np.ndarray, factor: int) -> np.ndarray:
    return x.repeat(factor, 2).repeat(factor, 3)


@pytest.fixture(scope="module")
def zoo() -> Vectors:
    return vectors("ms_hrnet_w48")


@pytest.fixture(scope="module")
def full(zoo: Vectors, tmp_path_factory: pytest.TempPathFactory) -> nn.Cell:
    """The network with the original zoo's weights."""
    path = tmp_path_factory.mktemp("zoo") / "hrnetw48cls-imagenet-final.ckpt"
    ms.save_checkpoint(rows(zoo.weights), str(path))
    with undrawn():
        return create_model("hrnet_w48", checkpoint=path)


def test_names_shapes_and_counts_are_those_of_the_zoo(full: nn.Cell, zoo: Vectors) -> None:
    assert_parameters(full, zoo, tensors=1631, trained=981, numbers=77_469_864)
    assert parameters(48) == 77_469_864


@eagerly()
def test_logits_are_those_of_the_zoo_and_of_timm(full: nn.Cell, zoo: Vectors, tmp_path: Path) -> None:
    """In one test, because making the network takes longer than all else."""
    assert_logits(full, zoo)
    timm = vectors("pt_timm_hrnet_w48")
    save_file(timm.weights, str(tmp_path / "timm.safetensors"))
    loading.load_into(full, checkpoint_file.read_checkpoint(tmp_path / "timm.safetensors", SPEC))
    assert_logits(full, timm)
    assert_maps(full, *TIMM_MAPS)


def convolution(in_channels: int, out_channels: int, kernel: int) -> int:
    """Parameters of a convolution with the batch norm behind it."""
    return in_channels * out_channels * kernel**2 + 2 * out_channels


def bottleneck(in_channels: int, planes: int) -> int:
    shortcut = convolution(in_channels, 4 * planes, 1) if in_channels != 4 * planes else 0
    sizes = [(in_channels, planes, 1), (planes, planes, 3), (planes, 4 * planes, 1)]
    return shortcut + sum(convolution(*size) for size in sizes)


def module(channels: list[int]) -> int:
    """Four basic blocks per branch, and the exchange between any two branches."""
    total = sum(8 * convolution(c, c, 3) for c in channels)
    for target, wide in enumerate(channels):
        for source, narrow in enumerate(channels):
            if source > target:
                total += convolution(narrow, wide, 1)
            if source < target:
                total += (target - source - 1) * convolution(narrow, narrow, 3) + convolution(narrow, wide, 3)
    return total


def parameters(width: int) -> int:
    """Of the network with 1000 classes, from the paper's description."""
    channels, planes = [width * 2**k for k in range(4)], [32, 64, 128, 256]
    total = convolution(3, 64, 3) + convolution(64, 64, 3) + bottleneck(64, 64) + 3 * bottleneck(256, 64)
    total += convolution(256, channels[0], 3) + convolution(256, channels[1], 3)
    total += sum(convolution(channels[k], channels[k + 1], 3) for k in (1, 2))
    total += module(channels[:2]) + 4 * module(channels[:3]) + 3 * module(channels)
    total += sum(bottleneck(c, p) for c, p in zip(channels, planes, strict=True))
    total += sum(convolution(4 * p, 8 * p, 3) + 8 * p for p in planes[:3])
    return total + convolution(1024, 2048, 1) + 2048 + 2048 * 1000 + 1000


@undrawn()
@pytest.mark.parametrize(("width", "millions"), [(18, 21.3), (32, 41.2), (40, 57.6), (64, 128.1)])
def test_widths_of_the_paper(width: int, millions: float) -> None:
    """The authors publish the millions with one decimal; width 48 is compared with the zoo's weights above."""
    found = sum(parameter.size for parameter in hrnet_w48(width=width).trainable_params())
    assert found == parameters(width)
    assert round(found / 1e6, 1) == millions


@pytest.mark.slow
def test_a_graph_of_full_size_computes_what_its_operators_do() -> None:
    with undrawn():
        network = fill(hrnet_w48())
    x = Tensor(noise_images(2, 64, 64))
    logits = network(x).asnumpy()
    with eagerly():
        np.testing.assert_allclose(network(x).asnumpy(), logits, atol=1e-4 * np.abs(logits).max())
    assert logits.shape == (2, 1000)
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


@pytest.mark.parametrize(("factor", "shape"), [(2, (2, 3, 4, 5)), (4, (1, 2, 3, 2)), (8, (3, 2, 1, 1))])
def test_upsampling_and_its_gradient(factor: int, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(4)
    x = noise.standard_normal(shape).astype(np.float32)
    upsample = Upsample(factor)
    np.testing.assert_array_equal(upsample(Tensor(x)).asnumpy(), repeat(x, factor))
    above = noise.standard_normal(repeat(x, factor).shape).astype(np.float32)

    def weighted(x: Tensor) -> Tensor:
        return (upsample(x) * Tensor(above)).sum()

    batch, channels, height, width = shape
    wanted = above.reshape(batch, channels, height, factor, width, factor).sum((3, 5))
    np.testing.assert_allclose(ms.grad(weighted)(Tensor(x)).asnumpy(), wanted, rtol=1e-5, atol=1e-5)


@eagerly()
@pytest.mark.parametrize("sizes", [[(8, 4), (4, 2), (2, 1)], [(9, 5), (5, 3), (3, 2)]])
def test_a_module_adds_every_branch_to_every_branch(sizes: list[tuple[int, int]]) -> None:
    """Of images of 32x16 pixels, and of 33x17."""
    channels = [3, 6, 12]
    cell = fill(Module(channels, 1, ms.common.initializer.XavierUniform()))
    maps = [FILL["fill"](f"{k}.weight", (2, c, *sizes[k])) for k, c in enumerate(channels)]
    branches = [cell.branches[k](Tensor(x)) for k, x in enumerate(maps)]
    for target, found in enumerate(cell(tuple(Tensor(x) for x in maps))):
        height, width = sizes[target]
        wanted = branches[target].asnumpy()
        for source in {0, 1, 2} - {target}:
            step = cell.fuse_layers[target][source]
            if source > target:
                low = step[1](step[0](branches[source])).asnumpy()
                wanted = wanted + repeat(low, 2 ** (source - target))[:, :, :height, :width]
            else:
                wanted = wanted + step(branches[source]).asnumpy()
        np.testing.assert_allclose(found.asnumpy(), np.maximum(wanted, 0), rtol=1e-4, atol=1e-5)


@eagerly()
def test_features_and_embedding() -> None:
    """Of two branches, so the last map is an eighth of the image."""
    network, batch = small(modules=(1,)), Tensor(noise_images(2, 50, 33))
    features, embedding = network.features(batch), network.embed(batch)
    assert features.shape == (2, 128, 7, 5)
    assert (embedding.shape, embedding.dtype) == ((2, 128), ms.float32)
    np.testing.assert_allclose(features.asnumpy().mean((2, 3)), embedding.asnumpy(), rtol=1e-5, atol=1e-6)


def test_exported_files_agree_and_take_any_batch() -> None:
    """With sides that are no multiples of 32."""
    x = noise_images(3, 40, 75)
    network = small()
    with eagerly():
        wanted = network(Tensor(x)).asnumpy()
    ms.export(network, Tensor(x[:1]), file_name="x", file_format="MINDIR")
    graph = nn.GraphCell(ms.load("x.mindir"))
    compat.export_onnx(network, Tensor(x[:1]), "x.onnx", "images", "logits")
    session = onnxruntime.InferenceSession("x.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 3):
        limit = 1e-5 * np.abs(wanted[:count]).max()
        np.testing.assert_allclose(graph(Tensor(x[:count])).asnumpy(), wanted[:count], atol=limit)
        np.testing.assert_allclose(session.run(None, {"images": x[:count]})[0], wanted[:count], atol=limit)


@pytest.mark.parametrize("name", ["TruncatedNormal", "XavierUniform", "HeNormal"])
def test_first_weights_of_the_convolutions(name: str) -> None:
    weights = {p.name: p.asnumpy() for p in hrnet_w48(3, **{**SMALL, "width": 32}, conv_init=name).get_parameters()}
    found = weights["transition1.1.0.0.weight"]
    fan_in, fan_out = 256 * 9, 64 * 9
    # A normal that is cut at two sigmas keeps 0.88 of its deviation.
    deviation = {
        "TruncatedNormal": 0.02375,
        "XavierUniform": (2 / (fan_in + fan_out)) ** 0.5,
        "HeNormal": (2 / fan_out) ** 0.5,
    }
    largest = {"TruncatedNormal": 0.054, "XavierUniform": 3**0.5 * deviation["XavierUniform"]}
    assert found.std() == pytest.approx(deviation[name], rel=0.01)
    if name in largest:
        assert 0.99 * largest[name] < np.abs(found).max() <= 1.000001 * largest[name]
    else:
        assert np.abs(found).max() > 4 * deviation[name]
    for layer, inputs in (("downsamp_modules.0.0", 8 * 9), ("final_layer.0", 32)):
        bias = weights[f"{layer}.bias"]
        assert bias.std() > 0.3 * inputs**-0.5
        assert np.abs(bias).max() <= inputs**-0.5


@pytest.mark.parametrize(
    ("name", "deviation", "largest"), [("RandomNormal", 0.01, 1.0), ("TruncatedNormal", 0.02375, 0.054)]
)
def test_first_weights_of_the_classifier(name: str, deviation: float, largest: float) -> None:
    classifier = hrnet_w48(200, **SMALL, dense_init=name).classifier
    weight = classifier.weight.asnumpy()
    assert weight.std() == pytest.approx(deviation, rel=0.02)
    assert 3.5 * deviation < np.abs(weight).max() * (2 if name == "TruncatedNormal" else 1)
    assert np.abs(weight).max() <= largest
    assert not classifier.bias.asnumpy().any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, r"^width is 0; wanted at least 1$"),
        ({"blocks": 0}, r"^blocks is 0; wanted at least 1$"),
        ({"head_width": -1}, r"^head_width is -1; wanted at least 1$"),
        ({"num_classes": -1}, r"^num_classes is -1; wanted at least 0$"),
        ({"modules": ()}, r"^modules is \(\); wanted .* stages 2, 3 and 4$"),
        ({"modules": (1, 0, 3)}, r"^modules is \(1, 0, 3\)"),
        ({"modules": (1, 1, 1, 1)}, r"^modules is \(1, 1, 1, 1\)"),
        ({"conv_init": "Zeros"}, r"^conv_init is 'Zeros'; wanted one of TruncatedNormal, XavierUniform, HeNormal$"),
        ({"dense_init": "HeNormal"}, r"^dense_init is 'HeNormal'; wanted one of RandomNormal, TruncatedNormal$"),
    ],
)
def test_arguments_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hrnet_w48(**{**SMALL, **options})


@pytest.mark.parametrize("options", [{}, {"modules": (2,)}, {"modules": (1, 2, 1), "blocks": 2, "width": 6}])
def test_the_options_show_in_the_weights(options: dict[str, Any], tmp_path: Path) -> None:
    weights = small_weights(**options)
    assert options_of(weights) == {**SMALL, **options}
    save_file(torch_names(weights), str(tmp_path / "x.safetensors"))
    network = create_model("hrnet_w48", checkpoint=tmp_path / "x.safetensors")
    for parameter in network.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name], err_msg=parameter.name)


def test_other_weights_are_not_taken_for_its_own() -> None:
    weights = small_weights()
    assert options_of({}) is None
    assert options_of({"conv1.weight": np.zeros((64, 3, 3, 3))}) is None
    assert options_of({**weights, "transition1.0.0.weight": np.zeros(())}) is None
    for layer in ("stage2", "layer1", "incre_modules"):
        assert options_of({name: value for name, value in weights.items() if not name.startswith(layer)}) is None


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    ms.save_checkpoint(rows(small_weights()), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"^width is 8, and .*x\.ckpt is of a network with 4; leave width out"):
        create_model("hrnet_w48", checkpoint=tmp_path / "x.ckpt", width=8)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("stage4.2.fuse_layers.3.0.2.1.gamma", "stage4.2.fuse_layers.3.0.2.1.gamma"),
        ("final_layer.0.bias", "final_layer.0.bias"),
        ("last_layer.0.weight", None),
        ("layer2.0.conv1.weight", None),
    ],
)
def test_structure_names(name: str, wanted: str | None) -> None:
    assert from_torch(name) == wanted


def test_a_training_file_of_the_original_zoo_loads(tmp_path: Path) -> None:
    weights = small_weights()
    trained = {name: value for name, value in weights.items() if not name.endswith(("moving_mean", "moving_variance"))}
    content = {
        **{f"network.{name}": value for name, value in weights.items()},
        **{
            f"{state}.{name}": np.ones_like(value)
            for state in ("mean_square", "moment")
            for name, value in trained.items()
        },
        "learning_rate": np.zeros(5, np.float32),
        "global_step": np.array([5], np.int32),
    }
    path = tmp_path / "hrnetw48-imagenet-120_10009.ckpt"
    ms.save_checkpoint(rows(content), str(path))
    network = create_model("hrnet_w48", checkpoint=path)
    for parameter in network.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name], err_msg=parameter.name)


def test_a_class_count_of_1001(tmp_path: Path) -> None:
    assert create_model("hrnet_w48", 1001, **SMALL).classifier.weight.shape == (1001, 128)
    ms.save_checkpoint(rows(small_weights()), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"x\.ckpt has 3 classes; wanted 1001"):
        create_model("hrnet_w48", 1001, tmp_path / "x.ckpt")


def test_the_epoch_line() -> None:
    """The lines of the original README."""
    facts: dict[str, Any] = {
        "epochs": 120,
        "step": 10009,
        "epoch_step": 10009,
        "steps_per_epoch": 10009,
        "steps_in_epoch": 10009,
        "images_per_second": 67.0,
    }
    first = EpochRecord(epoch=0, loss=4.0, mean_loss=4.0934, lr=0.00501, seconds=2404.040882, **facts)
    fourth = EpochRecord(epoch=3, loss=3.0, mean_loss=3.0931, lr=0.00983, seconds=825.988881, **facts)
    last = EpochRecord(epoch=119, loss=3.0, mean_loss=1.67, lr=0.00001, seconds=825.988881, **facts)
    assert SPEC.lines.epoch(first) == [
        "epoch: [ 1/120], epoch time: 2404040.882, steps: 10009, per step time: 240.188, avg loss: 4.093, lr:[0.005]"
    ]
    assert SPEC.lines.epoch(fourth) == [
        "epoch: [ 4/120], epoch time: 825988.881, steps: 10009, per step time: 82.525, avg loss: 3.093, lr:[0.010]"
    ]
    assert SPEC.lines.epoch(last)[0].startswith("epoch: [120/120], epoch time: 825988.881, steps: 10009, ")


def test_the_lines_of_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    result = EvalResult(top1=39679, top5=47280, total=50000, loss=1.9160713648223877)
    assert SPEC.lines.evaluation(Evaluated(result, checkpoint="x.ckpt")) == [
        "{'Loss': 1.9160713648223877, 'Top_1_Acc': 0.79358, 'Top_5_Acc': 0.9456}"
    ]
    monkeypatch.delenv("DEVICE_ID", raising=False)
    line = "==== epoch:  10, device id:  0, top1-acc: 0.7936, top5-acc: 0.9456"
    assert SPEC.lines.evaluation(Evaluated(result, epoch=9)) == [line]
    monkeypatch.setenv("DEVICE_ID", "7")
    assert SPEC.lines.evaluation(Evaluated(result, epoch=9)) == [line.replace("id:  0", "id:  7")]


@pytest.mark.parametrize(
    ("dataset", "rank", "name"),
    [
        ("imagenet", 0, "hrnetw48-imagenet-120_10009.ckpt"),
        ("my-flowers", 3, "hrnetw48_rank3-my-flowers-120_10009.ckpt"),
    ],
)
def test_the_name_of_a_checkpoint(dataset: str, rank: int, name: str) -> None:
    settings = HRNetTrainConfig(dataset=dataset)
    assert SPEC.lines.checkpoint(settings, rank, 120, 10009) == name
    found = re.fullmatch(SPEC.lines.checkpoint_pattern, name)
    assert found is not None
    assert (found["epoch"], found["step"]) == ("120", "10009")
    assert SPEC.lines.final is not None
    final = SPEC.lines.final(settings)
    assert final == f"hrnetw48cls-{dataset}-final.ckpt"
    assert not re.fullmatch(SPEC.lines.checkpoint_pattern, final)


def test_the_name_that_mindspore_gives_a_second_run() -> None:
    assert re.fullmatch(SPEC.lines.checkpoint_pattern, "hrnetw48_1-imagenet-10_625.ckpt")
