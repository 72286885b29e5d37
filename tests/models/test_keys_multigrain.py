"""Every key of the original README's list has an effect that can be seen, or a line that says why it has none."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.models.multigrain.network import MultiGrain
from mindzoo.tests.support.keys import Keys, Run
from mindzoo.tests.support.trainings import tiny
from mindzoo.tests.training.test_starting_point import assert_same, content
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.errors import UserError
from mindzoo.utils.records import EpochRecord, EvalResult, Evaluated
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup

# The list of the original README, in its order; its columns for Ascend and GPU are the same.
TABLE = [
    "class_num", "batch_size", "loss_scale", "momentum", "weight_decay", "epoch_size", "pretrain_epoch_size",
    "save_checkpoint", "save_checkpoint_epochs", "keep_checkpoint_max", "warmup_epochs", "lr_decay_mode",
    "use_label_smooth", "label_smooth_factor", "lr_init", "lr_decay", "lr_end_epoch",
    "damping_init", "damping_decay", "frequency",
]  # fmt: skip
# By our names; class_num is the number of class folders unless it is given.
DEFAULTS = {
    "batch_size": 480,
    "loss_scale": 1024,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "max_epoch": 50,
    "begin_epoch": 0,
    "save_checkpoint": True,
    "save_checkpoint_epochs": 5,
    "keep_checkpoint_max": 10,
    "warmup_epochs": 2,
    "lr_decay_mode": "Linear",
    "label_smooth": True,
    "label_smooth_factor": 0.1,
    "lr_init": 0.05672,
    "lr_decay": 4.9687,
    "lr_end_epoch": 70,
    "damping_init": 0.02345,
    "damping_decay": 0.5467,
    "frequency": 834,
    "optimizer": "thor",
    "repeats": 3,
    "resize_mode": "shorter",
}
KEYS = Keys("multigrain")
SPEC, parsed, rates, said, shows = KEYS.spec, KEYS.parsed, KEYS.rates, KEYS.said, KEYS.shows
FIRST_ORDER = ["--optimizer", "Momentum"]
DONE = np.arange(16) / 16
# Five epochs of three steps. Most of the network is frozen: the graphs of THOR take long to compile.
THOR = [
    "--metric_loss", "margin", "--batch_size", "12", "--epoch_size", "5", "--freeze", "layer*", "--loss_interval", "2",
]  # fmt: skip
THOR_EVALUATION = ["--eval_start_epoch", "1", "--eval_interval", "2", "--ckpt_interval", "5"]
MOMENTUM = [
    *FIRST_ORDER, "--class_num", "7", "--batch_size", "12", "--epoch_size", "5",
    "--save_checkpoint_epochs", "2", "--keep_checkpoint_max", "3", "--ckpt_interval", "10",
]  # fmt: skip


def rows(run: Run, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in found if row["kind"] == kind]


def lines_of(run: Run, *starts: str) -> list[str]:
    return [line for line in run.text.splitlines() if line.startswith(starts)]


@pytest.fixture(scope="module")
def second_order(colors: Path, shared: Path) -> Run:
    """Both losses, copies of each image, THOR, and evaluations in between."""
    flags = [*THOR, *THOR_EVALUATION, "--eval_dataset_path", str(colors / "val")]
    return KEYS.train_once(shared / "multigrain_thor", colors / "train", *flags)


@pytest.fixture(scope="module")
def first_order(colors: Path, shared: Path) -> Run:
    """The same with momentum, the triplet loss and the whole network."""
    return KEYS.train_once(shared / "multigrain_momentum", colors / "train", *MOMENTUM)


def test_defaults_are_those_of_the_list() -> None:
    settings = dataclasses.asdict(parsed().config)
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS


@shows("class_num", "batch_size", "epoch_size", "save_checkpoint_epochs", "keep_checkpoint_max")
@pytest.mark.slow
def test_classes_batch_epochs_and_the_last_checkpoints(first_order: Run, second_order: Run) -> None:
    assert first_order.found.weights["end_point.weight"].shape[0] == 7
    assert "num_classes is 7 for 3 class folders" in first_order.text
    assert second_order.found.weights["end_point.weight"].shape[0] == 3
    assert "batches of (12, 3, 64, 64)" in first_order.text
    assert first_order.names == ["resnet-4_1.ckpt", "resnet-4_3.ckpt", "resnet-5_3.ckpt"]  # 2_3 has gone
    assert [line.split(",")[0] for line in lines_of(first_order, "epoch: ")] == [
        f"epoch: {epoch} step: 3" for epoch in (1, 2, 3, 4, 5)
    ]


def test_momentum_goes_on_in_the_middle_of_an_epoch_bit_by_bit(colors: Path, tmp_path: Path, first_order: Run) -> None:
    half = str(first_order.folder / "resnet-4_1.ckpt")
    again = KEYS.train(colors / "train", tmp_path / "again", *MOMENTUM, "--resume", half)
    assert lines_of(again, "epoch: ")[0].startswith("epoch: 4 step: 3,")
    assert_same(again.folder / "resnet-5_3.ckpt", first_order.folder / "resnet-5_3.ckpt")


@pytest.mark.slow
def test_thor_goes_on_in_the_middle_of_an_epoch_bit_by_bit(colors: Path, tmp_path: Path, second_order: Run) -> None:
    """With what it drew other images by, the learnt boundary and exponent, and matrices that are not due yet."""
    half = second_order.folder / "resnet-4_1.ckpt"
    state = content(half)
    assert int(state["thor.factor_age"]) == 1
    assert int(state["metric_loss.sampler.uniform.draws"]) == 10
    assert {"pool.p", "metric_loss.beta", "thor.a_inverse.conv1.weight", "thor.g_inverse.end_point.weight"} <= {*state}
    again = KEYS.train(colors / "train", tmp_path / "again", *THOR, "--resume", str(half))
    assert lines_of(again, "epoch: ")[0].startswith("epoch: 4 step: 3,")
    wanted = second_order.folder / "resnet-5_3.ckpt"
    assert_same(again.folder / "resnet-5_3.ckpt", wanted)
    changed = [name for name, value in content(wanted).items() if not np.array_equal(value, state[name])]
    assert {"conv1.weight", "bn1.moving_mean", "pool.p", "metric_loss.beta", "thor.a_inverse.conv1.weight"} <= {
        *changed
    }


@shows("frequency")
def test_frequency_is_rounded_and_says_so(second_order: Run) -> None:
    (line,) = lines_of(second_order, "frequency ")
    assert line == "frequency 834 does not divide the 3 steps of an epoch: using 3"
    assert [KEYS.step("--max_epoch", "1", "--frequency", n).frequency for n in ("1", "2", "4")] == [1, 2, 4]
    assert said("--frequency", "2", *FIRST_ORDER) == [
        "frequency has no effect: optimizer is momentum, and it is used with thor only"
    ]


def test_thor_is_evaluated_while_it_trains_and_the_best_is_kept(second_order: Run) -> None:
    """After the first of the epochs that are skipped every second one, and the last."""
    results = rows(second_order, "evaluation")
    assert [(row["epoch"] + 1, row["total"]) for row in results] == [(2, 13), (4, 13), (5, 13)]
    wanted, best = [], -1.0
    for row in results:
        wanted.append(rf"epoch: {row['epoch'] + 1}, acc: {row['accuracy']}, eval_cost:\d+\.\d\d")
        if row["accuracy"] > best:
            best = row["accuracy"]
            wanted.append(f"update best result: {best}")
    found = [line for line in lines_of(second_order, "epoch: ", "update") if " acc: " in line or "best" in line]
    assert len(found) == len(wanted)
    for line, pattern in zip(found, wanted, strict=True):
        assert re.fullmatch(pattern, line)
    kept = checkpoint_file.read_checkpoint(second_order.folder / "best.ckpt", SPEC)
    assert kept.meta["best"]["accuracy"] == best
    assert kept.meta["best"]["epoch"] == kept.meta["epoch"] + 1


def test_loss_interval_gives_lines_within_an_epoch(second_order: Run) -> None:
    steps = [re.match(r"epoch: (\d) step: (\d), loss is [\d.]+$", line) for line in lines_of(second_order, "epoch: ")]
    found = [3 * int(match[1]) - 3 + int(match[2]) for match in steps if match]
    assert found == [2, 3, 4, 6, 8, 9, 10, 12, 14, 15]


def test_the_line_of_an_evaluation(
    second_order: Run, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = second_order.folder / "best.ckpt"
    argv = ["--dataset_path", str(colors / "val"), "--checkpoint_path", str(best), "--device_target", "CPU"]
    assert commands.evaluate(SPEC, [*argv, "--output_dir", str(tmp_path / "eval")]) == 0
    accuracy = checkpoint_file.read_checkpoint(best, SPEC).meta["best"]["accuracy"]
    assert f"result: {{'top_1_accuracy': {accuracy}, 'top_5_accuracy': 1.0}} ckpt= {best}\n" in capsys.readouterr().out


def test_lines_and_names_are_the_original_readmes() -> None:
    record = EpochRecord(1, 45, 6333, 995, 5338, 995, 4.1976256370544434, 5.0, 0.05, 20.3, 1470.6)
    assert list(SPEC.lines.epoch(record)) == ["epoch: 2 step: 995, loss is 4.1976256"]
    result = EvalResult(top1=37_980, top5=46_220, total=49_800, loss=1.0)
    assert list(SPEC.lines.evaluation(Evaluated(result, checkpoint="/home/user-job-dir/checkpoint.ckpt"))) == [
        "result: {'top_1_accuracy': 0.7626506024096386, 'top_5_accuracy': 0.9281124497991968} "
        "ckpt= /home/user-job-dir/checkpoint.ckpt"
    ]
    assert [SPEC.lines.checkpoint(parsed().config, rank, 42, 5004) for rank in (0, 3)] == [
        "resnet-42_5004.ckpt", "resnet_rank3-42_5004.ckpt"
    ]  # fmt: skip
    for name in ("resnet-42_5004.ckpt", "resnet_3-42_5004.ckpt", "resnet_rank3-42_5004.ckpt"):
        found = re.fullmatch(SPEC.lines.checkpoint_pattern, name)
        assert found
        assert (found["epoch"], found["step"]) == ("42", "5004")


@shows("pretrain_epoch_size")
def test_weights_and_epochs_of_before(colors: Path, tmp_path: Path, second_order: Run) -> None:
    """With a learning rate of 0 the weights at the end are those at the beginning. Nothing is kept as the best."""
    source = second_order.folder / "resnet-5_3.ckpt"
    flags = ["--pre_trained", str(source), "--pretrain_epoch_size", "2", "--epoch_size", "4", "--lr_max", "0"]
    plain = [*FIRST_ORDER, "--classification_weight", "1", "--save_best_ckpt", "False", "--freeze", "layer*"]
    data = ["--eval_dataset_path", str(colors / "val"), "--eval_start_epoch", "3"]
    run = KEYS.train(colors / "train", tmp_path / "out", *plain, *flags, *data)
    assert [line.split(",")[0] for line in lines_of(run, "epoch: ")] == [
        "epoch: 3 step: 2",
        "epoch: 4 step: 2",
        "epoch: 4",
    ]
    assert len(lines_of(run, "update best result: ")) == 1
    assert run.names == ["resnet-4_2.ckpt"]
    assert f"load model {source} success" in run.text
    start = checkpoint_file.read_checkpoint(source, SPEC).weights
    for name, value in run.found.weights.items():
        if ".moving_" not in name:
            np.testing.assert_array_equal(value, start[name], err_msg=name)


@shows("pretrain_epoch_size")
def test_epochs_of_before_without_weights(colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*tiny("multigrain"), "--data_dir", str(colors / "train"), "--output_dir", str(tmp_path / "out")]
    assert commands.train(SPEC, [*flags, "--pretrain_epoch_size", "2", "--batch_size", "18"]) == 2
    assert "begin_epoch is 2, without weights to start from" in capsys.readouterr().err


@shows("save_checkpoint")
def test_no_checkpoints_and_no_evaluation(colors: Path, tmp_path: Path) -> None:
    flags = ["--output_path", str(tmp_path / "here"), "--save_checkpoint", "False", "--run_eval", "False"]
    small = [*FIRST_ORDER, "--classification_weight", "1", "--freeze", "conv1.*,bn1.*,layer*,pool.p"]
    run = KEYS.train(colors, tmp_path / "here", *flags, *small)
    assert run.names == []
    assert rows(run, "evaluation") == []
    assert lines_of(run, "epoch: ")


@shows("loss_scale")
def test_loss_scale() -> None:
    """A factor that cancels out in float32, and is said to."""
    assert [float(KEYS.step("--max_epoch", "1", *flags).scale) for flags in ([], ["--loss_scale", "64"])] == [1024, 64]
    loaded = parsed("--loss_scale", "64")
    (line,) = setup.ineffective(loaded, "CPU", level="O0", evaluated=True)
    assert line.startswith("loss_scale has no effect on the result")
    assert setup.ineffective(loaded, "Ascend", level="O2", evaluated=True) == []


@shows("momentum")
@pytest.mark.parametrize("optimizer", ["Thor", "Momentum"])
def test_momentum(optimizer: str) -> None:
    flags = ["--max_epoch", "1", "--optimizer", optimizer]
    found = [float(KEYS.step(*flags, *more).optimizer.momentum) for more in ([], ["--momentum", "0.5"])]
    assert found == pytest.approx([0.9, 0.5])


@shows("weight_decay")
@pytest.mark.parametrize(("optimizer", "of_the_rest"), [("Thor", 0.25), ("Momentum", 0.0)])
def test_weight_decay(optimizer: str, of_the_rest: float) -> None:
    """As in the original THOR decays all; momentum leaves out what has gamma, beta or bias in its name."""
    step = KEYS.step("--max_epoch", "1", "--weight_decay", "0.25", "--learn_p", "0", "--optimizer", optimizer)
    pairs = zip(step.optimizer.parameters, step.optimizer.weight_decay, strict=True)
    decays = {parameter.name: float(decay) for parameter, decay in pairs}
    assert {decay for name, decay in decays.items() if name.endswith(".weight")} == {0.25}
    assert {decay for name, decay in decays.items() if not name.endswith(".weight")} == {of_the_rest}


@shows("lr_init", "lr_decay", "lr_end_epoch")
def test_rates_of_thor() -> None:
    """A power of what is left until the last epoch, halved once more from 39 and from 40 on."""
    done = np.arange(1, 101) / 2
    halved = np.where(done >= 40, 0.25, np.where(done >= 39, 0.5, 1))
    found = rates("--max_epoch", "50")
    np.testing.assert_allclose(found, 0.05672 * (1 - done / 70) ** 4.9687 * halved, rtol=1e-5)
    flags = ["--lr_init", "0.1", "--lr_decay", "2", "--lr_end_epoch", "20"]
    found = rates("--max_epoch", "50", *flags)
    np.testing.assert_allclose(found, 0.1 * np.maximum(1 - done / 20, 0) ** 2 * halved, rtol=1e-5)
    lines = said(*flags, *FIRST_ORDER)
    assert [line.split()[0] for line in lines] == ["lr_decay", "lr_end_epoch"]
    assert all("optimizer is momentum, and it is used with thor only" in line for line in lines)


@shows("damping_init", "damping_decay")
def test_dampings() -> None:
    """Two epochs of two steps."""
    for flags, init, decay in [([], 0.02345, 0.5467), (["--damping_init", "0.5", "--damping_decay", "0.1"], 0.5, 0.1)]:
        found = KEYS.step("--max_epoch", "2", *flags).dampings.asnumpy()
        np.testing.assert_allclose(found, init * decay ** (np.array([0.5, 1, 1.5, 2]) / 10), rtol=1e-5)
    assert len(said("--damping_init", "0.5", "--damping_decay", "0.1", *FIRST_ORDER)) == 2


@shows("lr_decay_mode")
@pytest.mark.parametrize(
    ("mode", "shares"),
    [
        ("Linear", 1 - DONE),
        ("poly", (1 - DONE) ** 2),
        ("cosine", (1 - DONE) * 0.5 * (1 + np.cos(0.94 * np.pi * DONE)) + 1e-5),
        ("steps", np.repeat([1, 0.1, 0.01, 0.001], [5, 5, 3, 3])),
    ],
)
def test_lr_decay_mode(mode: str, shares: np.ndarray) -> None:
    """Of sixteen steps, 4.8, 9.6 and 12.8 are the shares at which the rate falls in steps."""
    found = rates(*FIRST_ORDER, "--lr_decay_mode", mode, "--lr_max", "0.4", "--warmup_epochs", "0")
    np.testing.assert_allclose(found, 0.4 * shares, rtol=1e-6)


@shows("warmup_epochs", "lr_init")
def test_warmup_epochs_and_lr_init() -> None:
    """Two of eight epochs rise from lr_init; the six after them have the decay of six epochs."""
    found = rates(*FIRST_ORDER, "--lr_init", "0.4")
    np.testing.assert_allclose(found[:4], [0.4, 0.5, 0.6, 0.7], rtol=1e-6)
    np.testing.assert_array_equal(found[4:], rates(*FIRST_ORDER, "--warmup_epochs", "0", "--max_epoch", "6"))
    np.testing.assert_allclose(rates(*FIRST_ORDER)[0], 0.05672, rtol=1e-6)
    np.testing.assert_allclose(rates(*FIRST_ORDER, "--lr", "0.01")[:5], 0.01, rtol=1e-6)  # no higher than lr


@shows("warmup_epochs", "lr_decay_mode")
def test_what_thor_has_no_use_for_is_said() -> None:
    lines = said("--warmup_epochs", "5", "--lr_decay_mode", "cosine", "--lr_max", "0.1")
    assert [line.split()[0] for line in lines] == ["lr", "warmup_epochs", "lr_decay_mode"]
    assert all(" has no effect: optimizer is thor, and it is used with momentum or " in line for line in lines)


def test_lr_end() -> None:
    flat = [*FIRST_ORDER, "--warmup_epochs", "0"]
    np.testing.assert_allclose(rates(*flat, "--lr_end", "0.4"), 0.8 - 0.4 * DONE, rtol=1e-6)
    for flags, reason in [
        (flat, ""),
        ([*flat, "--lr_decay_mode", "poly"], "lr_decay_mode is poly"),
        ([], "optimizer is thor"),
    ]:
        lines = said("--lr_end", "0.4", *flags)
        assert [reason in line for line in lines] == ([True] if reason else [])


@shows("use_label_smooth", "label_smooth_factor")
def test_label_smooth_and_its_factor() -> None:
    KEYS.assert_smooths("use_label_smooth", default=0.1)


def built(*flags: str) -> MultiGrain:
    """The network that these flags ask for."""
    network = SPEC.build(3, **SPEC.network_options(parsed(*tiny("multigrain"), *flags).config))
    assert isinstance(network, MultiGrain)
    return network


def test_repeats(colors: Path) -> None:
    def order(*flags: str) -> np.ndarray:
        settings = parsed("--data_dir", str(colors / "train"), "--batch_size", "12", *flags).config
        return setup.open_data(settings, World()).train.order(0)

    np.testing.assert_array_equal(order()[:, ::3], order()[:, 2::3])
    assert len(set(order().ravel())) == 12
    assert len(set(order("--repeats", "1", "--classification_weight", "1").ravel())) == 36
    with pytest.raises(UserError, match=r"^batch_size is 32, and each image is in it 3 times \(repeats\).*: use 33$"):
        parsed("--batch_size", "32")
    alone = "no copies for the metric loss to compare; give --repeats 3, or --classification_weight 1"
    with pytest.raises(UserError, match=rf"^repeats is 1, so there are {alone}"):
        parsed("--repeats", "1")
    assert parsed("--repeats", "1", "--classification_weight", "1").config.repeats == 1


def test_gem_p_and_learn_p() -> None:
    maps = np.array([[[[1.0, 2.0], [3.0, 6.0]]]], np.float32)
    fixed, learnt = built("--gem_p", "2", "--learn_p", "False"), built("--learn_p", "True")
    assert float(fixed.pool(Tensor(maps))) == pytest.approx((maps**2).mean() ** 0.5, rel=1e-5)
    names = [{parameter.name for parameter in network.trainable_params()} for network in (fixed, learnt)]
    assert names[1] - names[0] == {"pool.p"}
    assert (float(learnt.pool.p), built("--gem_p", "1").pool.p) == (3, 1)


def test_the_words_of_the_zoo_for_network_and_optimizer() -> None:
    settings = parsed("--net_name", "se-resnet50", "--optimizer", "Momentum", "--filter_weight", "True").config
    assert (settings.backbone, settings.optimizer, settings.replace_head) == ("se_resnet50", "momentum", True)
    assert parsed("--optimizer", "Thor").config.optimizer == "thor"
    with pytest.raises(UserError, match=r"^optimizer is lars; wanted one of thor, momentum"):
        parsed("--optimizer", "LARS")


def test_every_key_of_the_list_is_covered() -> None:
    assert set(TABLE) == KEYS.covered
    assert len(TABLE) == 20
    known = {field.name for field in dataclasses.fields(SPEC.train_config)}
    assert [name for name in TABLE if name not in known | set(SPEC.train_aliases)] == []
