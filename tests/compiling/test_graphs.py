"""Graphs that are taken give what graphs compiled here give, to the bit; where they cannot be kept, nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import KEPT, newest_run, training
from mindzoo.utils import compat, log
from mindzoo.utils.compiling import graphs
from mindzoo.utils.compiling.store import Store
from mindzoo.utils.config.machine_keys import CompileKeys
from mindzoo.utils.errors import UserError
from mindzoo.utils.runtime import World

DRIVER = """
import json, runpy, sys
runpy.run_path(sys.argv[1], run_name="importable")
from mindzoo.models.densenet121 import SPEC
from mindzoo.utils import commands
for words in json.loads(sys.argv[2]):
    assert commands.train(SPEC, words) == 0
"""
TAKEN, COMPILED = "taken as it was compiled before", "compiled in"
kept = pytest.mark.skipif(not compat.can_keep_graphs(), reason="graphs are not kept with this MindSpore")


def process(cache: Path, *trainings: list[str]) -> list[str]:
    """Train in one process of its own; how each graph came about, in order."""
    environment = {name: value for name, value in os.environ.items() if name != graphs.VARIABLE}
    importable = str(ROOT / "utils" / "importable.py")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, importable, json.dumps(trainings)],
        env={**environment, "XDG_CACHE_HOME": str(cache)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = [(word, done.stdout.find(word, place)) for word in (TAKEN, COMPILED) for place in places(done.stdout, word)]
    return [word for word, _ in sorted(found, key=lambda pair: pair[1])]


def places(text: str, word: str) -> list[int]:
    return [place for place in range(len(text)) if text.startswith(word, place)]


def outcome(output: Path) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Losses and accuracies of the newest run, and every number of its last checkpoint."""
    folder = newest_run(output)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    values = ms.load_checkpoint(str(folder / "last.ckpt"))
    timed = ("seconds", "speed", "time", "images_per_second", "data_wait", "waited")
    told = [{name: value for name, value in row.items() if not any(word in name for word in timed)} for row in rows]
    return told, {name: value.asnumpy() for name, value in values.items() if isinstance(value, ms.Parameter)}


def assert_same(found: Path, wanted: Path, *, last: int | None = None) -> None:
    (rows, values), (wanted_rows, wanted_values) = outcome(found), outcome(wanted)
    assert rows[-(last or len(rows)) :] == wanted_rows[-(last or len(wanted_rows)) :]
    assert values.keys() == wanted_values.keys()
    assert [name for name in values if values[name].tobytes() != wanted_values[name].tobytes()] == []


@kept
@pytest.mark.slow
def test_what_is_trained_with_kept_graphs_is_the_same_to_the_bit(colors: Path, tmp_path: Path) -> None:
    cache, common = tmp_path / "cache", ["--max_epoch", "2", *KEPT]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    other, plain = tmp_path / "other", tmp_path / "plain"
    short = [*common, "--end_epoch", "1", "--run_eval", "0", "--label_smooth", "1"]
    first = process(
        cache,
        training(colors, whole, *common),
        training(colors, other, *short),
        training(colors, plain, *short, "--compile_cache", "off"),
    )
    assert first == [COMPILED] * 4
    # The state of the middle of an epoch: what a graph had as a constant would be the state of the beginning.
    second = process(
        cache,
        training(colors, stopped, *common, "--max_steps", "8"),
        training(colors, stopped, *common, "--resume", "auto"),
        training(colors, tmp_path / "again", *short),
    )
    assert second == [TAKEN] * 5
    assert_same(stopped, whole, last=1)
    assert_same(other, plain)
    assert_same(tmp_path / "again", plain)
    kept_there = sorted(path.name for path in (cache / "mindzoo" / "graphs").iterdir())
    assert len(kept_there) == 3
    assert all(len(name) == 64 for name in kept_there), "what the processes had for themselves is gone"


class Doubled(nn.Cell):
    def construct(self, x: Tensor) -> Tensor:
        return x + x


def started(monkeypatch: pytest.MonkeyPatch, choice: str, world: World | None = None) -> graphs.Cache | None:
    monkeypatch.setattr(graphs, "_cache", None)
    graphs.start(CompileKeys(compile_cache=choice), world or World())
    return graphs._cache


@kept
def test_key_and_variable_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(graphs.VARIABLE, "off")
    assert started(monkeypatch, "auto") is None
    assert started(monkeypatch, "on")
    monkeypatch.setenv(graphs.VARIABLE, "on")
    assert started(monkeypatch, "off") is None
    assert started(monkeypatch, "auto")
    monkeypatch.delenv(graphs.VARIABLE)
    assert started(monkeypatch, "auto")
    monkeypatch.setenv(graphs.VARIABLE, "perhaps")
    with pytest.raises(UserError, match="MINDZOO_COMPILE_CACHE is perhaps; wanted auto, on or off"):
        started(monkeypatch, "auto")
    assert started(monkeypatch, "on")


def test_it_is_off_and_said_where_it_was_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    assert started(monkeypatch, "on", World(0, 2, launched=True)) is None
    monkeypatch.setenv(graphs.OF_MINDSPORE, "1")
    assert started(monkeypatch, "on") is None
    log.stop()
    ranks, own = capsys.readouterr().out.splitlines()
    assert "compile_cache has no effect: graphs of several ranks are not kept" in ranks
    assert "MS_COMPILER_CACHE_ENABLE is set" in own


def test_a_folder_that_cannot_be_written_costs_the_cache_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(graphs, "_staging", graphs.Staging())
    monkeypatch.setattr(graphs, "_cache", graphs.Cache(Store(tmp_path / "file" / "graphs"), {}))
    cell, one = Doubled(), Tensor([1.0])
    log.start()
    graphs.compile_cell(cell, "it", (one,))
    log.stop()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "compiling it ..."
    assert lines[1].startswith("note: the compiled graph is not kept: ")
    assert lines[2].startswith("compiled in ")
    assert cell(one).asnumpy().tolist() == [2.0]
