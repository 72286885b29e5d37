"""THOR against NumPy in float64, and what holds of any second-order step."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.multigrain.network import multigrain
from mindzoo.tests.support import thor_reference
from mindzoo.tests.support.networks import eagerly
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.thor_reference import Arrays, Batch, Settings
from mindzoo.tests.training.test_data_parallel import free_port
from mindzoo.utils.checkpoints import checkpoint_file, loading
from mindzoo.utils.config.keys import ThorConfig
from mindzoo.utils.learning import optimizers, second_order
from mindzoo.utils.learning.buckets import split_at
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.thor import ThorStep

CLASSES = 5
RATES = [0.02, 0.01, 0.03, 0.02, 0.01, 0.02, 0.01, 0.02]
DAMPINGS = [0.3, 0.25, 0.2, 0.15, 0.1, 0.1, 0.1, 0.1]
MOMENTUM, WEIGHT_DECAY, EPS = 0.9, 0.05, 1e-5


class Convolutional(nn.Cell):
    """Every kind of padding and stride, a grouped convolution, batch norm, biases and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv2d(3, 4, 3, 2, pad_mode="same")
        self.norm = nn.BatchNorm2d(4, eps=EPS)
        self.stages = nn.SequentialCell(
            nn.Conv2d(4, 6, 3, 2, pad_mode="pad", padding=1, has_bias=True),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3, 1, pad_mode="pad", padding=1, group=3),
            nn.Conv2d(6, 8, 1, 2, pad_mode="valid"),
        )
        self.relu = nn.ReLU()
        self.fc = nn.Dense(8, CLASSES)

    def construct(self, x: Tensor) -> Tensor:
        return self.fc(self.stages(self.relu(self.norm(self.same(x)))).mean((2, 3)))


class Tiny(nn.Cell):
    """Compiles fast. The weight of `aside` is used past its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2)
        self.aside = nn.Conv2d(4, 4, 1)
        self.fc = nn.Dense(4, CLASSES)

    def construct(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.fc(ops.relu(ops.conv2d(x, self.aside.weight.astype(x.dtype))).mean((2, 3)))


class Norm(nn.Cell):
    """Nothing with factors."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def construct(self, x: Tensor) -> Tensor:
        return self.norm(x)


def filled(network: nn.Cell) -> nn.Cell:
    """The same weights each time."""
    random = np.random.default_rng(3)
    for parameter in network.trainable_params():
        scale = 0.1 if parameter.ndim == 1 else 1.5 / np.sqrt(np.prod(parameter.shape[1:]))
        value = random.normal(0, scale, parameter.shape) + parameter.name.endswith("gamma")
        parameter.set_data(Tensor(value.astype(np.float32)))
    return network


class LossWithBoundary(nn.Cell):
    """Cross entropy and, apart from it, a learnt number that is drawn to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.cross_entropy = SmoothedCrossEntropy(CLASSES)
        self.boundary = Parameter(Tensor(3.0, ms.float32), name="boundary")

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.cross_entropy(logits, labels) + (self.boundary - 1) ** 2


def make_step(network: nn.Cell, *, loss: nn.Cell | None = None, **options: Any) -> ThorStep:
    gc.collect()  # cells that are collected after a compilation make MindSpore compile again
    loss = loss or SmoothedCrossEntropy(CLASSES)
    optimizer = optimizers.create(
        "momentum", network, np.array(RATES), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, no_decay=(),
        loss_parameters=loss.trainable_params(),
    )  # fmt: skip
    step = ThorStep(network, loss, optimizer, np.array(DAMPINGS), **{"frequency": 2, **options})
    step.set_train(True)
    return step


def batches(count: int, size: int = 6) -> list[Batch]:
    random = np.random.default_rng(5)
    return [
        (random.normal(0, 1, (size, 3, 11, 10)).astype(np.float32), random.integers(0, CLASSES, size).astype(np.int32))
        for _ in range(count)
    ]


def run(step: nn.Cell, data: list[Batch]) -> list[float]:
    return [float(step(Tensor(images), Tensor(labels)).asnumpy()) for images, labels in data]


def values(cell: nn.Cell) -> Arrays:
    return {parameter.name: parameter.asnumpy().copy() for parameter in cell.get_parameters()}


def assert_close(found: Arrays, wanted: Arrays, tolerance: float) -> None:
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance, err_msg=name)


def restore(step: ThorStep, start: Arrays) -> None:
    for parameter in step.get_parameters():
        ops.assign(parameter, Tensor(start[parameter.name]))  # set_data misses what a compiled branch reads
    step.look_again()


def test_updates_equal_a_float64_reference() -> None:
    network = filled(Convolutional())
    start, data = values(network), batches(4)
    # A of `same` has 27 rows in blocks of 14, that of the next layer 36 in blocks of 12; all others are one block.
    settings = Settings(RATES, DAMPINGS, 2, 16, MOMENTUM, WEIGHT_DECAY, EPS)
    step = make_step(network, block_size=16, loss_scale=1024.0)
    losses = run(step, data[:1])
    assert_close(values(network), thor_reference.train(start, data[:1], settings)[1], 2e-5)
    losses += run(step, data[1:])  # without, with and without a refresh
    wanted_losses, wanted = thor_reference.train(start, data, settings)
    np.testing.assert_allclose(losses, wanted_losses, atol=2e-5)
    assert len(wanted) == 9
    assert_close(values(network), wanted, 1e-4)


class Trained(NamedTuple):
    """A compiled step of `Tiny`, its state before any update, and its weights after three batches."""

    step: ThorStep
    start: Arrays
    weights: Arrays

    def again(self, data: list[Batch]) -> Arrays:
        """The weights after training on `data` from the start."""
        restore(self.step, self.start)
        run(self.step, data)
        return weights_of(self.step)


def weights_of(step: ThorStep) -> Arrays:
    return {name: value for name, value in values(step.network).items() if "moving" not in name}


@pytest.fixture(scope="module")
def plain() -> Trained:
    step = make_step(filled(Tiny()))
    start = values(step)
    step.compile(*(Tensor(part) for part in batches(1)[0]))
    run(step, batches(3))
    return Trained(step, start, weights_of(step))


def test_the_split_of_a_resnet_50_makes_two_halves() -> None:
    network = multigrain(1001, base_width=4)
    layers = second_order.record(network, network.trainable_params(), block_size=128)
    assert split_at(len(layers), ThorConfig().split_indices) == [27, 27]


DYNAMIC: dict[str, Any] = {"dynamic_loss_scale": True, "loss_scale": 1024.0, "ema_decay": 0.5, "frequency": 3}


@pytest.fixture(scope="module")
def dynamic() -> Trained:
    """With all kinds of state that a step can have, and a refresh in every third update."""
    step = make_step(filled(Tiny()), **DYNAMIC)
    start = values(step)
    run(step, batches(3))
    return Trained(step, start, weights_of(step))


def test_two_graphs_are_compiled_before_the_first_step(plain: Trained) -> None:
    assert len(plain.step.compile_cache) == 2
    plain.again(batches(3))
    assert len(plain.step.compile_cache) == 2


def test_order_of_the_batch_does_not_matter(plain: Trained) -> None:
    order = np.random.default_rng(0).permutation(6)
    assert_close(plain.again([(x[order], y[order]) for x, y in batches(3)]), plain.weights, 2e-6)


def test_a_scale_that_cancels_out_and_is_left_out_changes_nothing(plain: Trained) -> None:
    step = make_step(filled(Tiny()), loss_scale=1024.0, scale_cancels=True)
    run(step, batches(3))
    assert_close(weights_of(step), plain.weights, 2e-6)


def test_factors_of_an_accumulated_update_are_of_its_last_batch(plain: Trained) -> None:
    twice = [batch for batch in batches(3) for _ in range(2)]
    step = make_step(network := filled(Tiny()), accumulation_steps=2)
    due = []
    for batch in twice:
        due.append(step.is_refresh_due())
        run(step, [batch])
    assert due == [False, True, False, False, False, True]
    assert_close(values(network), plain.weights, 2e-6)


@pytest.mark.parametrize(("name", "asked"), [("plain", [0, 2, 4, 6]), ("dynamic", [0, 1, 3, 4, 6])])
def test_the_device_is_asked_only_where_a_refresh_may_be_due(
    name: str, asked: list[int], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read waits for the device; after a dynamic scale's refresh it tells whether that came to something."""
    trained = request.getfixturevalue(name)
    restore(trained.step, trained.start)
    position, reads, refreshed = trained.step.batches_before_refresh, [], []

    def read() -> int:
        reads.append(number)
        return position()

    monkeypatch.setattr(trained.step, "batches_before_refresh", read)
    for number, batch in enumerate(batches(7)):
        run(trained.step, [batch])
        refreshed += [number] if int(trained.step.factor_age.asnumpy()) == 1 else []
    assert reads == asked
    assert refreshed == list(range(0, 7, trained.step.frequency))


def test_everything_without_factors_keeps_the_gradient() -> None:
    loss, data = LossWithBoundary(), batches(1)
    network, first_order = filled(Tiny()), filled(Tiny())
    start = values(network)
    optimizer = optimizers.create(
        "momentum", first_order, np.array(RATES), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, no_decay=()
    )
    training = nn.TrainOneStepCell(nn.WithLossCell(first_order, SmoothedCrossEntropy(CLASSES)), optimizer)
    training.set_train(True)
    with eagerly():
        run(training, data)
    wanted = values(first_order)
    run(make_step(network, loss=loss), data)
    found = values(network)
    assert_close(found, {name: wanted[name] for name in ("aside.weight", "fc.bias")}, 1e-7)
    for name in ("conv.weight", "fc.weight"):
        assert np.abs(found[name] - wanted[name]).max() > 0.2 * np.abs(wanted[name] - start[name]).max()
    assert float(loss.boundary.asnumpy()) == pytest.approx(3 - RATES[0] * 2 * (3 - 1), abs=1e-6)  # no weight decay


def test_half_precision_changes_little(plain: Trained) -> None:
    wanted = plain.again(batches(1))
    step = make_step(ms.amp.auto_mixed_precision(filled(Tiny()), "O2", ms.float16), loss_scale=1024.0)
    run(step, batches(1))
    found = weights_of(step)
    for name, value in wanted.items():
        change = np.abs(value - plain.start[name]).max()
        np.testing.assert_allclose(found[name], value, rtol=0, atol=0.03 * change, err_msg=name)


def test_clip_norm_limits_the_update(plain: Trained) -> None:
    network = filled(Tiny())
    step = make_step(network, clip_norm=0.5)
    run(step, batches(1))
    update = sum(
        ((plain.start[name] * (1 - RATES[0] * WEIGHT_DECAY) - value) ** 2).sum()
        for name, value in weights_of(step).items()
    )
    assert np.sqrt(update) == pytest.approx(0.5 * RATES[0], rel=1e-3)


def test_the_damping_is_that_of_the_update_and_the_last_one_stays(plain: Trained) -> None:
    ones, zeros = (Tensor(np.full((1, 2, 2), value, np.float32)) for value in (1, 0))
    for update, damping in enumerate([*DAMPINGS, DAMPINGS[-1], DAMPINGS[-1]]):
        ops.assign(plain.step.optimizer.global_step, Tensor([update], ms.int32))
        assert float(plain.step.root_of_damping(ones).asnumpy().item()) == pytest.approx(np.sqrt(damping))
        assert float(plain.step.root_of_damping(zeros).asnumpy().item()) == 1


def test_a_dynamic_loss_scale_does_not_change_the_result(dynamic: Trained) -> None:
    restore(dynamic.step, {**dynamic.start, "loss_scale": np.array(1.0, np.float32)})
    run(dynamic.step, batches(3))
    assert_close(weights_of(dynamic.step), dynamic.weights, 2e-6)


def test_an_overflow_is_no_refresh_and_it_stays_due(dynamic: Trained) -> None:
    step = dynamic.step
    restore(step, start := {**dynamic.start, "loss_scale": np.array(2.0**126, np.float32)})
    run(step, [(images * 1000, labels) for images, labels in batches(1)])
    found = values(step)
    assert found.pop("loss_scale") == 2.0**125
    assert_close(found, {name: value for name, value in start.items() if name != "loss_scale"}, 0)
    assert step.is_refresh_due()
    ops.assign(step.scale, Tensor(1.0, ms.float32))
    run(step, batches(1))
    assert not step.is_refresh_due()
    assert not np.array_equal(values(step)["thor.a_inverse.conv.weight"], start["thor.a_inverse.conv.weight"])


def test_a_restored_step_goes_on_bit_for_bit(dynamic: Trained, tmp_path: Path) -> None:
    data = batches(7)
    restore(dynamic.step, dynamic.start)
    run(dynamic.step, data[:2])  # between two refreshes
    rows = {parameter.name: parameter for parameter in dynamic.step.get_parameters()}
    checkpoint_file.save_checkpoint(tmp_path / "state.ckpt", rows, {"network": SPEC.name})
    losses, second = run(dynamic.step, data[2:]), make_step(Tiny(), **DYNAMIC)
    loading.restore(second, checkpoint_file.read_checkpoint(tmp_path / "state.ckpt", SPEC))
    assert run(second, data[2:]) == losses
    assert_close(values(second), values(dynamic.step), 0)


def test_names_of_the_network_and_frozen_weights() -> None:
    network = Convolutional()
    names = [parameter.name for parameter in network.get_parameters()]
    network.fc.weight.requires_grad = False
    images = Tensor(batches(1)[0][0])
    before = network(images).asnumpy()
    step = make_step(network)
    assert [parameter.name for parameter in network.get_parameters()] == names
    assert np.array_equal(network(images).asnumpy(), before)
    added = {parameter.name for parameter in step.get_parameters() if parameter.name.startswith("thor.")}
    layers = ("same", "stages.0", "stages.3")
    wanted = {f"thor.{factor}_inverse.{layer}.weight" for factor in "ag" for layer in layers}
    assert added == {*wanted, "thor.factor_age"}


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (Tiny, {"frequency": 0}, "frequency is 0 and block_size is 128; wanted at least 1"),
        (Tiny, {"block_size": 0}, "frequency is 2 and block_size is 0; wanted at least 1"),
        (Norm, {}, "the network has no trained convolution without groups and no trained dense layer"),
    ],
)
def test_wrong_arguments(network: type[nn.Cell], options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_step(network(), **options)


RANK = """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="importable")
import numpy as np
from mindzoo.tests.learning import test_thor
from mindzoo.utils import runtime

runtime.start("CPU")
world = runtime.join(True, 0, 1)
share = slice(3 * world.rank, 3 * world.rank + 3)
data = [(images[share], labels[share]) for images, labels in test_thor.batches(3)]
step = test_thor.make_step(test_thor.filled(test_thor.Tiny()), distributed=True, split_indices=(0,))
test_thor.run(step, data)
np.savez(f"{sys.argv[2]}/{world.rank}.npz", **test_thor.weights_of(step))
"""


@pytest.mark.slow
def test_two_ranks_equal_one_with_the_whole_batch(plain: Trained, tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(RANK)
    command = [
        str(Path(sys.executable).parent / "msrun"), "--worker_num=2", "--local_worker_num=2", "--join=True",
        f"--master_port={free_port()}", f"--log_dir={tmp_path / 'logs'}", "--cluster_time_out=120",
        str(tmp_path / "rank.py"), str(ROOT / "utils" / "importable.py"), str(tmp_path),
    ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    for rank in (0, 1):
        assert_close(dict(np.load(tmp_path / f"{rank}.npz")), plain.weights, 2e-6)
