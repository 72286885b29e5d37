"""What one does with a folder of images before a training."""

from __future__ import annotations

from typing import Any

from mindzoo.utils.commands.command import Command
from mindzoo.utils.commands.of_networks import aliases_of_training
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.inspection.keys import CheckDataConfig, show_batch_config
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.packing.keys import PackConfig


def _check_data(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.inspection import check_data

    check_data.check(loaded.config)


def _show_batch(spec: Any, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.inspection import show_batch

    show_batch.show(spec, loaded)


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


SHOW_BATCH = Command(
    name="show-batch",
    help="draw a batch as a training feeds it to the network, with all that is random",
    config=show_batch_config,
    run=_show_batch,
    verb="Draw a batch of a training, as the network gets it, of",
    aliases=aliases_of_training,
    examples=(
        "--data_dir ROOT",
        "--data_dir ROOT --trivial_augment --random_erasing 0.25 --output batch.png",
        "--config_path digits_cpu --data_dir digits --at_step 100",
    ),
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
