"""`launch NETWORK finetune`, up to what the ranks are started with: one choice for all of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mindzoo import cli
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils import log
from mindzoo.utils.commands.command import read_command
from mindzoo.utils.commands.of_networks import FINETUNE
from mindzoo.utils.finetuning import finetune
from mindzoo.utils.launch import launcher
from mindzoo.utils.launch.job_plan import JobPlan
from mindzoo.utils.records import RECIPE


@pytest.fixture(autouse=True)
def _no_log() -> Iterator[None]:
    yield
    log.stop()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[JobPlan]:
    """What would be started: to hand it over would be the end of this process."""
    found: list[JobPlan] = []
    monkeypatch.setattr(launcher, "hand_over", lambda plan, *, background: found.append(plan))
    return found


def launch(*words: str, ranks: int = 2) -> int:
    return cli.main(["launch", "densenet121", "finetune", "--ranks", str(ranks), "--", *words])


def seen_by_a_rank(plan: JobPlan) -> finetune.Settled:
    """What a rank trains by, in a folder of its own."""
    name, network, *flags = plan.flags
    assert (Path(plan.entry).name, name, network) == ("__main__.py", "finetune", "densenet121")
    return finetune.as_written(SPEC, read_command(FINETUNE, SPEC, flags, "finetune"))


def test_the_ranks_train_by_one_recipe_that_is_for_all_of_them(
    trained: Trained, plans: list[JobPlan], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos").symlink_to(trained.data / "train")
    words = ["--pretrained", str(trained.checkpoint), "--data_dir", "photos", "--device_target", "CPU"]
    assert launch(*words) == 0
    said = capsys.readouterr().out
    assert "rate: 0.004 for 16 images an update and beginning from weights" in said, "8 on each of two ranks"
    (plan,), cwd = plans, Path.cwd()
    monkeypatch.chdir("/")
    found = seen_by_a_rank(plan)
    chosen = yaml.safe_load((Path(plan.log_dir) / RECIPE).read_text())
    assert found.recipe == (Path(plan.log_dir) / RECIPE).read_text()
    assert (found.values["lr"], found.values["batch_size"]) == (chosen["lr"], chosen["batch_size"]) == (0.004, 8)
    assert (found.values["data_dir"], found.values["output_dir"]) == (str(cwd / "photos"), str(cwd / "output"))
    assert found.values["is_distributed"] is True


def test_a_job_goes_on_by_the_recipe_that_it_began_with(trained: Trained, plans: list[JobPlan]) -> None:
    shutil.copytree(trained.folder, "output/run")
    Path("output/run", RECIPE).write_text("# as it began\nbatch_size: 5\ndata_dir: photos\n")
    assert launch("--resume", "auto", "--lr", "0.25") == 0
    found = seen_by_a_rank(plans[0])
    assert found.recipe.startswith("# as it began")
    assert (found.values["batch_size"], found.values["lr"]) == (5, 0.25)
    assert found.values["data_dir"] == str(Path.cwd() / "photos")


def test_one_rank_chooses_by_itself(trained: Trained, plans: list[JobPlan]) -> None:
    assert launch("--data_dir", str(trained.data), ranks=1) == 0
    assert "--config_path" not in plans[0].flags


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ranks", "4", "--nodes", "2", "--node_rank", "0", "--master_addr", "10.0.0.5", "--", "--data_dir", "x"], "finetune chooses by the machine, and the ranks are on 2 servers; use mindzoo finetune densenet121 --group_size 4"),
        (["--ranks", "2", "--", "--write_recipe", "x.yaml"], "write_recipe writes a recipe and trains nothing, so there is nothing to launch"),
        (["--ranks", "2", "--", "--data_dir", "none"], "data_dir is none, which is missing"),
        (["--ranks", "2", "--", "--data_dir", "DATA", "--pretrained", "none.ckpt"], "none.ckpt"),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_is_written(
    words: list[str], said: str, colors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(colors) if word == "DATA" else word for word in words]
    assert cli.main(["launch", "densenet121", "finetune", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []
