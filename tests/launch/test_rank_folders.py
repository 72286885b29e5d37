"""The folders of a job's ranks and of its logs, and what becomes of those of an earlier job."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import processes, rank_folders
from mindzoo.utils.launch.job_plan import JobPlan, RankPlan
from mindzoo.utils.launch.rank_folders import Pattern

TRAINING = Pattern("train_parallel{rank}")


def started(base: Path, pattern: Pattern, ranks: Sequence[int], *, go_on: bool = False, log: str = "") -> Path:
    """What the launcher makes for a job, whose ranks then print `log`; returns the folder they are in."""
    root, _ = rank_folders.create(base, pattern, ranks, go_on=go_on)
    folders = {rank: root / pattern.of(rank).folder for rank in ranks}
    plans = [RankPlan(rank, str(folder), str(folder / "log"), "") for rank, folder in folders.items()]
    log_dir = rank_folders.make_log_dir(root / "msrun_log")
    JobPlan("train.py", [], len(ranks), plans, str(log_dir)).write()
    for own in plans:
        with open(own.log, "a") as file:
            file.write(log)
    return root


def contents(base: Path) -> dict[str, str]:
    """What the ranks' logs say."""
    logs = {str(path.relative_to(base)): path.read_text() for path in base.rglob("log")}
    return dict(sorted(logs.items()))


def test_the_documented_place_is_that_of_the_newest_job(tmp_path: Path) -> None:
    for log in ("first", "second", "third"):
        assert started(tmp_path, TRAINING, (0, 1), log=log) == tmp_path
    assert contents(tmp_path) == {
        "earlier_1/train_parallel0/log": "first",
        "earlier_1/train_parallel1/log": "first",
        "earlier_2/train_parallel0/log": "second",
        "earlier_2/train_parallel1/log": "second",
        "train_parallel0/log": "third",
        "train_parallel1/log": "third",
    }
    assert sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("plan.json")) == [
        "earlier_1/msrun_log", "earlier_2/msrun_log", "msrun_log",
    ]  # fmt: skip


def test_no_rank_of_an_earlier_job_with_more_ranks_stays(tmp_path: Path) -> None:
    started(tmp_path, TRAINING, (0, 1, 2), log="first")
    started(tmp_path, TRAINING, (0,), log="second")
    assert [path.name for path in sorted(tmp_path.glob("train_parallel*"))] == ["train_parallel0"]
    assert (tmp_path / "earlier_1" / "train_parallel2" / "log").read_text() == "first"


def test_an_evaluation_leaves_the_training_where_it_is(tmp_path: Path) -> None:
    started(tmp_path, TRAINING, (0, 1), log="trained")
    started(tmp_path, Pattern("eval_parallel{rank}"), (0, 1), log="evaluated")
    assert contents(tmp_path)["train_parallel0/log"] == "trained"
    assert contents(tmp_path)["eval_parallel0/log"] == "evaluated"
    assert "eval_parallel0" in (tmp_path / "msrun_log" / "plan.json").read_text()
    assert "train_parallel0" in (tmp_path / "msrun_log_earlier_1" / "plan.json").read_text()
    started(tmp_path, TRAINING, (0, 1), log="again")
    assert (tmp_path / "earlier_1" / "msrun_log_earlier_1").is_dir()


def test_what_still_runs_stays_and_the_new_job_is_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started(tmp_path, TRAINING, (0, 1), log="first")
    plan = tmp_path / "msrun_log" / "plan.json"
    with subprocess.Popen(["tail", "-f", str(plan)], stdout=subprocess.DEVNULL) as running:
        assert processes.wait_until(lambda: running.pid in processes.with_argument("plan.json"), 10)
        with pytest.raises(UserError, match=rf"resume is auto, .* still runs \(process {running.pid}\)"):
            started(tmp_path, TRAINING, (0, 1), go_on=True)
        assert started(tmp_path, TRAINING, (0, 1), log="second") == tmp_path / "run_2"
        running.kill()
    assert contents(tmp_path)["train_parallel0/log"] == "first"
    assert started(tmp_path, TRAINING, (0, 1), log="third") == tmp_path
    assert contents(tmp_path)["earlier_1/train_parallel0/log"] == "first"


def test_a_run_that_goes_on_has_its_folders_at_the_documented_place_again(tmp_path: Path) -> None:
    started(tmp_path, TRAINING, (0, 1), log="first")
    written = tmp_path / "train_parallel0" / "output" / "0-1_6.ckpt"
    written.parent.mkdir()
    written.touch()
    started(tmp_path, TRAINING, (0, 1), log="second")
    started(tmp_path, TRAINING, (0, 1), go_on=True, log=", on")
    assert contents(tmp_path)["train_parallel0/log"] == "first, on"
    assert contents(tmp_path)["earlier_2/train_parallel0/log"] == "second"
    assert written.is_file()
    started(tmp_path, TRAINING, (0, 1), go_on=True, log=", and on")
    assert contents(tmp_path)["train_parallel1/log"] == "first, on, and on"


def test_the_logs_of_the_current_folder_make_room(tmp_path: Path) -> None:
    pattern = Pattern(".", log="eval_log")
    assert rank_folders.create(tmp_path, pattern, (0,), go_on=False) == (tmp_path, {})
    for name in ("eval_log", "env.log", "launch_log", "my.txt"):
        (tmp_path / name).touch()
    root, moved = rank_folders.create(tmp_path, pattern, (0,), go_on=False)
    assert root == tmp_path
    assert [new.relative_to(tmp_path) for new in moved.values()] == [
        Path("earlier_1", name) for name in ("eval_log", "env.log", "launch_log")
    ]
    assert (tmp_path / "my.txt").exists()


def test_ranks_do_not_share_a_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="put \\{rank\\} into it"):
        rank_folders.create(tmp_path, Pattern("train"), (0, 1), go_on=False)


def test_links_lead_to_folder_and_log_and_replace_nothing(tmp_path: Path) -> None:
    names = Pattern("train_{rank}", "log.txt", folder_link="train{rank}", log_link="train/device{rank}/train.log").of(0)
    (tmp_path / "train_0").mkdir()
    (tmp_path / "train_0" / "log.txt").write_text("loss")
    for _ in range(2):
        rank_folders.link(tmp_path, names)
    assert (tmp_path / "train0" / "log.txt").read_text() == "loss"
    assert (tmp_path / "train" / "device0" / "train.log").read_text() == "loss"


def test_a_new_folder_beside_the_earlier_ones(tmp_path: Path) -> None:
    made = [rank_folders.create_new(tmp_path / "msrun_log") for _ in range(3)]
    assert [path.name for path in made] == ["msrun_log", "msrun_log_2", "msrun_log_3"]
