"""Two CPU ranks under MindSpore's launcher: what one process with the double batch computes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import PLAIN_IMAGES, tiny
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint

pytestmark = pytest.mark.slow
LOSS = "--loss focal --logit_adjustment 1 --class_weights effective --effective_beta 0.9"
# No evaluation is better by so much, so the rate falls after the second one.
PLATEAU = "--schedule plateau --plateau_patience 1 --decay_factor 0.5 --min_delta 1 --metric macro_f1"
UPDATE = "--optimizer adamw --epsilon 0.1 --layer_decay 0.7 --ema_decay 0.9 --ema_warmup 1"
CHOSEN = f"{LOSS} {PLATEAU} {UPDATE}".split()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def train(data: Path, output: Path, *flags: str, ranks: int = 1) -> str:
    """Train in processes of their own; return what they print."""
    python = Path(sys.executable)
    launcher = [
        str(python.parent / "msrun"), f"--worker_num={ranks}", f"--local_worker_num={ranks}", "--join=True",
        f"--master_port={free_port()}", f"--log_dir={output / 'logs'}", "--cluster_time_out=120",
    ]  # fmt: skip
    command = [
        *(launcher if ranks > 1 else [str(python)]), str(ROOT / "models" / "densenet121" / "train.py"), *tiny(),
        "--is_distributed", str(int(ranks > 1)), "--data_dir", str(data), "--output_dir", str(output), *flags,
    ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


def found(output: Path, name: str) -> Checkpoint:
    return checkpoint_file.read_checkpoint(next(output.glob(f"*/{name}")), SPEC)


def weights(output: Path, name: str) -> dict[str, np.ndarray]:
    return found(output, name).weights


def rows(output: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    (path,) = output.glob("*/metrics.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_ranks_train_one_model_and_count_every_image(colors: Path, tmp_path: Path) -> None:
    """In blocks too, with the same bits: ranks vote at the end of each, of four steps, and of two at the end of an epoch."""
    flags = ["--batch_size", "3", "--max_epoch", "1", "--is_save_on_master", "0"]
    printed = train(colors, tmp_path / "out", *flags, ranks=2)
    assert printed.count("tot=13,") >= 2
    first, second = (weights(tmp_path / "out", f"{rank}-1_6.ckpt") for rank in (0, 1))
    trained = [name for name in first if "moving_" not in name]
    assert len(trained) > 10
    assert all(np.array_equal(first[name], second[name]) for name in trained)
    train(colors, tmp_path / "blocks", *flags, "--sink_size", "4", ranks=2)
    blocks = weights(tmp_path / "blocks", "0-1_6.ckpt")
    assert all(np.array_equal(blocks[name], wanted) for name, wanted in first.items())
    alone = train(colors, tmp_path / "out", "--batch_size", "6", "--max_epoch", "2", "--resume", "auto")
    assert "ranks was 2 and is 1; the run goes on, but not to the bit" in alone
    assert "epoch[1], iter[11]" in alone
    assert "epoch[0]" not in alone


@pytest.mark.parametrize("ranks", [2, 3])
def test_eval_of_a_file_gives_what_the_ranks_said(colors: Path, tmp_path: Path, ranks: int) -> None:
    """Each rank sees other images, and has batch-norm statistics of its own until an evaluation."""
    flags = ["--batch_size", "3", "--max_epoch", "2", "--ema_decay", "0.5", "--save_checkpoint_epochs", "1"]
    train(colors, tmp_path / "out", *flags, ranks=ranks)
    for row in [row for row in rows(tmp_path / "out") if row["kind"] == "evaluation"]:
        (path,) = (tmp_path / "out").glob(f"*/0-{row['epoch'] + 1}_*.ckpt")
        where = ["--output_dir", str(tmp_path / path.stem), "--device_target", "CPU", "--is_distributed", "0"]
        assert commands.evaluate(SPEC, ["--data_dir", str(colors / "val"), "--checkpoint", str(path), *where]) == 0
        (said,) = rows(tmp_path / path.stem)
        assert [said[name] for name in ("top1", "top5", "total")] == [row[name] for name in ("top1", "top5", "total")]
        assert said["loss"] == pytest.approx(row["loss"], abs=1e-6)


def test_two_ranks_give_the_weights_of_one_with_the_double_batch(colors: Path, tmp_path: Path) -> None:
    """Batch norm synchronised, images unchanged: the difference is that of float32 sums in another order.

    That holds for losses that weigh classes, for averages, and for what goes by evaluations. AdamW's epsilon is large: with a small one
    its steps would be the same for twice the gradient, and large for gradients that are nothing but rounding.
    """
    data = Path(shutil.copytree(colors / "train", tmp_path / "data"))
    for folder, kept in (("green", 9), ("red", 6)):
        for path in sorted((data / folder).iterdir())[kept:]:
            path.unlink()
    flags = ["--max_epoch", "3", "--val_split", "0.34", "--color_jitter", "", *PLAIN_IMAGES, *CHOSEN]
    rates = ["--lr_base_batch", "12", "--lr", "0.1"]
    train(data, tmp_path / "one", *flags, "--batch_size", "6", "--lr", "0.05")
    printed = train(data, tmp_path / "two", *flags, *rates, "--batch_size", "3", "--sync_batch_norm", "1", ranks=2)
    assert "batch norms take the images of all ranks" in printed
    one, two = (found(tmp_path / folder, "last.ckpt") for folder in ("one", "two"))
    for name, wanted in one.values():
        np.testing.assert_allclose(dict(two.values())[name], wanted, rtol=0, atol=5e-6, err_msg=name)
    assert max(np.abs(value - 1).max() for name, value in one.weights.items() if name.endswith(".gamma")) > 1e-3
    alone, together = (rows(tmp_path / folder) for folder in ("one", "two"))
    for run in (alone, together):
        assert [row["lr"] for row in run if row["kind"] == "epoch"] == pytest.approx([0.05, 0.05, 0.025])
    evaluations = [[row for row in run if row["kind"] == "evaluation"] for run in (together, alone)]
    for row, wanted in zip(*evaluations, strict=True):
        assert row == pytest.approx(wanted, abs=5e-6)


def test_ranks_leave_out_the_same_images(colors: Path, tmp_path: Path) -> None:
    """Each looks at its share only."""
    data = Path(shutil.copytree(colors, tmp_path / "data"))
    bad = [data / "train" / name for name in ("blue/000.png", "green/003.png", "red/zz.jpg")]
    for path in bad:
        path.write_bytes(b"no image")
    printed = train(
        data, tmp_path / "out", "--batch_size", "3", "--max_epoch", "1", "--on_bad_image", "skip", ranks=2
    )  # fmt: skip
    total = len(list((data / "train").glob("*/*")))
    assert printed.count(f"training uses {total - 3} of {total} images: left out are blue/000.png is no image") == 2
    listed = next((tmp_path / "out").glob("*/skipped_images.txt")).read_text().splitlines()
    assert listed == [f"train/{path.parent.name}/{path.name}" for path in bad]
