"""MultiGrain against the authors' outputs, and its parts against their definitions in NumPy and float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np
import onnxruntime
import pytest
from mindspore import ParameterTuple, Tensor, nn

from mindzoo.models.multigrain.constants import LAYERS
from mindzoo.models.multigrain.network import GeM, LogitsAndEmbedding, MultiGrain, multigrain
from mindzoo.models.multigrain.weights import from_torch, options_of
from mindzoo.tests.support.networks import eagerly, fill, noise_images, undrawn, weights_of
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.reference import Vectors, assert_logits, vectors
from mindzoo.utils import compat
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.metric_losses import MarginLoss, MixedLoss

SMALL: dict[str, Any] = {"layers": (1, 1, 1, 1), "base_width": 4}
TORCH_WORDS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
Weights = Mapping[str, np.ndarray]


def small(num_classes: int = 5, **options: Any) -> MultiGrain:
    """Filled, but for p."""
    return fill(multigrain(num_classes, **{**SMALL, **options}), without="pool.p")


def give(network: nn.Cell, weights: Weights) -> None:
    for parameter in network.get_parameters():
        if parameter.name in weights:
            parameter.set_data(Tensor(weights[parameter.name], parameter.dtype))


def in_our_words(weights: Weights) -> dict[str, np.ndarray]:
    """Weights of PyTorch by our names; all must have one."""
    found = {}
    for name, value in weights.items():
        stem, _, leaf = name.rpartition(".")
        ours = from_torch(f"{stem}.{TORCH_WORDS[leaf]}" if f"{stem}.running_mean" in weights else name)
        assert ours is not None, name
        found[ours] = value
    return found


@pytest.fixture(scope="module")
def authors() -> Vectors:
    return vectors("pt_multigrain_resnet50")


@eagerly()
def test_logits_and_embeddings_are_those_of_the_authors(authors: Vectors) -> None:
    weights = in_our_words(authors.weights)
    with undrawn():
        network = multigrain(flavour="paper").set_train(False)
    assert {**weights, "pool.p": 0}.keys() == weights_of(network).keys()
    give(network, weights)
    assert_logits(network, authors)
    with np.load(ROOT / "tests" / "vectors" / "pt_multigrain_resnet50.npz") as file:
        wanted = file["embedding"]
    found = network.embed(Tensor(authors.images)).asnumpy()
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


@undrawn()
@pytest.mark.parametrize(
    ("backbone", "count"), [("resnet50", 25_559_081), ("resnet101", 44_551_209), ("se_resnet50", 28_203_593)]
)
def test_counts(backbone: str, count: int) -> None:
    network = multigrain(1001, backbone=backbone)
    assert sum(parameter.size for parameter in network.trainable_params()) == count


def test_p_is_in_a_file_and_trained_only_on_request() -> None:
    fixed, learnt = multigrain(3, **SMALL), multigrain(3, **SMALL, learn_p=True)
    assert weights_of(fixed).keys() == weights_of(learnt).keys()
    assert float(fixed.pool.p) == 3
    names = [{parameter.name for parameter in network.trainable_params()} for network in (fixed, learnt)]
    assert names[1] - names[0] == {"pool.p"}


@undrawn()
def test_names_and_shapes_of_the_zoo() -> None:
    found = {parameter.name: parameter.shape for parameter in multigrain(1001).get_parameters()}
    assert found["conv1.weight"] == (64, 3, 7, 7)
    assert found["bn1.gamma"] == (64,)
    assert found["layer1.0.conv2.weight"] == (64, 64, 3, 3)
    assert found["layer1.0.down_sample_layer.0.weight"] == (256, 64, 1, 1)
    assert found["layer2.0.down_sample_layer.0.weight"] == (512, 256, 1, 1)
    assert found["layer2.0.down_sample_layer.1.gamma"] == (512,)
    assert found["end_point.weight"] == (1001, 2048)
    assert not any("layer3.1.down_sample" in name for name in found)


@undrawn()
def test_names_and_shapes_of_the_zoos_se_resnet50() -> None:
    found = {p.name: p.shape for p in multigrain(1001, backbone="se_resnet50").get_parameters()}
    assert [found[f"conv1_{number}.weight"] for number in range(3)] == [(32, 3, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3)]
    assert {"bn1_0.gamma", "bn1_1.gamma", "bn1.gamma", "layer1.0.conv2.weight"} <= found.keys()
    assert found["layer1.0.down_sample_layer.0.weight"] == (256, 64, 1, 1)
    for layer in (2, 3, 4):
        assert f"layer{layer}.0.conv2.weight" not in found
        assert found[f"layer{layer}.0.e2.0.weight"] == (32 * 2**layer, 32 * 2**layer, 3, 3)
        assert {f"layer{layer}.0.e2.1.gamma", f"layer{layer}.0.down_sample_layer.2.gamma"} <= found.keys()
        assert found[f"layer{layer}.0.down_sample_layer.1.weight"] == (128 * 2**layer, 64 * 2**layer, 1, 1)
    assert {name.split("se_dense")[0] for name in found if "se_dense" in name} == {"layer3.5.", "layer4.2."}
    assert found["layer3.5.se_dense_0.weight"] == (256, 1024)
    assert found["layer4.2.se_dense_1.bias"] == (2048,)


class Reference:
    """A ResNet step by step, with windows that are cut out by hand."""

    def __init__(self, weights: Weights, flavour: str) -> None:
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.symmetric, self.epsilon = (True, 1e-5) if flavour == "paper" else (False, 1e-4)

    def windows(self, x: np.ndarray, kernel: int, stride: int, symmetric: bool) -> np.ndarray:
        """(B, C, H, W) -> (B, C, H / stride, W / stride, kernel, kernel), with zeros outside of the map."""
        pads = []
        for side in x.shape[2:]:
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads.append((kernel // 2, kernel // 2) if symmetric else (missing // 2, missing - missing // 2))
        padded = np.pad(x, [(0, 0), (0, 0), *pads])
        return np.lib.stride_tricks.sliding_window_view(padded, (1, 1, kernel, kernel))[:, :, ::stride, ::stride, 0, 0]

    def conv(self, x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        weight = self.weights[f"{name}.weight"]
        return np.einsum("bchwij,ocij->bohw", self.windows(x, weight.shape[2], stride, self.symmetric), weight)

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        words = ("moving_mean", "moving_variance", "gamma", "beta")
        mean, variance, gamma, beta = (self.weights[f"{name}.{word}"][:, None, None] for word in words)
        return (x - mean) / np.sqrt(variance + self.epsilon) * gamma + beta

    def relu_norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return np.maximum(self.norm(x, name), 0)

    def pool(self, x: np.ndarray, kernel: int, symmetric: bool) -> np.ndarray:
        return self.windows(x, kernel, 2, symmetric).max((4, 5))

    def dense(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def block(self, x: np.ndarray, name: str, stride: int) -> np.ndarray:
        y = self.relu_norm(self.conv(x, f"{name}.conv1"), f"{name}.bn1")
        shortcut, at = x, 0
        if f"{name}.e2.0.weight" in self.weights:
            y = self.pool(self.relu_norm(self.conv(y, f"{name}.e2.0"), f"{name}.e2.1"), 2, False)
            shortcut, at, stride = self.pool(x, 2, False), 1, 1
        else:
            y = self.relu_norm(self.conv(y, f"{name}.conv2", stride), f"{name}.bn2")
        y = self.norm(self.conv(y, f"{name}.conv3"), f"{name}.bn3")
        if f"{name}.se_dense_0.weight" in self.weights:
            gate = np.maximum(self.dense(y.mean((2, 3)), f"{name}.se_dense_0"), 0)
            y = y / (1 + np.exp(-self.dense(gate, f"{name}.se_dense_1")))[:, :, None, None]
        if f"{name}.down_sample_layer.{at}.weight" in self.weights:
            shortcut = self.conv(shortcut, f"{name}.down_sample_layer.{at}", stride)
            shortcut = self.norm(shortcut, f"{name}.down_sample_layer.{at + 1}")
        return np.maximum(y + shortcut, 0)

    def features(self, x: np.ndarray, layers: tuple[int, ...]) -> np.ndarray:
        if "conv1_0.weight" in self.weights:
            x = self.relu_norm(self.conv(x, "conv1_0", 2), "bn1_0")
            x = self.conv(self.relu_norm(self.conv(x, "conv1_1"), "bn1_1"), "conv1_2")
        else:
            x = self.conv(x, "conv1", 2)
        x = self.pool(self.relu_norm(x, "bn1"), 3, self.symmetric)
        for layer, blocks in enumerate(layers, 1):
            for number in range(blocks):
                x = self.block(x, f"layer{layer}.{number}", 2 if layer > 1 and number == 0 else 1)
        return x


@eagerly()
@pytest.mark.parametrize("flavour", ["zoo", "paper"])
@pytest.mark.parametrize("backbone", ["resnet50", "se_resnet50"])
def test_the_feature_map_is_its_definition(backbone: str, flavour: str) -> None:
    """On a map of odd and even sides."""
    layers, x = (1, 2, 1, 2), noise_images(1, 72, 57)
    network = small(backbone=backbone, flavour=flavour, layers=layers)
    wanted = Reference(weights_of(network), flavour).features(x, layers)
    found = network.features(Tensor(x)).asnumpy()
    assert wanted.shape == (1, 128, 3, 2)
    assert wanted.any((0, 2, 3)).sum() > 40
    np.testing.assert_allclose(found, wanted, atol=1e-5 * wanted.max())


def gem(x: np.ndarray, p: float) -> np.ndarray:
    return np.asarray((np.maximum(x.astype(np.float64), 1e-6) ** p).mean((2, 3)) ** (1 / p))


def maps() -> np.ndarray:
    """Two images of three channels, one of which is off."""
    x = np.random.default_rng(6).standard_normal((2, 3, 4, 5)).astype(np.float32)
    x[1, 2] = 0
    return x


@pytest.mark.parametrize("p", [1.0, 3.0, 5.0])
def test_gem_and_its_gradients(p: float) -> None:
    x, direction = maps(), np.random.default_rng(7).standard_normal((2, 3))
    pool = GeM(p, learnt=True)

    def along(x: Tensor) -> Tensor:
        return (pool(x) * Tensor(direction, ms.float32)).sum()

    np.testing.assert_allclose(pool(Tensor(x)).asnumpy(), gem(x, p), rtol=2e-6)
    of_x, (of_p,) = ms.grad(along, 0, ParameterTuple([pool.p]))(Tensor(x))
    step = 1e-5
    wanted = ((gem(x, p + step) - gem(x, p - step)) * direction).sum() / (2 * step)
    assert float(of_p) == pytest.approx(wanted, rel=1e-4)
    assert abs(wanted) > 0.01
    positive = x > 0
    for at in [*np.argwhere(positive)[::7], *np.argwhere(~positive)[:2]]:
        other = np.zeros(x.shape)
        other[tuple(at)] = 1e-7
        wanted = ((gem(x + other, p) - gem(x - other, p)) * direction).sum() / 2e-7
        assert of_x.asnumpy()[tuple(at)] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("p", [8.0, 80.0])
def test_high_powers_do_not_run_over(p: float) -> None:
    x = 50 * maps()
    pool = GeM(p, learnt=True)
    np.testing.assert_allclose(pool(Tensor(x)).asnumpy(), np.maximum(gem(x, p), 1e-6), rtol=1e-5)
    of_x, (of_p,) = ms.grad(pool, 0, ParameterTuple([pool.p]))(Tensor(x))
    assert np.isfinite(of_x.asnumpy()).all()
    assert np.isfinite(float(of_p))


def test_p_of_1_is_the_plain_mean_whoever_sets_it() -> None:
    x = maps()
    pool = GeM(1.0, learnt=False)
    np.testing.assert_allclose(pool(Tensor(x)).asnumpy(), x.mean((2, 3)), atol=1e-6)
    assert (x.mean((2, 3)) < 0).any()
    pool.p.set_data(Tensor(3.0, ms.float32))
    np.testing.assert_allclose(pool(Tensor(x)).asnumpy(), gem(x, 3), rtol=2e-6)


@eagerly()
def test_embedding_logits_and_both_in_one() -> None:
    network, x = small(), Tensor(noise_images())
    pooled, embedding = network.pooled(x).asnumpy(), network.embed(x).asnumpy()
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-6)
    assert np.abs(np.linalg.norm(pooled, axis=1) - 1).min() > 0.1
    np.testing.assert_allclose(embedding, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), rtol=1e-5)
    logits = network(x).asnumpy()
    np.testing.assert_allclose(network.end_point(Tensor(pooled)).asnumpy(), logits, atol=1e-6)
    both = LogitsAndEmbedding(network)
    assert weights_of(both).keys() == weights_of(network).keys()
    for found, wanted in zip(both(x), (logits, embedding), strict=True):
        np.testing.assert_allclose(found.asnumpy(), wanted, atol=1e-6)


def test_first_weights() -> None:
    ms.set_seed(1)
    weights = weights_of(multigrain(200, layers=(1, 1, 1, 1), base_width=32))
    kernel = weights["layer4.0.conv2.weight"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * kernel.shape[0])), rel=0.02)
    assert 0.008 < weights["end_point.weight"].std() < 0.01
    assert np.abs(weights["end_point.weight"]).max() <= 0.02
    assert not weights["end_point.bias"].any()
    assert (weights["layer4.0.bn3.gamma"] == 1).all()
    zeroed = weights_of(multigrain(2, **SMALL, zero_gamma=True))
    assert {name for name, value in zeroed.items() if name.endswith("gamma") and not value.all()} == {
        f"layer{number}.0.bn3.gamma" for number in range(1, 5)
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet18"}, r"^backbone is 'resnet18'; wanted one of resnet50, resnet101, se_resnet50$"),
        ({"flavour": "torch"}, r"^flavour is 'torch'; wanted one of zoo, paper$"),
        ({"layers": (1, 2)}, r"^layers is \(1, 2\); wanted the number of blocks of each of the 4 layers$"),
        ({"base_width": 3, "backbone": "se_resnet50"}, r"^base_width is 3; wanted an even number$"),
        ({"base_width": 0}, r"^base_width is 0; wanted a positive number$"),
        ({"gem_p": 0.0}, r"^gem_p is 0\.0; wanted a positive number$"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        multigrain(3, **{**SMALL, **options})


@pytest.mark.parametrize(
    "options", [{"flavour": "paper", "whitening": True}, {"backbone": "se_resnet50", "gem_p": 1.0}]
)
def test_exported_networks_agree(options: dict[str, Any]) -> None:
    batches = {count: noise_images(count, 48, 48) for count in (1, 2)}
    network = LogitsAndEmbedding(small(**options)).set_train(False)
    with eagerly():
        wanted = {count: [found.asnumpy() for found in network(Tensor(batch))] for count, batch in batches.items()}
    ms.export(network, Tensor(batches[2]), file_name="x", file_format="MINDIR")
    graph = nn.GraphCell(ms.load("x.mindir"))
    compat.export_onnx(network, Tensor(batches[2]), "x.onnx", "images", "logits")
    session = onnxruntime.InferenceSession("x.onnx", providers=["CPUExecutionProvider"])
    for count, batch in batches.items():
        from_graph = [found.asnumpy() for found in graph(Tensor(batch))]
        for results in (from_graph, session.run(None, {"images": batch})):
            for found, expected in zip(results, wanted[count], strict=True):
                np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("features.conv1.weight", "conv1.weight"),
        ("features.bn1.moving_mean", "bn1.moving_mean"),
        ("features.layer2.0.downsample.1.gamma", "layer2.0.down_sample_layer.1.gamma"),
        ("classifier.weight", "end_point.weight"),
        ("pool.p", "pool.p"),
        ("whitening.pca.pca_P", "whitening.projection"),
        ("whitening.pca.pca_m", "whitening.mean"),
        ("conv1.weight", "conv1.weight"),
        ("layer3.22.conv3.weight", "layer3.22.conv3.weight"),
        ("layer1.0.downsample.0.weight", "layer1.0.down_sample_layer.0.weight"),
        ("fc.bias", "end_point.bias"),
        ("features.fc.bias", None),
        ("features.denseblock1.denselayer1.norm1.gamma", None),
        ("layer1.0.se.fc1.weight", None),
        ("layer5.0.conv1.weight", None),
    ],
)
def test_names_of_pytorch(name: str, wanted: str | None) -> None:
    assert from_torch(name) == wanted


def shapes_only(**options: Any) -> dict[str, np.ndarray]:
    """Weights of a few bytes by name and shape."""
    zero = np.zeros((), np.float32)
    return {p.name: np.broadcast_to(zero, p.shape) for p in multigrain(3, **options).get_parameters()}


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"backbone": "resnet101", "base_width": 2}, {}),
        ({"backbone": "se_resnet50", "base_width": 8}, {}),
        ({**SMALL, "whitening": True}, {"backbone": "resnet50"}),
        ({"layers": (1, 2, 11, 1), "base_width": 6}, {"backbone": "resnet50"}),
    ],
)
def test_the_options_show_in_the_weights(options: dict[str, Any], shown: dict[str, Any]) -> None:
    weights = shapes_only(**options)
    wanted = {"base_width": 64, "whitening": False, **options, **shown}
    wanted.setdefault("layers", LAYERS[wanted["backbone"]])
    assert options_of(weights) == wanted
    weights.pop("pool.p")
    assert options_of(weights) == wanted
    again = {parameter.name: parameter.shape for parameter in multigrain(3, **wanted).get_parameters()}
    assert {name: value.shape for name, value in weights.items()} == {n: s for n, s in again.items() if n != "pool.p"}


def test_other_weights_are_not_taken_for_its_own() -> None:
    weights = shapes_only(**SMALL)
    assert options_of({}) is None
    assert options_of({"conv1.weight": np.zeros((64, 3, 7, 7))}) is None
    assert options_of({**weights, "conv1.weight": np.zeros(())}) is None
    assert options_of({name: value for name, value in weights.items() if ".conv3." not in name}) is None


def test_a_few_steps_on_both_losses_lower_them() -> None:
    """Three copies each of four images; p, the boundary and every weight learn."""
    ms.set_seed(1)
    network = LogitsAndEmbedding(multigrain(4, **SMALL, learn_p=True))
    loss = MixedLoss(SmoothedCrossEntropy(4), MarginLoss(), 0.5, 3)
    noise, image = np.random.default_rng(4), noise_images(4, 64, 64)
    batch = Tensor(np.repeat(image, 3, 0) + 0.3 * noise.standard_normal((12, 3, 64, 64)).astype(np.float32))
    labels = Tensor(np.repeat(np.arange(4), 3).astype(np.int32))

    def forward(x: Tensor) -> Tensor:
        return loss(network(x), labels)

    optimizer = nn.Momentum([*network.trainable_params(), *loss.trainable_params()], 0.05, 0.9)
    step = ms.value_and_grad(forward, None, optimizer.parameters)
    network.set_train()
    before, losses = {p.name: p.asnumpy().copy() for p in optimizer.parameters}, []
    for _ in range(12):
        value, gradients = step(batch)
        optimizer(gradients)
        losses.append(float(value))
    assert losses[-1] < 0.7 * losses[0]
    assert {"pool.p", "metric_loss.beta"} <= before.keys()
    assert [p.name for p in optimizer.parameters if np.array_equal(p.asnumpy(), before[p.name])] == []
    assert int(loss.metric_loss.sampler.uniform.draws) == 12
