"""Blocks of steps from one data set for the run: the bits of the steps one by one, whatever ends a block or the run."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.data_sink import record_compilations, sink_on_cpu
from mindzoo.tests.support.trainings import newest_run, run_train, training
from mindzoo.tests.training.test_callbacks import make_run
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.cluster.card import Card
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning.thor import ThorStep
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.training import blocks, on_card
from mindzoo.utils.training.blocks import Blocks
from mindzoo.utils.training.feed import HostFeed, QueueFeed, Sink

EPOCHS = ["--max_epoch", "2"]  # of six steps
FIRST, SECOND = Card("ascend910"), Card("Ascend910B3")


def history(folder: Path, kind: str = "") -> list[dict[str, Any]]:
    """The metrics of a run, without times."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    times = {"seconds", "images_per_second", "data_seconds", "steps_in_epoch"}
    return [{name: value for name, value in row.items() if name not in times} for row in rows if kind in row["kind"]]


def assert_same(folder: Path, other: Path) -> None:
    """To the bit, weights and all that was counted and measured."""
    mine, theirs = (checkpoint_file.read_checkpoint(run / "last.ckpt", SPEC).weights for run in (folder, other))
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    assert history(folder) == history(other)


def waiting(folder: Path) -> list[float | None]:
    """The seconds that each epoch waited for data."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["data_seconds"] for row in rows if row["kind"] == "epoch"]


@pytest.fixture(scope="module")
def stepped(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose steps ran one by one."""
    return run_train(colors, tmp_path_factory.mktemp("stepped"), *EPOCHS)


def test_blocks_that_the_host_feeds(
    stepped: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four steps do not divide the epoch. Checkpoints and reports are at the ends of blocks."""
    compiled: list[str] = []
    record_compilations(monkeypatch, compiled)
    flags = ["--sink_size", "4", "--log_interval", "1", "--ckpt_interval", "3"]
    folder = run_train(colors, tmp_path / "out", *EPOCHS, *flags)
    assert_same(folder, stepped)
    assert Counter(compiled)["KeptLosses"] == 1, compiled
    assert "TrainStep" not in compiled
    out = capsys.readouterr().out
    said = re.findall(r"epoch (\d)/2 step (\d)/6 loss [\d.]+ lr [\d.]+ [\d.]+ img/s ETA", out)
    assert said == [("1", "4"), ("1", "6"), ("2", "4"), ("2", "6")]
    assert "blocks of 4 steps, 1 at a call" in out
    assert waiting(folder) == [None, None]
    names = sorted(path.name for path in folder.glob("0-*.ckpt"))
    assert names == ["0-1_4.ckpt", "0-1_6.ckpt", "0-2_4.ckpt", "0-2_6.ckpt"]


def train_with(feed: type[HostFeed], data: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The status of a training in blocks of four steps that this feeds."""
    with monkeypatch.context() as patched:
        patched.setattr(on_card, "sink", lambda *_: Sink(feed))
        return commands.train(SPEC, training(data, output, *EPOCHS, "--sink_size", "4"))


def test_a_run_that_ends_in_the_middle_of_blocks_goes_on(
    stepped: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal waits for the end of a block, `max_steps` ends one; blocks may be of another size then."""

    class Signalled(HostFeed):
        def call(self) -> None:
            super().call()
            if self.cell.done.asnumpy() == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    assert train_with(Signalled, colors, tmp_path / "out", monkeypatch) == 128 + signal.SIGTERM
    assert "stopped at step 4: saved" in capsys.readouterr().out
    flags = [*EPOCHS, "--resume", "auto"]
    folder = run_train(colors, tmp_path / "out", *flags, "--max_steps", "8", "--sink_size", "3")
    assert (folder / "0-2_2.ckpt").exists()
    assert_same(run_train(colors, tmp_path / "out", *flags, "--sink_size", "5"), stepped)


def test_what_a_block_did_before_its_data_ended_is_kept(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(HostFeed):
        def call(self) -> None:
            if self.cell.done.asnumpy() == 3:
                self.batches.error = UserError("the images are gone")
                raise RuntimeError("what MindSpore makes of it")
            super().call()

    assert train_with(Ended, colors, tmp_path / "out", monkeypatch) == 2
    assert capsys.readouterr().err == "error: the images are gone\n"
    meta = checkpoint_file.read_checkpoint(newest_run(tmp_path / "out") / "last.ckpt", SPEC).meta
    assert (meta["step"], meta["loss_count"]) == (3, 3)


def test_a_loss_of_a_block_that_is_not_finite_is_named_by_its_step(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out")
    run.advance_block(np.array([1, 2], np.float32))
    assert (run.step, run.step_before, run.loss, run.record().mean_loss) == (2, 0, 2.0, 1.5)
    with pytest.raises(UserError, match=r"^the loss is nan at step 4 \(epoch 1\)"):
        run.advance_block(np.array([1, np.nan], np.float32))
    assert run.step == 2


def test_a_run_sets_up_one_queue_and_compiles_one_step(
    stepped: Path, colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On MindSpore's own objects; as on a 910A, where the device does several steps at a call: three, twice an epoch."""
    seen = sink_on_cpu(monkeypatch)
    monkeypatch.setattr(on_card, "sink", lambda *_: Sink(QueueFeed, loops=True))
    folder = run_train(colors, tmp_path / "out", *EPOCHS, "--sink_size", "3")
    assert_same(folder, stepped)
    assert seen.set_up == [3]
    assert [queue.released for queue in seen.opened] == [True]
    assert Counter(seen.compiled)["KeptLosses"] == 1
    assert "TrainStep" not in seen.compiled


def test_blocks_end_with_the_epoch_and_with_the_run() -> None:
    planned = Blocks(size=4, steps_per_epoch=6, last_step=11)
    assert [planned.next(step) for step in (0, 4, 6, 7, 10)] == [4, 2, 4, 3, 1]


@pytest.mark.parametrize(
    ("size", "steps", "last", "loops", "wanted"),
    [
        (0, 10_009, 1_201_080, False, (50, 1)),
        (0, 10_009, 1_201_080, True, (50, 1)),  # prime: no block divides it
        (0, 5_004, 600_480, True, (36, 36)),
        (0, 5_004, 600_480, False, (50, 1)),
        (100, 5_004, 600_480, True, (100, 4)),
        (36, 5_004, 90, True, (36, 18)),
        (0, 6, 12, True, (6, 6)),
        (100, 6, 12, False, (6, 1)),
    ],
)
def test_the_device_does_as_many_steps_at_a_call_as_all_blocks_are_multiples_of(
    size: int, steps: int, last: int, loops: bool, wanted: tuple[int, int]
) -> None:
    planned = blocks.plan(size, steps, step=0, last_step=last, loops=loops)
    assert (planned.size, planned.per_call) == wanted


def test_a_run_that_goes_on_within_a_block_has_calls_that_fit() -> None:
    assert blocks.plan(36, 5_004, step=5_004 + 8, last_step=600_480, loops=True).per_call == 4


def test_which_card_is_fed_how() -> None:
    def sink(device: str, card: Card = FIRST, step: type[TrainStep] = TrainStep, **settings: Any) -> Sink | None:
        return on_card.sink(TrainConfig(**settings), device, card, step)

    assert sink("Ascend") == sink("Ascend", jit_level="O2") == Sink(QueueFeed, loops=True)
    assert sink("Ascend", SECOND) == sink("Ascend", jit_level="O0") == Sink(QueueFeed, loops=False)
    branching = {"accumulation_steps": 2}, {"is_dynamic_loss_scale": True}
    assert all(sink("Ascend", **settings) == Sink(QueueFeed, loops=False) for settings in branching)
    assert sink("Ascend", sink_mode=False) is sink("Ascend", step=ThorStep) is sink("CPU") is None
    assert sink("CPU", sink_size=5) == Sink(HostFeed)
    assert sink("CPU", sink_size=5, sink_mode=False) is None
