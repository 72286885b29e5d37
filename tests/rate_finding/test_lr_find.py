"""`mindzoo lr-find`: the step gets the rates that the curve names, and what was found is written and said."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import Tensor, nn
from PIL import Image

from mindzoo import cli
from mindzoo.models import SPECS, get_spec
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.networks import eagerly
from mindzoo.tests.support.trainings import PLAIN_IMAGES, tiny
from mindzoo.utils.commands import read_command
from mindzoo.utils.commands.of_networks import LR_FIND
from mindzoo.utils.exits import Interrupted
from mindzoo.utils.learning import optimizers, rate_factors
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.rate_finding import keys, lr_find, outcome, repeated
from mindzoo.utils.rate_finding.curve import Curve, rising
from mindzoo.utils.rate_finding.lr_find import RateTest
from mindzoo.utils.runtime import World
from mindzoo.utils.training import loop

NAMES = ("output", "lr_from", "lr_to", "lr_steps")


def flags(data: Path, *more: str) -> list[str]:
    plain = [*tiny(), *PLAIN_IMAGES, "--color_jitter", "", "--batch_size", "6", "--workers", "1", "--native", "off"]
    return [*plain, "--data_dir", str(data), *more]


def by_hand(test: RateTest, rates: np.ndarray, count: int) -> list[float]:
    """The loss of each of the first updates, with momentum 0.9 and a layer decay of 0.5."""
    network, loss = test.step.network, test.step.loss
    weights = network.trainable_params()
    factors = rate_factors.by_depth(0.5, SPEC.stages, [one.name for one in network.get_parameters()])
    gradients_of = ms.value_and_grad(lambda images, labels: loss(network(images), labels), None, weights)
    batches = test.data.epoch(0).create_tuple_iterator(num_epochs=1)
    moments, found = [np.zeros(one.shape, np.float32) for one in weights], []
    for rate in rates[:count]:
        value, gradients = gradients_of(*next(batches))
        found.append(float(value.asnumpy()))
        for weight, gradient, moment in zip(weights, gradients, moments, strict=True):
            moment[:] = 0.9 * moment + gradient.asnumpy()
            weight.set_data(Tensor(weight.asnumpy() - rate * factors[weight.name] * moment))
    return found


def test_the_losses_are_those_of_the_trainings_step_with_these_rates(
    colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With momentum, factors by layer, and rates in proportion to the images of an update."""
    rates = "--lr_from 0.02 --lr_to 20 --lr_steps 10 --lr_base_batch 3 --layer_decay 0.5 --weight_decay 0"
    more = [*rates.split(), "--max_epoch", "1", "--output", "out.png"]
    words = flags(colors / "train", *more)
    assert cli.main(["lr-find", SPEC.name, *words]) == 0
    said = capsys.readouterr().out
    rows = [*csv.DictReader(Path("out.png.csv").read_text().splitlines())]
    np.testing.assert_allclose([float(row["lr"]) for row in rows], np.geomspace(0.02, 20, 10)[: len(rows)], rtol=1e-5)
    test = lr_find.prepare(SPEC, read_command(LR_FIND, SPEC, words, "lr-find"))
    with eagerly():
        wanted = by_hand(test, 2 * rising(0.02, 20, 10), 3)
    np.testing.assert_allclose([float(row["loss"]) for row in rows[:3]], wanted, rtol=2e-3)
    assert "max_epoch: no effect on a test of learning rates" in said
    facts = json.loads(Path("out.png.json").read_text())
    assert facts["network"] == "densenet121"
    assert "lr_find: suggests" in said
    assert (facts["suggestion"] is None) == ("suggests nothing" in said)
    with Image.open("out.png") as drawn:
        assert drawn.size == (960, 576)
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith("out")) == [
        "out.png",
        "out.png.csv",
        "out.png.json",
    ]
    assert not Path("output").exists()


class Numbers:
    """Three batches of four images of two by two pixels, the same in each epoch."""

    batch_size, folders = 4, None

    def __init__(self) -> None:
        noise = np.random.default_rng(0)
        self.images = noise.normal(size=(12, 3, 2, 2)).astype(np.float32)
        self.labels = noise.integers(0, 2, 12).astype(np.int32)
        self.epochs: list[int] = []

    def epoch(self, number: int) -> ds.Dataset:
        self.epochs.append(number)
        return ds.NumpySlicesDataset((self.images, self.labels), shuffle=False).batch(4)


def small_test(data: Any, rates: np.ndarray, accumulation: int = 1, **options: Any) -> RateTest:
    network = nn.SequentialCell(nn.Flatten(), nn.Dense(12, 2))
    optimizer = optimizers.create("momentum", network, rates, momentum=0.0, weight_decay=0.0)
    step = TrainStep(network, nn.CrossEntropyLoss(), optimizer, accumulation_steps=accumulation, **options)
    return RateTest(step, data, rates, accumulation)


def test_epochs_repeat_and_a_skipped_update_is_tried_again() -> None:
    """A loss scale that makes the first gradients infinite; each skipped update takes a batch, and no rate."""
    data = Numbers()
    data.images *= 1000
    test = small_test(data, np.full(10, 1e-7, np.float32), dynamic_loss_scale=True, loss_scale=2.0**127 * 1.9)
    with eagerly():
        found = list(itertools.islice(lr_find.losses(test), 10))
    assert [update for update, _ in found] == [*range(10)]
    skipped = round(np.log2(2.0**127 * 1.9 / float(test.step.scale.asnumpy())))
    assert skipped > 0
    assert data.epochs == [*range((10 + skipped - 1) // 3 + 1)]


def test_an_update_of_several_batches_has_one_rate_and_their_mean_loss() -> None:
    spec = get_spec("densenet121")
    words = [*tiny(), "--accumulation_steps", "3", "--lr_base_batch", "16", "--batch_size", "8", "--max_epoch", "2"]
    config = read_command(LR_FIND, spec, words, "lr-find").config
    longer, of_steps = lr_find.laid_out(spec, config, rising(0.1, 10, 3), 4, World())
    np.testing.assert_allclose(of_steps, [0.15] * 3 + [1.5] * 3 + [15] * 6, rtol=1e-6)
    assert longer.max_epoch == 3
    data = Numbers()
    test = small_test(data, np.zeros(4, np.float32), accumulation=2)
    with eagerly():
        batches = data.epoch(0).create_tuple_iterator(num_epochs=1)
        one, two, three = (float(test.step.loss(test.step.network(x), y).asnumpy()) for x, y in batches)
        found = list(itertools.islice(lr_find.losses(test), 3))
    assert [update for update, _ in found] == [0, 1, 2]
    means = [(one + two) / 2, (three + one) / 2, (two + three) / 2]
    assert [loss for _, loss in found] == pytest.approx(means, rel=1e-5)


def test_a_signal_ends_it_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Signals(Numbers):
        def epoch(self, number: int) -> ds.Dataset:
            if number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().epoch(number)

    test = small_test(Signals(), rising(1e-3, 0.1, 10))
    monkeypatch.setattr(loop, "compile_step", lambda *_: None)
    with eagerly(), pytest.raises(Interrupted, match=r"^stopped after 4 of 10 updates: nothing is written$") as ended:
        lr_find.run(test, (2, 2))
    assert ended.value.signal == signal.SIGTERM


def test_it_ends_where_the_loss_diverges(monkeypatch: pytest.MonkeyPatch) -> None:
    test = small_test(Numbers(), rising(1, 1e30, 40))
    monkeypatch.setattr(loop, "compile_step", lambda *_: None)
    with eagerly():
        found = lr_find.run(test, (2, 2))
    assert found.has_diverged
    assert len(found.losses) < 40
    assert not Curve(found.rates[:-1], found.losses[:-1], found.smoothed[:-1]).has_diverged


@pytest.mark.parametrize(
    ("network", "more", "said"),
    [
        ("densenet121", ["--resume", "auto"], "resume is auto, and a test of learning rates goes on with no run; give --pretrained"),
        ("multigrain", ["--optimizer", "thor"], "the optimizer is thor, whose learning rate and damping"),
        ("densenet121", ["--lr_from", "0.1", "--lr_to", "0.1"], "lr_from is 0.1 and lr_to is 0.1; wanted lr_from below lr_to"),
        ("densenet121", ["--lr_steps", "9"], "lr_steps is 9; wanted at least 10"),
        ("densenet121", ["--output", "x.jpg"], "output is x.jpg; wanted a name that ends in .png"),
        ("densenet121", ["--output", "none/x.png"], "output is none/x.png, and its folder is missing"),
        ("densenet121", ["--data_dir", "none"], "data_dir is none"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)  # fmt: skip
def test_what_is_refused(network: str, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*tiny(network), "--data_dir", "data", *more]
    assert cli.main(["lr-find", network, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1


def test_several_ranks_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    assert cli.main(["lr-find", "densenet121", *tiny(), "--is_distributed", "1", "--data_dir", "data"]) == 2
    assert "lr-find tests in one process" in capsys.readouterr().err


def test_a_picture_takes_matplotlib(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert cli.main(["lr-find", "densenet121", *tiny(), "--data_dir", "data"]) == 2
    assert "output is lr_find.png, and takes matplotlib, which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("network", SPECS)
def test_a_recipe_of_a_training_means_nothing_of_the_test(network: str) -> None:
    """Several networks have a key `lr_end`: keys of the test have names that no training has."""
    spec = get_spec(network)
    assert not {*NAMES} & {*spec.train_config.__dataclass_fields__, *spec.train_aliases}


def test_keys_of_the_schedule_and_of_the_run_have_no_effect() -> None:
    config = read_command(LR_FIND, get_spec("glore_res50"), ["--data_dir", "x"], "lr-find").config
    named = ["lr", "lr_base_batch", "lr_decay_mode", "lr_end", "freeze", "seed", "batch_size", "schedule", "final_lr", "pretrained"]  # fmt: skip
    named += ["warmup_epochs", "max_epoch", "output_dir", "ema_decay", "unfreeze_epoch", "layer_decay", "clip_norm"]
    wanted = {"lr", "lr_decay_mode", "lr_end", "schedule", "final_lr", "warmup_epochs", "max_epoch", "output_dir"}
    assert {*keys.without_effect(config, named)} == wanted | {"ema_decay", "unfreeze_epoch"}


def test_the_command_that_trains_has_the_flags_and_not_the_recipe() -> None:
    spec = get_spec("densenet121")
    words = [
        "--config_path",
        "digits_cpu",
        "--data_dir",
        "my digits",
        "--lr",
        "0.3",
        "--color_jitter",
        "",
        "--lr_steps",
        "50",
    ]
    given = repeated.of_a_training(spec, read_command(LR_FIND, spec, words, "lr-find"))
    text = repeated.command(spec, given, 0.012)
    assert text.startswith("mindzoo train densenet121 --")
    for part in ("--config_path digits_cpu", "--data_dir 'my digits'", "--lr 0.012", "--color_jitter ''"):
        assert part in text
    assert not any(word in text for word in ("0.3", "lr_steps", "batch_size"))


def test_a_curve_that_does_not_fall_says_so() -> None:
    spec = get_spec("densenet121")
    config = read_command(LR_FIND, spec, ["--data_dir", "x", "--output", ""], "lr-find").config
    flat, rises = Curve(), Curve()
    for place, rate in enumerate(rising(1e-5, 10, 20)):
        flat.add(float(rate), 2.0)
        rises.add(float(rate), 2.0 * 2**place)
    assert outcome.why_nothing(config, flat).startswith("the loss does not fall from 1e-05 to 10 by more than chance")
    assert outcome.why_nothing(config, rises).endswith("where it diverges; try a lower --lr_from")
