"""A small part of the campaign, and that it would see what it looks for."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import pytest

from mindzoo.models import get_spec
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.faults import comparison, kills, places, ranks, verdicts
from mindzoo.tests.faults.chain import Bed, Broken, Chain, References
from mindzoo.tests.faults.process import Command
from mindzoo.tests.faults.variants import PARALLEL, SINGLE, Variant
from mindzoo.tests.faults.verdicts import Outcome, Verdict
from mindzoo.tests.support.launched import LaunchedJob
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config import reading
from mindzoo.utils.runtime import World
from mindzoo.utils.training import native_road

MOMENTUM = SINGLE[0]


@pytest.mark.slow
def test_a_training_that_is_killed_and_loses_an_image_ends_with_the_same_bits(tmp_path: Path) -> None:
    faults = (kills.SAVING, kills.EVALUATING, places.IMAGES[0], kills.DAMAGED, kills.SECOND_RUN)
    outcomes = Chain(MOMENTUM, faults).run(tmp_path / "chain", 1, References(tmp_path / "whole"))
    assert len(outcomes) >= 4
    assert {outcome.verdict for outcome in outcomes} == {Verdict.EXACT}, outcomes


@pytest.mark.slow
def test_two_ranks_that_lose_one_or_their_supervisor_end_with_the_same_bits(tmp_path: Path) -> None:
    outcomes = Chain(PARALLEL[0], (ranks.KILLED, ranks.SUPERVISOR)).run(
        tmp_path / "chain", 1, References(tmp_path / "whole")
    )
    assert [outcome.verdict for outcome in outcomes] == [Verdict.EXACT] * 2, outcomes


@pytest.mark.parametrize("variant", [*SINGLE, *PARALLEL], ids=lambda variant: f"{variant.name} {variant.ranks}")
def test_each_training_runs_where_native_operators_are_asked_for(
    variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(native_road.VARIABLE, "on")
    spec = get_spec(variant.network)
    config = reading.read_config(spec.train_config, variant.flags(tmp_path, tmp_path), aliases=spec.train_aliases)
    world = World(size=variant.ranks, launched=variant.ranks > 1)
    without = "native is off" if config.config.optimizer == "thor" else None
    assert native_road.obstacle(config.config, world) == without


def other_weight(run: Path) -> None:
    found = checkpoint_file.read_checkpoint(run / "last.ckpt", SPEC)
    rows = {name: ms.Parameter(ms.Tensor(value)) for name, value in {**found.weights, **found.state}.items()}
    rows["head.fc.bias"] += 1e-7
    rows["head.fc.bias"] = ms.Parameter(rows["head.fc.bias"])
    (run / "last.ckpt").unlink()  # it may be another file's second name
    checkpoint_file.save_checkpoint(run / "last.ckpt", rows, found.meta)


def lost_evaluation(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(line for line in lines if '"step": 12, "top1"' not in line))


def epoch_twice(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join([*lines[:2], *lines]))


def another_best(run: Path) -> None:
    (run / "best.ckpt").unlink()
    shutil.copy(run / "last.ckpt", run / "best.ckpt")


def left_over(run: Path) -> None:
    (run / ".last.17.tmp.ckpt").write_bytes(b"half")


@pytest.mark.parametrize("change", [other_weight, lost_evaluation, epoch_twice, another_best, left_over])
def test_the_comparison_sees(trained: Trained, tmp_path: Path, change: Callable[[Path], None]) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.folder, run)
    assert comparison.differences(MOMENTUM, trained.folder, run) == []
    change(run)
    assert len(comparison.differences(MOMENTUM, trained.folder, run)) >= 1


def test_the_campaign_sees_a_run_that_goes_on_from_an_older_file_than_it_said_was_saved(
    trained: Trained, tmp_path: Path
) -> None:
    bed = Bed(MOMENTUM, tmp_path, random.Random(1))
    run = bed.output / "run"
    shutil.copytree(trained.folder, run)
    said = Command(["echo", f"saved {run / '0-4_6.ckpt'}"], tmp_path)
    assert said.end() == 0
    bed.look(said)
    assert bed.saved == 24
    older = Command(["echo", f"resume auto: going on from {run / '0-2_6.ckpt'}"], tmp_path)
    with pytest.raises(Broken, match="step 24 was saved, and it goes on at 12"):
        bed.check_start(older, comparison.places(MOMENTUM, run))
    assert older.end() == 0


def test_the_campaign_looks_for_a_job_while_folders_of_an_earlier_one_are_renamed(tmp_path: Path) -> None:
    here, there, over = tmp_path / "rank", tmp_path / "earlier", threading.Event()
    here.mkdir()

    def rename_again_and_again() -> None:
        while not over.is_set():
            here.rename(there)
            there.rename(here)

    renaming = threading.Thread(target=rename_again_and_again)
    with subprocess.Popen([sys.executable, "-c", ""], text=True) as process:
        job = LaunchedJob(tmp_path, process)
        renaming.start()
        try:
            assert all(job.plans == [] for _ in range(2000))
        finally:
            over.set()
            renaming.join()


def test_what_is_lost_or_silent_fails(tmp_path: Path) -> None:
    outcomes = [Outcome("SIGKILL", "small", 1), Outcome("SIGKILL", "small", 2, Verdict.STATED)]
    assert verdicts.failed(outcomes) == []
    outcomes[0].fail(Verdict.SILENT, "other bits")
    outcomes[0].fail(Verdict.LOST, "a later thing does not hide it")
    assert verdicts.failed(outcomes) == [outcomes[0]]
    assert verdicts.table(outcomes).splitlines() == [
        "| fault | tried | exact | stated difference | lost | silent |",
        "| --- | --- | --- | --- | --- | --- |",
        "| SIGKILL | 1 | 0 | 0 | 0 | 1 |",
        "| SIGKILL, 2 ranks | 1 | 0 | 1 | 0 | 0 |",
        "| all | 2 | 0 | 1 | 0 | 1 |",
    ]
    verdicts.write(outcomes, tmp_path / "outcomes.json")
    assert [row["verdict"] for row in json.loads((tmp_path / "outcomes.json").read_text())] == [
        "silent",
        "stated difference",
    ]
