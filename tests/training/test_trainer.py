"""Training as a whole: it learns, it says what it did, and it ends well however it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.models.multigrain import SPEC as MULTIGRAIN
from mindzoo.models.multigrain.keys import MultiGrainTrainConfig
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained, newest_run, run_train, training
from mindzoo.utils import commands, log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded, read_yaml
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.thor import ThorStep
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup


def metrics(folder: Path, kind: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == kind]


def test_a_small_network_learns_the_colors(trained: Trained) -> None:
    losses = [row["mean_loss"] for row in metrics(trained.folder, "epoch")]
    assert losses[-1] < losses[0] / 2
    assert metrics(trained.folder, "evaluation")[-1]["accuracy"] == 1.0


def test_files_of_a_run(trained: Trained) -> None:
    names = {path.name for path in trained.folder.iterdir()}
    log = f"{trained.folder.name}_rank_0.log"
    facts = {
        "classes.json",
        "config.yaml",
        "environment.json",
        "metrics.csv",
        "metrics.jsonl",
        "predictions.jsonl",
        "class_scores.csv",
        "report.html",
        log,
    }
    assert names == {*facts, "0-2_6.ckpt", "0-4_6.ckpt", "best.ckpt", "last.ckpt"}
    assert (trained.folder / "last.ckpt").samefile(trained.checkpoint)


def test_metrics_of_a_run(trained: Trained) -> None:
    epochs, evaluations = metrics(trained.folder, "epoch"), metrics(trained.folder, "evaluation")
    assert [row["epoch"] for row in epochs] == [0, 1, 2, 3]
    assert [row["step"] for row in epochs] == [6, 12, 18, 24]
    rates = SPEC.learning_rates(DenseNetTrainConfig(lr=0.05, max_epoch=4), 6)
    np.testing.assert_allclose([row["lr"] for row in epochs], rates[5::6], rtol=1e-6)
    assert [(row["step"], row["total"], row["k"]) for row in evaluations] == [(s, 13, 3) for s in (6, 12, 18, 24)]
    for row in evaluations:
        assert row["accuracy"] == row["top1"] / 13
        assert row["top5"] == 13
    for row in epochs:
        assert row["images_per_second"] > 0
        assert 0 <= row["data_seconds"] <= row["seconds"]


def test_the_best_checkpoint_is_the_first_of_the_best_epochs(trained: Trained) -> None:
    accuracies = [row["accuracy"] for row in metrics(trained.folder, "evaluation")]
    meta = checkpoint_file.read_checkpoint(trained.folder / "best.ckpt", SPEC).meta
    first = accuracies.index(max(accuracies)) + 1
    of_metric = {"accuracy": max(accuracies), "metric": "top1", "value": max(accuracies)}
    assert meta["best"] == {**of_metric, "epoch": first, "step": 6 * first}
    assert (meta["epoch"], meta["epoch_step"]) == (first - 1, 6)


def test_configuration_environment_and_classes(trained: Trained) -> None:
    folder = trained.folder
    config = DenseNetTrainConfig(**read_yaml(DenseNetTrainConfig, folder / "config.yaml", {}))
    assert (config.lr, config.block_config, config.image_size) == (0.05, (1, 1), (32, 32))
    assert config.data_dir == str(trained.data)
    assert json.loads((folder / "classes.json").read_text()) == ["blue", "green", "red"]
    facts = json.loads((folder / "environment.json").read_text())
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert facts["commit"] == (head.stdout.strip() or None)
    assert facts["device"] == "CPU"
    meta = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).meta
    assert meta["classes"] == ["blue", "green", "red"]
    assert meta["options"] == {"flavour": "zoo", "block_config": [1, 1], "growth_rate": 4, "init_features": 8}
    assert meta["preprocessing"]["image_size"] == [32, 32]
    assert meta["config"]["lr"] == 0.05


def test_the_log_file_holds_what_the_console_showed(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_train(colors / "train", tmp_path / "out", "--max_steps", "3", "--log_interval", "1")
    out = capsys.readouterr().out
    assert (folder / f"{folder.name}_rank_0.log").read_text() == out
    assert "--> lr: 0.05" in out
    assert "epoch 1/120 step 3/6" in out
    assert [path.name for path in folder.glob("0-*.ckpt")] == ["0-1_3.ckpt"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["max_steps"] == 3


def test_a_training_that_would_never_update_is_refused(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--max_epoch", "2", "--accumulation_steps", "13"]
    assert commands.train(SPEC, training(colors / "train", tmp_path / "out", *flags)) == 2
    assert "accumulation_steps is 13, and the training has 12 steps" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_another_seed_gives_other_weights(colors: Path, tmp_path: Path) -> None:
    """That the same seed gives the same ones is shown where runs are resumed."""
    first, second = (
        checkpoint_file.read_checkpoint(
            run_train(colors / "train", tmp_path / seed, "--max_steps", "1", "--lr", "0", "--seed", seed)
            / "0-1_1.ckpt",
            SPEC,
        ).weights
        for seed in ("1", "2")
    )
    assert not np.array_equal(first["head.fc.weight"], second["head.fc.weight"])


def test_a_loss_that_is_not_finite_stops_the_run(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--lr", "1e30", "--max_epoch", "2", "--ckpt_interval", "1"]
    assert commands.train(SPEC, training(colors / "train", tmp_path / "out", *flags)) == 2
    error = capsys.readouterr().err
    assert re.match("error: (the loss is nan|.* holds values that are not finite)", error)
    saved = list(newest_run(tmp_path / "out").glob("*.ckpt"))
    (step,) = map(int, re.findall(r" step (\d) \(epoch 1\)", error))
    assert 2 <= step <= 4
    assert len(error.splitlines()) == 1
    assert "clip_norm" in error
    # Every file that is there says nothing of the steps whose loss was not finite.
    assert max(int(path.stem.split("_")[1]) for path in saved) == step - 1
    assert str(max(saved)) in error


@pytest.mark.parametrize(
    "flags",
    [
        ["--amp_level", "O2"],
        pytest.param(["--amp_level", "O3", "--is_dynamic_loss_scale", "1"], marks=pytest.mark.slow),
        pytest.param(
            ["--amp_level", "O2", "--ema_decay", "0.5", "--accumulation_steps", "2", "--clip_norm", "1"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda flags: " ".join(flags),
)
def test_mixed_precision(colors: Path, tmp_path: Path, flags: list[str]) -> None:
    folder = run_train(colors, tmp_path / "out", "--max_epoch", "1", *flags)
    assert np.isfinite(metrics(folder, "epoch")[0]["loss"])
    found = checkpoint_file.read_checkpoint(folder / "0-1_6.ckpt", SPEC)
    assert all(np.isfinite(value.astype(np.float32)).all() for value in found.weights.values())
    result = metrics(folder, "evaluation")[0]
    assert np.isfinite(result["loss"])
    if len(flags) > 2:
        return
    argv = ["--data_dir", str(colors), "--checkpoint", str(found.path), "--output_dir", str(tmp_path / "eval")]
    assert commands.evaluate(SPEC, [*argv, "--device_target", "CPU"]) == 0
    again = metrics(newest_run(tmp_path / "eval"), "evaluation")[0]
    assert again["top1"] == result["top1"]
    assert again["loss"] == pytest.approx(result["loss"], rel=0.02)


def test_a_single_class_cannot_have_smoothed_labels() -> None:
    """But it can be trained, for instance with a loss on copies."""
    labels = np.zeros(4, np.int32)
    with pytest.raises(UserError, match=r"^there is one class, .*; give --label_smooth false$"):
        setup.build_loss(TrainConfig(label_smooth=True), 1, labels)
    assert setup.build_loss(TrainConfig(label_smooth=False), 1, labels).off == 0


@pytest.mark.parametrize("accumulation", [1, 2])
def test_thor_makes_second_order_steps(capsys: pytest.CaptureFixture[str], accumulation: int) -> None:
    """Four batches in each of three epochs; matrices and dampings count updates."""
    log.start()
    config = MultiGrainTrainConfig(max_epoch=3, frequency=3, accumulation_steps=accumulation)
    network = MULTIGRAIN.build(3, layers=(1, 1, 1, 1), base_width=2)
    forward, loss = MULTIGRAIN.objective(config, network, SmoothedCrossEntropy(3), 0)
    rates = np.full(12, 0.1)
    step = setup.build_step(config, forward, loss, rates, "O0", World())
    assert isinstance(step, ThorStep)
    assert step.frequency == 2
    assert "frequency 3 does not divide" in capsys.readouterr().out
    done = np.arange(1, 13) / 4
    wanted = (0.02345 * 0.5467 ** (done / 10))[accumulation - 1 :: accumulation]
    np.testing.assert_allclose(step.dampings.asnumpy(), wanted, rtol=1e-6)
    config = dataclasses.replace(config, optimizer="momentum")
    assert type(setup.build_step(config, forward, loss, rates, "O0", World())) is TrainStep


def test_a_sink_that_is_asked_for_in_vain_is_said() -> None:
    def said(config: TrainConfig, device: str) -> list[str]:
        given = frozenset({"sink_mode", "sink_size"} if config.sink_size else {"sink_mode"})
        return setup.ineffective(Loaded(config, given), device, level="O2", evaluated=True)

    for device in ("CPU", "Ascend"):
        lines = said(MultiGrainTrainConfig(sink_size=3), device)
        assert lines == [
            f"{name} has no effect: with the optimizer thor the steps run one by one"
            for name in ("sink_mode", "sink_size")
        ]
    assert said(TrainConfig(), "CPU") == ["sink_mode has no effect: CPU has no data sink, the steps run one by one"]
    assert said(TrainConfig(sink_size=3), "CPU") == said(TrainConfig(), "Ascend") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_with_a_checkpoint_and_the_run_goes_on(
    colors: Path, tmp_path: Path, number: signal.Signals
) -> None:
    data, output = colors / "train", tmp_path / "out"
    flags = training(data, output, "--max_epoch", "5000", "--log_interval", "5")
    command = [sys.executable, str(ROOT / "models/densenet121/train.py"), *flags]
    environment = {**os.environ, "PYTHONPATH": ""}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 2/5000" in line:
                break
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
    # While a graph runs MindSpore turns SIGINT into SIGTERM, so that it is seen as either.
    assert process.returncode in {128 + number, 128 + signal.SIGTERM}
    assert "Traceback" not in out + error
    assert error == ""
    assert "asked to stop: finishing this step" in out
    folder = newest_run(output)
    (saved,) = folder.glob("0-*.ckpt")
    meta = checkpoint_file.read_checkpoint(saved, SPEC).meta
    assert f"stopped at step {meta['step']}: saved {saved}; go on with --resume auto" in out
    done = meta["step"] + 3
    assert run_train(data, output, "--max_epoch", "5000", "--resume", "auto", "--max_steps", str(done)) == folder
    steps = {checkpoint_file.read_checkpoint(path, SPEC).meta["step"] for path in folder.glob("0-*.ckpt")}
    assert steps == {meta["step"], done}
