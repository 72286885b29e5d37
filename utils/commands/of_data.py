"""What one does with a folder of images before a training."""

from __future__ import annotations

from typing import Any

from mindzoo.utils.commands.command import Command
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.inspection.keys import CheckDataConfig
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.packing.keys import PackConfig


def _check_data(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.inspection import check_data

    check_data.check(loaded.config)


def _pack(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.packing import pack

    pack.run(loaded.config)


CHECK_DATA = Command(
    name="check-data",
    help="look at every image of a data folder, and say what is wrong: check-data FOLDER",
    config=lambda _: CheckDataConfig,
    run=_check_data,
    verb="Look at every image of a data folder and say what is wrong",
    aliases=lambda _: {"write-skip-list": "write_skip_list"},
    examples=("ROOT", "ROOT --output found.json --plot classes.png --write_skip_list bad.txt"),
    of_a_network=False,
)


PACK = Command(
    name="pack",
    help="write the images of class folders into a few large files: pack DIR OUT",
    config=lambda _: PackConfig,
    run=_pack,
    verb="Write the images of class folders into a few large files, or verify these",
    examples=("ROOT PACKED", "ROOT PACKED --on_bad_image skip --shard_mb 512", "--verify PACKED"),
    operands=" DIR OUT",
    of_a_network=False,
)
