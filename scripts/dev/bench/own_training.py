"""What the project's own trainer hands to its loop: step, data and callbacks, as flags ask for them."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from mindzoo.models import get_spec
from mindzoo.utils import log
from mindzoo.utils.commands import TRAIN, read_command
from mindzoo.utils.config.reading import show
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.training import loop, trainer
from mindzoo.utils.training.callbacks import Callback
from mindzoo.utils.training.state import RunState

# Each step has a learning rate of its own: more steps than a benchmark takes.
STEPS = 20_000


@dataclass(frozen=True)
class Built:
    """A training that is ready for its first step."""

    run: RunState
    data: TrainData
    callbacks: Sequence[Callback]


def build(settings: dict[str, Any]) -> Built:
    """Let the trainer build all that it builds, with a loop that keeps it instead of training.

    Args:
        settings: `network`, `batch`, `size`, `small` (a tiny network), `photos` (class folders with `images` files),
            `output` (a folder) and `flags` (more words of the command line).
    """
    log.start(console=False)
    spec = get_spec(settings["network"])
    epochs = math.ceil(STEPS / (settings["images"] // settings["batch"]))
    flags = {
        "data_dir": settings["photos"],
        "output_dir": settings["output"],
        "batch_size": settings["batch"],
        "image_size": settings["size"],
        "max_epoch": epochs,
        "device_target": "CPU",
        "is_distributed": 0,
        **network_flags(settings),
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    loaded = read_command(TRAIN, spec, [*words, *settings["flags"]], "benchmark")
    built: list[Built] = []

    def keep(run: RunState, data: TrainData, listed: Sequence[Callback], *_: Any) -> None:
        built.append(Built(run, data, listed))

    with mock.patch.object(loop, "train", keep):
        trainer.train(spec, loaded, ProgressDisplay(sys.stderr))
    return built[0]


def network_flags(settings: dict[str, Any]) -> dict[str, str]:
    """The network's options: those of tests where it is to be tiny, else as published."""
    if not settings["small"]:
        return {}
    return {name: show(value) for name, value in get_spec(settings["network"]).small.items()}
