"""What the rules are told: the images, the machine, the weights, the network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.checkpoints import checkpoint_file, network_plan, origin_preprocessing
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.cluster.cores import computing_threads
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data import data_set, listing, skip_list
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.finetuning.rules import Facts
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.images.readable import prepared
from mindzoo.utils.log import unsaid
from mindzoo.utils.spec import ModelSpec

MOST_LOOKED_AT = 100  # pictures whose sizes are read
CARD_GB = 32  # of the first Ascend 910; later ones have more
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# What a checkpoint may say of how images were prepared for it, and a fine-tuning goes on with.
PREPARED = ("mean", "std", "crop_pct", "resize_mode", "orientation")


def images_of(config: TrainConfig) -> ImageSet:
    """The training images, of which none is read; the training says what is odd among them.

    Raises:
        UserError: see `data_set.open_set`.
    """
    with unsaid():
        root = data_set.find_split(config.data_dir, "train", "data_dir")
        skip = skip_list.read(Path(config.skip_list)) if config.skip_list else None
        return data_set.open_set(root, skip=skip, stop=config.on_bad_image == "stop")


def weights_of(spec: ModelSpec, config: TrainConfig) -> Checkpoint | None:
    """The checkpoint that `--pretrained` names.

    Raises:
        UserError: it cannot be read.
    """
    return checkpoint_file.read_checkpoint(Path(config.pretrained), spec) if config.pretrained else None


def gather(spec: ModelSpec, config: TrainConfig, images: ImageSet, weights: Checkpoint | None, device: str) -> Facts:
    """All of it.

    Args:
        device: that computes, "CPU" or another.

    Raises:
        UserError: the weights are of another network.
    """
    return Facts(
        images=len(images),
        classes=config.num_classes or len(images.classes),
        has_validation=bool(config.eval_data_dir or listing.split_folders(Path(config.data_dir)).get("val")),
        side=side_of(images),
        on_cpu=device == "CPU",
        cores=computing_threads(),
        memory_gb=memory_gb() if device == "CPU" else CARD_GB,
        ranks=config.group_size,
        fixed_side=weights is not None and "image_size" in spec.options,
        least_side=spec.least_size,
        multiple=config.repeats,
        keys=spec.finetuning.keys,
        multiply_adds=spec.finetuning.multiply_adds,
        activations=spec.finetuning.activations,
        **_of_weights(spec, config, images, weights),
    )


def _of_weights(spec: ModelSpec, config: TrainConfig, images: ImageSet, weights: Checkpoint | None) -> dict[str, Any]:
    """What the weights say of themselves."""
    if weights is None:
        return {"weights_side": max(spec.train_config().image_size)}
    plan = network_plan.plan_network(spec, weights)
    wanted = config.num_classes or len(images.classes)
    return {
        "weights": str(weights.path),
        "weights_classes": plan.num_classes,
        "same_classes": plan.num_classes == wanted and weights.classes in ([], list(images.classes)),
        "weights_side": max(preparation(spec, weights).image_size),
        "stages": stages_in(spec.finetuning.stages, weights.weights),
    }


def preparation(spec: ModelSpec, weights: Checkpoint) -> Preprocessing:
    """How images were prepared for the weights."""
    return origin_preprocessing.settled(weights, spec.eval_config(), say=False)


def prepared_as(spec: ModelSpec, weights: Checkpoint) -> dict[str, Any]:
    """The keys by which images are prepared as for the weights, where these are others than the network's own."""
    how, own = preparation(spec, weights), spec.train_config()
    return {name: getattr(how, name) for name in PREPARED if getattr(how, name) != getattr(own, name)}


def stages_in(stages: Sequence[Sequence[str]], weights: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The names that parameters of this file match: a network may be built without some."""
    found = (
        tuple(name for name in stage if any(weight.startswith(name.removesuffix("*")) for weight in weights))
        for stage in stages
    )
    return tuple(stage for stage in found if stage)


def side_of(images: ImageSet) -> int:
    """The median of the shorter sides of some pictures, in pixels; those that cannot be read are left to the training."""
    places = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_LOOKED_AT)).round().astype(int))
    sides = []
    for place in places.tolist():
        with suppress(Fault):
            found = prepared(np.frombuffer(images.content(place), np.uint8))
            sides.append(min(found.width, found.height))
    return int(np.median(sides)) if sides else 0


def memory_gb() -> float:
    """What this process may use of the host's memory, in 10^9 bytes."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in LIMITS:
        with suppress(OSError, ValueError):  # "max" where there is no limit
            found.append(int(Path(name).read_text(encoding="ascii")))
    return min(found) / 1e9
