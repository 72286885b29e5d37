"""The folder of a run: its name, its files, and that none of them is ever lost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from mindzoo import __version__
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.utils import log
from mindzoo.utils.config.reading import read_yaml
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.runtime import World
from mindzoo.utils.training import run_folder


def create(output: Path, *, dated: bool = True, rank: int = 0, go_on_in: Path | None = None) -> run_folder.RunFolder:
    log.start()
    return run_folder.create(str(output), dated=dated, world=World(rank, rank + 1), go_on_in=go_on_in)


def test_a_dated_folder_is_new_each_time(tmp_path: Path) -> None:
    folders = [create(tmp_path / "out").path for _ in range(4)]
    assert len(set(folders)) == 4
    for folder in folders:
        assert folder.parent == tmp_path / "out"
        assert re.fullmatch(r"20\d\d-\d\d-\d\d_time_\d\d_\d\d_\d\d(_\d+)?", folder.name)
        assert [path.name for path in folder.iterdir()] == [f"{folder.name}_rank_0.log"]


def test_without_dates_the_folder_is_the_one_given(tmp_path: Path) -> None:
    assert create(tmp_path / "a" / "b", dated=False).path == tmp_path / "a" / "b"


def test_an_earlier_run_is_continued_in_its_own_folder(tmp_path: Path) -> None:
    first = create(tmp_path / "out").path
    (first / "kept.txt").write_text("kept")
    again = create(tmp_path / "out", go_on_in=first)
    assert again.path == first
    assert (first / "kept.txt").read_text() == "kept"
    assert list((tmp_path / "out").iterdir()) == [first]


def test_facts_of_an_earlier_run_are_kept(tmp_path: Path) -> None:
    first = create(tmp_path / "out", dated=False)
    first.write_facts("some_network", DenseNetTrainConfig(lr=0.25), "CPU", ["a", "ü"])
    before = {path.name: path.read_bytes() for path in first.path.iterdir() if path.suffix != ".log"}
    for _ in range(2):
        create(tmp_path / "out", go_on_in=first.path).write_facts(
            "some_network", DenseNetTrainConfig(lr=0.5), "CPU", ["b"]
        )
    assert {name: (first.path / name).read_bytes() for name in before} == before
    for stem, suffix in (("config", ".yaml"), ("environment", ".json"), ("classes", ".json")):
        assert (first.path / f"{stem}_2{suffix}").is_file()
        assert (first.path / f"{stem}_3{suffix}").is_file()
    assert yaml.safe_load((first.path / "config_2.yaml").read_text())["lr"] == 0.5


def test_facts_can_be_read_back(tmp_path: Path) -> None:
    folder = create(tmp_path / "out")
    settings = DenseNetTrainConfig(lr=0.25, mean=(0.1, 0.2, 0.3), color_jitter=())
    folder.write_facts("some_network", settings, "CPU", ["a", "ü"])
    assert DenseNetTrainConfig(**read_yaml(DenseNetTrainConfig, folder.path / "config.yaml", {})) == settings
    assert json.loads((folder.path / "classes.json").read_text(encoding="utf-8")) == ["a", "ü"]
    facts = json.loads((folder.path / "environment.json").read_text())
    assert facts["mindzoo"] == __version__
    assert facts["device"] == "CPU"
    assert facts["network"] == "some_network"
    assert facts.keys() >= {"mindspore", "numpy", "python", "platform", "commit", "command", "started"}


def test_classes_are_left_out_where_there_are_none(tmp_path: Path) -> None:
    folder = create(tmp_path / "out")
    folder.write_facts("some_network", DenseNetTrainConfig(), "CPU")
    assert not (folder.path / "classes.json").exists()


def test_metrics_are_added_line_by_line(tmp_path: Path) -> None:
    for value in (1, 2):
        create(tmp_path / "out", dated=False).add_metrics(kind="epoch", value=value)
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"kind": "epoch", "value": 1}, {"kind": "epoch", "value": 2}]


def test_of_a_history_that_came_from_elsewhere_the_lines_of_ours_are_taken(tmp_path: Path) -> None:
    own = [b'{"step": 1, "mean_loss": NaN}\n', b'{"step": 2, "name": "caf\xe9"}\n']
    other = [
        b"[" * 100_000 + b"\n",
        b'{"step": 1' + b"0" * 400 + b"}\n",
        b'{"step": 3}\n',
        b'{"step": NaN}\n',
        b"{}\n",
        b'{"st',
    ]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "metrics.jsonl").write_bytes(b"".join([own[0], *other[:-1], own[1], other[-1]]))
    folder = create(tmp_path / "out", dated=False)
    folder.take_history(tmp_path / "old", 2)
    assert (folder.path / "metrics.jsonl").read_bytes() == b"".join(own)


def test_other_ranks_write_their_log_only(tmp_path: Path) -> None:
    folder = create(tmp_path / "out", dated=False, rank=1)
    folder.write_facts("some_network", DenseNetTrainConfig(), "CPU", ["a"])
    folder.add_metrics(kind="epoch")
    assert [path.name for path in folder.path.iterdir()] == ["out_rank_1.log"]


def test_the_log_holds_what_was_said_before_the_folder_was_made(tmp_path: Path) -> None:
    log.start("%(levelname)s:%(message)s", console=False)
    logger.info("before %d", 1)
    folder = run_folder.create(str(tmp_path / "out"), dated=False, world=World())
    logger.warning("after ü")
    log.stop()
    assert (folder.path / "out_rank_0.log").read_text(encoding="utf-8") == "INFO:before 1\nWARNING:after ü\n"


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_file_in_the_way_is_said(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match="cannot write into output_dir"):
        create(tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_second_run_into_one_folder_gets_its_own(tmp_path: Path) -> None:
    first = create(tmp_path / "out", dated=False)
    assert first.path == tmp_path / "out"
    first.write_facts("some_network", DenseNetTrainConfig(), "CPU")
    for number in (2, 3):
        again = create(tmp_path / "out", dated=False)
        again.write_facts("some_network", DenseNetTrainConfig(), "CPU")
        assert again.path == tmp_path / "out" / f"run_{number}"


def test_predictions_that_cannot_be_written_are_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = create(tmp_path / "out", dated=False)
    one = np.zeros((1, 1), np.int32)
    found = Predictions("/data", ("a",), ("a/1.png",), one[0], one, one.astype(np.float32))
    assert folder.add_predictions(found) == {"predictions": "predictions.jsonl"}
    (folder.path / "predictions_2.jsonl").mkdir()
    assert folder.add_predictions(found, 2) == {}
    assert "cannot write" in capsys.readouterr().out
