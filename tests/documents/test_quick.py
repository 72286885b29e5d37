"""What makes the commands of a page quick leaves everything else as it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from mindzoo.models import SPECS
from mindzoo.tests.documents import quick
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.config import reading


def test_more_epochs_than_needed_become_fewer_and_nothing_else_changes() -> None:
    text = "mindzoo train x --max_epoch 60 --eval_interval 60 --end_epoch 9 --output_dir 60  # --max_epoch 1\n"
    assert quick.shorter(text) == text.replace("epoch 60", "epoch 2").replace("interval 60", "interval 2")
    assert (
        quick.shorter("mindzoo train x --max_steps 40 --max_epochs 3\n")
        == "mindzoo train x --max_steps 40 --max_epochs 3\n"
    )


def test_recipes_keep_their_keys_and_name_smaller_networks(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "models", tmp_path / "models", ignore=lambda _, names: {name for name in names if "py" in name}
    )
    quick.make_networks_small(tmp_path)
    for name, keys in quick.RECIPES.items():
        config = SPECS[name.split("/")[0]].train_config
        before, after = (
            vars(reading.read_config(config, ["--config_path", str(root / "models" / name)]).config)
            for root in (ROOT, tmp_path)
        )
        assert {key for key in before if before[key] != after[key]} == {*keys, "config_path"}
