"""Going on: which checkpoint is taken, that nothing differs from a run without a break, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.tests.support.trainings import KEPT, PLAIN_IMAGES, Trained, newest_run, run_train, training
from mindzoo.utils import commands, files, log
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import class_folders as folders
from mindzoo.utils.data import transforms
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup, starting_point

Hashes = dict[str, str]


def content(path: Path) -> dict[str, np.ndarray]:
    """Every array of a checkpoint but the rates, which are made anew."""
    arrays = {
        name: value.asnumpy() for name, value in ms.load_checkpoint(str(path)).items() if isinstance(value, ms.Tensor)
    }
    arrays.pop("learning_rate")
    return arrays


def assert_same(first: Path, second: Path) -> None:
    found, wanted = content(first), content(second)
    assert found.keys() == wanted.keys()
    assert any(name.startswith("moments.") for name in wanted)
    different = [name for name in wanted if not np.array_equal(found[name], wanted[name])]
    assert different == []


def mean_losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["mean_loss"] for row in rows if row["kind"] == "epoch"]


def hashes(folder: Path) -> Hashes:
    return {str(path.relative_to(folder)): files.sha256(path) for path in folder.rglob("*") if path.is_file()}


def numbered(folder: Path, source: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(source, folder / name)


def test_newest_first_sorts_by_run_epoch_and_step_as_numbers(tmp_path: Path, stopped: Trained) -> None:
    numbered(tmp_path / "out" / "2024-01-01", stopped.checkpoint, "0-99_6.ckpt")
    new = tmp_path / "out" / "2025-01-01"
    numbered(new, stopped.checkpoint, "0-9_6.ckpt", "0-10_9.ckpt", "0-10_10.ckpt", "best.ckpt", ".0-11_1.tmp.ckpt")
    found = [path.name for path in starting_point.newest_first(SPEC, tmp_path / "out")]
    assert found == ["0-10_10.ckpt", "0-10_9.ckpt", "0-9_6.ckpt", "best.ckpt", "0-99_6.ckpt"]


def test_auto_passes_over_a_damaged_file_and_says_so(
    tmp_path: Path, stopped: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "out" / "2025-01-01"
    numbered(run, stopped.checkpoint, "0-2_2.ckpt", "0-10_3.ckpt", "0-10_4.ckpt")
    (run / "0-10_4.ckpt").write_bytes(stopped.checkpoint.read_bytes()[:5000])
    (run / "0-10_3.ckpt").write_bytes(b"")
    log.start()
    found = starting_point.find(SPEC, "auto", str(tmp_path / "out"))
    assert found is not None
    assert found.path == run / "0-2_2.ckpt"
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "passed over" in line and "0-10_4.ckpt" in line]
    assert [line for line in lines if "passed over" in line and "0-10_3.ckpt" in line]
    assert f"going on from {found.path}" in lines[-1]


FORGED: list[dict[str, Any]] = [
    {"network": "hrnet_w48"},
    {"epoch": None},
    {"epoch": "x"},
    {"epoch": -5},
    {"epoch": 7},
    {"step": 9},
    {"epoch_step": 40},
    {"steps_per_epoch": None},
    {"steps_per_epoch": 0},
    {"num_classes": 1 << 40},
    {"options": {"block_config": [9, 9]}},
    {"best": {"accuracy": "1"}},
    {"best": {"accuracy": 1.0, "value": None}},
    {"classes": ["a"] * 9},
]


@pytest.mark.parametrize("facts", FORGED, ids=str)
def test_auto_passes_over_a_file_whose_facts_do_not_fit(
    tmp_path: Path, trained: Trained, capsys: pytest.CaptureFixture[str], facts: dict[str, Any]
) -> None:
    """Those of its name, of its weights, or of each other; None: there is none."""
    run = tmp_path / "out" / "2025-01-01"
    numbered(run, trained.folder / "0-2_6.ckpt", "0-2_6.ckpt")
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    meta = {name: value for name, value in {**found.meta, **facts}.items() if value is not None or name not in facts}
    rows = {name: ms.Parameter(ms.Tensor(value)) for name, value in found.values()}
    checkpoint_file.save_checkpoint(run / "0-4_6.ckpt", rows, meta)
    log.start()
    taken = starting_point.find(SPEC, "auto", str(tmp_path / "out"))
    assert taken is not None
    assert taken.path == run / "0-2_6.ckpt"
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "passed over" in line and "0-4_6.ckpt" in line]) == 1


def test_auto_passes_over_a_file_with_the_name_of_another(
    tmp_path: Path, stopped: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "out" / "2025-01-01"
    numbered(run, stopped.checkpoint, "0-2_2.ckpt", "0-9_6.ckpt")
    log.start()
    taken = starting_point.find(SPEC, "auto", str(tmp_path / "out"))
    assert taken is not None
    assert taken.path == run / "0-2_2.ckpt"
    assert f"passed over {run / '0-9_6.ckpt'}, which says that it is of epoch 2, step 2" in capsys.readouterr().out


@pytest.mark.parametrize("there", [True, False])
def test_auto_says_that_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], there: bool) -> None:
    if there:
        (tmp_path / "out" / "2025-01-01").mkdir(parents=True)
    log.start()
    assert starting_point.find(SPEC, "auto", str(tmp_path / "out")) is None
    assert f"no checkpoint in {tmp_path / 'out'}, starting from the beginning" in capsys.readouterr().out


def test_four_epochs_equal_two_and_two_resumed(trained: Trained, tmp_path: Path) -> None:
    """With random augmentation: it is seeded anew each epoch. The evaluations of the first run change nothing."""
    name, rows = trained.folder.name, (trained.folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    numbered(tmp_path / "parts" / name, trained.folder / "0-2_6.ckpt", "0-2_6.ckpt")
    (tmp_path / "parts" / name / "metrics.jsonl").write_text(
        "".join(row for row in rows if json.loads(row)["step"] <= 12)
    )
    flags = ["--max_epoch", "4", "--ema_decay", "0.5", "--resume", "auto"]
    folder = run_train(trained.data / "train", tmp_path / "parts", *flags)
    assert folder == tmp_path / "parts" / name
    assert_same(folder / "0-4_6.ckpt", trained.checkpoint)
    assert mean_losses(folder) == mean_losses(trained.folder)


def test_a_run_that_ends_earlier_has_the_rates_of_a_longer_one() -> None:
    """With the same T_max, so that epochs may be added."""
    short, long = (SPEC.learning_rates(DenseNetTrainConfig(max_epoch=epochs, T_max=3), 6) for epochs in (2, 3))
    np.testing.assert_array_equal(long[:12], short)


def test_a_run_goes_on_in_the_middle_of_an_epoch(
    stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps, images, weights, optimizer, averages, loss scale: all as without the break.

    It is the newest run that goes on, and keep_checkpoint_max counts what was written before too.
    """
    data, flags = stopped.data, ["--max_epoch", "3", "--log_interval", "1", *KEPT, *PLAIN_IMAGES]
    whole = run_train(data, tmp_path / "whole", "--max_steps", "14", *flags)
    older, newer = (tmp_path / "parts" / f"2020-01-0{day}_time_00_00_00" for day in (1, 2))
    for folder in (older, newer):
        shutil.copytree(stopped.folder, folder)
    before = hashes(newer)
    capsys.readouterr()
    keep = ["--ckpt_interval", "1", "--keep_checkpoint_max", "1"]
    second = run_train(data, tmp_path / "parts", "--resume", "auto", "--max_steps", "14", *keep, *flags)
    assert second == newest_run(tmp_path / "parts") == newer
    assert hashes(older) == hashes(stopped.folder)
    assert sorted(path.name for path in second.glob("0-*.ckpt")) == ["0-3_2.ckpt"]
    out = capsys.readouterr().out
    assert_same(second / "0-3_2.ckpt", whole / "0-3_2.ckpt")
    assert "epoch 2/3 step 4/6" in out
    assert "epoch 1/3" not in out
    assert "step 1/6" not in out.split("epoch[1]")[0]
    meta = checkpoint_file.read_checkpoint(second / "0-3_2.ckpt", SPEC).meta
    assert (meta["epoch"], meta["epoch_step"], meta["step"]) == (2, 2, 14)
    assert meta["best"] == checkpoint_file.read_checkpoint(whole / "0-3_2.ckpt", SPEC).meta["best"]
    after, log_file = hashes(newer), f"{stopped.folder.name}_rank_0.log"
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed <= {
        "metrics.csv",
        "metrics.jsonl",
        "predictions.jsonl",
        "class_scores.csv",
        "report.html",
        "best.ckpt",
        "last.ckpt",
        "0-2_2.ckpt",
        log_file,
    }
    assert (second / "config_2.yaml").is_file()
    for name in ("metrics.jsonl", log_file):
        assert (second / name).read_text().startswith((stopped.folder / name).read_text())


def test_a_named_checkpoint_goes_on_in_a_new_folder(stopped: Trained, tmp_path: Path) -> None:
    before = hashes(stopped.output)
    flags = ["--resume", str(stopped.checkpoint), "--max_epoch", "3", "--max_steps", "9", *KEPT]
    folder = run_train(stopped.data / "train", tmp_path / "out", *flags)
    assert (folder / "0-2_3.ckpt").is_file()
    assert hashes(stopped.output) == before


def test_the_loss_scale_and_best_metric_are_restored(stopped: Trained, tmp_path: Path) -> None:
    found = checkpoint_file.read_checkpoint(stopped.checkpoint, SPEC)
    assert found.meta["best"]["epoch"] == 1
    values = {**found.weights, **{f"ema.{n}": v for n, v in found.averaged.items()}, **found.state}
    values["loss_scale"] = np.asarray(4096.0, np.float32)
    rows = {name: ms.Parameter(ms.Tensor(value)) for name, value in values.items()}
    meta = {**found.meta, "best": {"accuracy": 2.0, "epoch": 1, "step": 6}}  # better than anything that may come
    folder = tmp_path / "out" / "run"
    folder.mkdir(parents=True)
    checkpoint_file.save_checkpoint(folder / "0-2_2.ckpt", rows, meta)
    run_train(stopped.data, tmp_path / "out", "--resume", "auto", "--max_epoch", "2", *KEPT)
    after = checkpoint_file.read_checkpoint(folder / "0-2_6.ckpt", SPEC)
    assert after.state["loss_scale"] == 4096.0
    assert after.state["loss_scale_good_updates"] == 12
    assert after.meta["best"]["accuracy"] == 2.0
    assert not (folder / "best.ckpt").exists()


def test_nothing_to_do_is_said_and_changes_no_checkpoint(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.folder, tmp_path / "out" / trained.folder.name)
    before = hashes(tmp_path / "out")
    flags = ["--resume", "auto", "--max_epoch", "4", "--ema_decay", "0.5"]
    assert commands.train(SPEC, training(trained.data, tmp_path / "out", *flags)) == 0
    assert "nothing to do: 24 of 24 steps are done" in capsys.readouterr().out
    after = hashes(tmp_path / "out")
    assert {name: after[name] for name in before if name.endswith((".ckpt", ".json", ".yaml", ".jsonl"))} == {
        name: value for name, value in before.items() if name.endswith((".ckpt", ".json", ".yaml", ".jsonl"))
    }


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("augmentation", "more"),
    [
        ({}, {}),
        ({"color_jitter": (0.4, 0.4, 0.4)}, {"repeats": 3}),
        ({"auto_augment": True}, {"sampling": "balanced"}),
        ({"rand_augment": (2, 9)}, {}),
        ({"trivial_augment": True}, {}),
    ],
    ids=["crop and flip", "colours and repeats", "AutoAugment and sampling", "RandAugment", "TrivialAugment"],
)
def test_images_in_the_middle_of_an_epoch_are_what_they_were(
    colors: Path, workers: int, augmentation: dict[str, Any], more: dict[str, Any]
) -> None:
    scanned = folders.scan(colors / "train")
    operations = transforms.training_operations(TrainConfig(image_size=(32, 32), **augmentation))
    data = TrainData(scanned, operations, batch_size=6, world=World(), seed=1, workers=workers, **more)
    whole = list(data.epoch(1).create_tuple_iterator(num_epochs=1, output_numpy=True))
    rest = list(data.epoch(1, 2).create_tuple_iterator(num_epochs=1, output_numpy=True))
    assert len(rest) == len(whole) - 2 == 4
    for found, wanted in zip(rest, whole[2:], strict=True):
        np.testing.assert_array_equal(found[1], wanted[1])
        np.testing.assert_array_equal(found[0], wanted[0])


def weights_only(path: Path, source: Path) -> Path:
    found = checkpoint_file.read_checkpoint(source, SPEC)
    rows = {name: ms.Parameter(ms.Tensor(value)) for name, value in found.weights.items()}
    facts = {name: found.meta[name] for name in ("network", "options", "num_classes", "classes")}
    checkpoint_file.save_checkpoint(path, rows, facts)
    return path


def zoo_file(path: Path, source: Path, **state: np.ndarray) -> Path:
    found = checkpoint_file.read_checkpoint(source, SPEC)
    rows = [{"name": name, "data": ms.Tensor(value)} for name, value in {**found.weights, **state}.items()]
    ms.save_checkpoint(rows, str(path))
    return path


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--flavour", "paper"], ["flavour is paper", "with zoo"]),
        (["--growth_rate", "8"], ["growth_rate is 8", "with 4"]),
        (["--num_classes", "4"], ["3 classes", "4"]),
        (["--ema_decay", "0"], ["unexpected", "ema.", "resume with the settings"]),
        (["--is_dynamic_loss_scale", "0"], ["unexpected", "loss_scale"]),
        (["--accumulation_steps", "2"], ["missing", "accumulated"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_other_settings_are_refused(
    stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: list[str]
) -> None:
    options = ["--resume", str(stopped.checkpoint), *KEPT, *flags]
    assert commands.train(SPEC, training(stopped.data, tmp_path / "out", *options)) == 2
    error = capsys.readouterr().err
    assert str(stopped.checkpoint) in error
    assert [word for word in words if word not in error] == [], error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [weights_only, zoo_file])
def test_a_file_that_does_not_say_how_long_it_was_trained(
    stopped: Trained,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path, Path], Path],
) -> None:
    path = make(tmp_path / "weights.ckpt", stopped.checkpoint)
    assert commands.train(SPEC, training(stopped.data, tmp_path / "out", "--resume", str(path))) == 2
    error = capsys.readouterr().err
    assert f"{path} does not say how long it was trained; give --begin_epoch" in error
    assert not (tmp_path / "out").exists()


def test_weights_alone_go_on_where_the_schedule_is(stopped: Trained, tmp_path: Path) -> None:
    """The epoch is given; a rate of 0 leaves the weights as they were."""
    path = weights_only(tmp_path / "weights.ckpt", stopped.checkpoint)
    flags = ["--resume", str(path), "--begin_epoch", "2", "--max_epoch", "3", "--T_max", "2"]
    run = run_train(stopped.data / "train", tmp_path / "out", *flags, *PLAIN_IMAGES)
    assert [p.name for p in run.glob("0-*.ckpt")] == ["0-3_6.ckpt"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if row["kind"] == "epoch"] == [2]
    assert [row["lr"] for row in rows if row["kind"] == "epoch"] == [0.0]
    start, end = (checkpoint_file.read_checkpoint(p, SPEC).weights for p in (path, run / "0-3_6.ckpt"))
    np.testing.assert_array_equal(end["head.fc.weight"], start["head.fc.weight"])


@pytest.mark.parametrize(
    ("name", "state"), [("0-2_6.ckpt", {}), ("weights.ckpt", {"global_step": np.array([12], np.int32)})]
)
def test_the_epoch_is_that_of_the_name_or_of_the_global_step(
    stopped: Trained, tmp_path: Path, name: str, state: dict[str, np.ndarray]
) -> None:
    """Of a file with weights alone, where no epoch is given; the original zoo wrote a global_step."""
    make = zoo_file if state else weights_only
    path = make(tmp_path / name, stopped.checkpoint, **state)
    small: dict[str, Any] = {
        "image_size": (32, 32),
        "block_config": (1, 1),
        "growth_rate": 4,
        "init_features": 8,
        "batch_size": 6,
    }
    config = DenseNetTrainConfig(data_dir=str(stopped.data), resume=str(path), max_epoch=3, **small)
    loaded = Loaded[TrainConfig](config, frozenset({"resume", *small}))
    start = starting_point.choose_start(
        SPEC, loaded, setup.open_data(config, World()), 3, checkpoint_file.read_checkpoint(path, SPEC)
    )
    assert (start.epoch, start.epoch_step) == (2, 0)
    assert start.pretrained is not None
    assert start.pretrained.path == path


def test_begin_epoch_must_agree_with_a_state(
    stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--resume", str(stopped.checkpoint), "--begin_epoch", "2", *KEPT]
    assert commands.train(SPEC, training(stopped.data, tmp_path / "out", *flags)) == 2
    assert "begin_epoch is 2, and" in capsys.readouterr().err


def test_end_epoch_ends_the_run_within_the_schedule(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with `--resume auto` a run starts from the beginning where there is no checkpoint."""
    flags = ["--max_epoch", "4", "--end_epoch", "1", "--lr", "0.1", "--resume", "auto"]
    run = run_train(colors / "train", tmp_path / "out", *flags)
    assert "starting from the beginning" in capsys.readouterr().out
    assert [path.name for path in run.glob("0-*.ckpt")] == ["0-1_6.ckpt"]
    found = checkpoint_file.read_checkpoint(run / "0-1_6.ckpt", SPEC)
    assert found.state["learning_rate"].shape == (24,)


def test_a_missing_file_is_refused(stopped: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.ckpt"
    assert commands.train(SPEC, training(stopped.data, tmp_path / "out", "--resume", str(path))) == 2
    assert f"the checkpoint {path} is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
