"""What is frozen at first and trained later: when, from which state, and the same after a break."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import run_train
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config import reading
from mindzoo.utils.config.no_effect import without_effect
from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.training.unfreezing import take_over

BLOCK = "backbone.features.denseblock1"
# Two epochs of two steps; what is frozen is trained from the second one on.
FLAGS = [
    *("--max_epoch", "2", "--batch_size", "18", "--ema_decay", "0.9", "--ema_warmup", "1", "--ckpt_interval", "1"),
    *("--freeze", f"{BLOCK}*", "--unfreeze_epoch", "1", "--run_eval", "0", "--weight_decay", "0"),
    *("--lr", "0.05", "--native", "off"),
]


@pytest.fixture(scope="module")
def thawed(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_train(colors, tmp_path_factory.mktemp("thawed"), *FLAGS)


def read(folder: Path, name: str) -> Checkpoint:
    return checkpoint_file.read_checkpoint(folder / name, SPEC)


def test_it_is_trained_from_that_epoch_on(thawed: Path) -> None:
    first, before, after, end = (read(thawed, f"0-{place}.ckpt") for place in ("1_1", "1_2", "2_1", "2_2"))
    frozen = [name for name in first.weights if name.startswith(BLOCK)]
    others = [name for name in first.weights if not name.startswith(BLOCK)]
    assert all(np.array_equal(first.weights[name], before.weights[name]) for name in frozen)
    assert not any(np.array_equal(before.weights[name], after.weights[name]) for name in frozen)
    assert not any(np.array_equal(after.weights[name], end.weights[name]) for name in [*frozen, *others])
    assert any(name.endswith("moving_mean") for name in frozen)
    assert not any(name.startswith(f"moments.{BLOCK}") for name in before.state)
    config = reading.read_config(SPEC.train_config, FLAGS, aliases=SPEC.train_aliases).config
    rates = SPEC.learning_rates(config, 2)
    moments = [name for name in after.state if name.startswith("moments.")]
    assert sum(name.startswith(f"moments.{BLOCK}") for name in moments) == 6
    for name in moments:  # the rate is that of the third step, for old and new ones
        weight = name.removeprefix("moments.")
        step = before.weights[weight] - after.weights[weight]
        np.testing.assert_allclose(step, rates[2] * after.state[name], atol=1e-6)
    for name in frozen:  # the third update of the averages
        wanted = before.averaged[name] * 4 / 13 + after.weights[name] * 9 / 13
        np.testing.assert_allclose(after.averaged[name], wanted, atol=1e-6)
    assert "after 1 epochs: no longer frozen: 6 parameters, and 2 batch norms" in next(thawed.glob("*.log")).read_text()


def test_a_run_that_goes_on_at_that_epoch_gives_the_same_bits(colors: Path, thawed: Path, tmp_path: Path) -> None:
    again = run_train(colors, tmp_path / "out", *FLAGS, "--resume", str(thawed / "0-1_2.ckpt"))
    wanted, found = (dict(read(folder, "0-2_2.ckpt").values()) for folder in (thawed, again))
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if not np.array_equal(wanted[name], found[name])] == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--unfreeze_epoch", "3"], "unfreeze_epoch has no effect: nothing is frozen; freeze says what"),
        (["--unfreeze_epoch", "9", "--freeze", "*", "--max_epoch", "9"], "it is 9, and the training ends after 9"),
        (["--ema_warmup", "1"], "ema_warmup has no effect: ema_decay is 0, and no weights are averaged"),
    ],
    ids=" ".join,
)
def test_keys_without_effect_say_so(flags: list[str], words: str) -> None:
    (line,) = without_effect(reading.read_config(SPEC.train_config, flags, aliases=SPEC.train_aliases))
    assert words in line


def test_thor_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from mindzoo.models.multigrain import SPEC as OF_THOR

    assert commands.train(OF_THOR, ["--freeze", "layer1*", "--unfreeze_epoch", "2", "--optimizer", "thor"]) == 2
    assert "unfreeze_epoch is 2, and the optimizer thor" in capsys.readouterr().err


def test_the_moments_of_adamw_begin_anew_together() -> None:
    """One count of updates corrects them all: with the count of before, that of a new one would be taken for old."""
    network = nn.Dense(2, 2)

    def step() -> TrainStep:
        rule = optimizers.create("adamw", network, np.ones(9), momentum=0.9, weight_decay=0.0)
        return TrainStep(network, nn.MSELoss(), rule, ema_decay=0.5)

    network.bias.requires_grad = False
    before = step()
    before.optimizer.updates.set_data(Tensor(5, ms.int32))
    before.optimizer.means[0].set_data(Tensor(np.ones((2, 2), np.float32)))
    optimizers.start_at(before.optimizer, 5)
    before.shadow[0].set_data(Tensor(np.full((2, 2), 7, np.float32)))
    network.bias.requires_grad = True
    after = step()
    take_over(after, before)
    assert int(after.optimizer.updates.value()) == 0
    assert [int(value) for value in after.optimizer.global_step.asnumpy()] == [5]
    assert not any(moment.asnumpy().any() for moment in (*after.optimizer.means, *after.optimizer.squares))
    assert (after.shadow[0].asnumpy() == 7).all()
