"""Trackers: which there are, what TensorBoard's own library reads back, and one that fails."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.utils import log
from mindzoo.utils.config import reading
from mindzoo.utils.errors import UserError
from mindzoo.utils.trackers import registry
from mindzoo.utils.trackers.several import Several
from mindzoo.utils.trackers.tracker import Tracker

SETTINGS = {"lr": 0.1, "data_dir": "<script>\udce9", "freeze": ["a", "b"]}


class Failing:
    """Fails at the second step."""

    def __init__(self, folder: Path) -> None:
        self.logged = 0

    def start(self, settings: Mapping[str, Any], step: int) -> None:
        pass

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.logged += 1
        if self.logged > 1:
            raise ConnectionError("the server is gone")

    def finish(self) -> None:
        raise AssertionError("it failed before")


@pytest.fixture
def event_files() -> type[Tracker]:
    """TensorBoard's class, where its library is installed."""
    pytest.importorskip("tensorboard")
    return registry.classes(["tensorboard"])["tensorboard"]


def parsed(*words: str) -> tuple[str, ...]:
    config: DenseNetTrainConfig = reading.read_config(DenseNetTrainConfig, words, prog="train").config
    return config.tracker


def test_none_by_default_and_several_with_commas(tmp_path: Path) -> None:
    assert registry.classes(parsed()) == registry.classes(parsed("--tracker", "none")) == {}
    assert parsed("--tracker", "none,tensorboard") == ("none", "tensorboard")
    (tmp_path / "recipe.yaml").write_text("tracker: [tensorboard]")
    assert parsed("--config_path", str(tmp_path / "recipe.yaml")) == ("tensorboard",)


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        UserError, match=r"tracker is tensorbord; wanted one of none, tensorboard \(did you mean tensorboard"
    ):
        parsed("--tracker", "none,tensorbord")


def test_a_missing_library_is_named_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mindzoo.utils import commands

    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "mindzoo.utils.trackers.event_files", raising=False)
    words = ["--data_dir", str(colors), "--output_dir", "out", "--device_target", "CPU", "--tracker", "tensorboard"]
    assert commands.train(SPEC, words) == 2
    assert 'pip install "mindzoo[tb]"' in capsys.readouterr().err
    assert not Path("out").exists()


def test_one_that_fails_costs_itself_alone(
    event_files: type[Tracker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    trackers = Several({"failing": Failing, "tensorboard": event_files}, tmp_path)
    trackers.start(SETTINGS, 0)
    for step in (1, 2, 3):
        trackers.log(step, {"train/loss": 1.0 / step})
    trackers.finish()
    (said,) = capsys.readouterr().out.splitlines()
    assert said == "the tracker failing failed, and gets no more of this run: ConnectionError: the server is gone"
    assert [step for step, _ in scalars(tmp_path, "train/loss")] == [1, 2, 3]


def test_a_folder_that_cannot_be_written_is_a_warning(
    event_files: type[Tracker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    trackers = Several({"tensorboard": event_files}, tmp_path / "missing")
    trackers.start(SETTINGS, 0)
    assert "the tracker tensorboard failed" in capsys.readouterr().out


def test_a_full_disk_is_noticed_at_once(
    event_files: type[Tracker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library's own writer would say so at some later value, and tensorboardX' would wait for ever."""
    log.start()
    trackers = Several({"tensorboard": event_files}, tmp_path)
    tracker: Any = trackers.trackers["tensorboard"]
    tracker.file.close()
    with open("/dev/full", "wb", buffering=0) as full:
        tracker.records = type(tracker.records)(full)
        trackers.start(SETTINGS, 0)
    assert (
        "the tracker tensorboard failed, and gets no more of this run: OSError: [Errno 28]" in capsys.readouterr().out
    )


def test_a_second_file_takes_back_what_is_done_again(event_files: type[Tracker], tmp_path: Path) -> None:
    for begin, end, loss in ((0, 9, 1.0), (6, 12, 2.0)):  # the first one is killed, and never finished
        tracker = event_files(tmp_path)
        tracker.start({**SETTINGS, "lr": loss}, begin)
        for step in range(max(begin, 1), end):
            tracker.log(step, {"train/loss": loss, "train/lr": 0.5})
    assert scalars(tmp_path, "train/loss") == [(step, 1.0 if step < 6 else 2.0) for step in range(1, 12)]
    assert len(list(tmp_path.glob("events.*"))) == 2
    text = accumulated(tmp_path).Tensors("settings/text_summary")
    assert [event.step for event in text] == [0, 6]
    shown = text[1].tensor_proto.string_val[0].decode()
    assert all(line.startswith("    ") for line in shown.splitlines())
    assert "lr: 2.0" in shown


def accumulated(folder: Path) -> Any:
    """The folder as TensorBoard's library reads it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in accumulated(folder).Scalars(tag)]
