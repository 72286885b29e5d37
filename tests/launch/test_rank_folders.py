"""The folders of a job's ranks and of its logs, and what becomes of those of an earlier job."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import rank_folders
from mindzoo.utils.launch.rank_folders import Pattern


def test_a_second_run_gets_folders_of_its_own(tmp_path: Path) -> None:
    pattern = Pattern("train_parallel{rank}")
    roots = [rank_folders.create(tmp_path, pattern, (0, 1), go_on=False) for _ in range(3)]
    assert roots == [tmp_path, tmp_path / "run_2", tmp_path / "run_3"]
    assert (tmp_path / "run_3" / "train_parallel1").is_dir()


def test_a_run_that_goes_on_uses_the_newest_folders_with_checkpoints(tmp_path: Path) -> None:
    pattern = Pattern("train_parallel{rank}")
    for _ in range(3):
        rank_folders.create(tmp_path, pattern, (0, 1), go_on=False)
    written = tmp_path / "run_2" / "train_parallel0" / "output" / "0-1_6.ckpt"
    written.parent.mkdir()
    written.touch()
    assert rank_folders.create(tmp_path, pattern, (0, 1), go_on=True) == tmp_path / "run_2"
    written.unlink()
    assert rank_folders.create(tmp_path, pattern, (0, 1), go_on=True) == tmp_path / "run_4"


def test_the_current_folder_is_used_until_it_has_a_log(tmp_path: Path) -> None:
    pattern = Pattern(".", log="eval_log")
    assert rank_folders.create(tmp_path, pattern, (0,), go_on=False) == tmp_path
    (tmp_path / "eval_log").touch()
    assert rank_folders.create(tmp_path, pattern, (0,), go_on=False) == tmp_path / "run_2"


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
