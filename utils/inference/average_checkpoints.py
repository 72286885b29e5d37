"""Several checkpoints of one network -> one, with the mean of their weights.

The statistics of batch norm are averaged as the weights are, or computed anew: see `batch_statistics`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mindzoo.utils import runtime
from mindzoo.utils.checkpoints import loading, network_plan, origin_preprocessing
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.compiling import graphs
from mindzoo.utils.data import data_set
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_file
from mindzoo.utils.inference import batch_statistics, soup, weights_file
from mindzoo.utils.inference.files_to_average import Reader, paths_of
from mindzoo.utils.inference.keys import AverageConfig
from mindzoo.utils.inference.mean_weights import MeanWeights
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec


def average(specs: Collection[ModelSpec], config: AverageConfig) -> Path:
    """Write the mean of the weights of the files, and of which files it is.

    Raises:
        UserError: fewer than two checkpoints, one that cannot be read or is not like the others, output or data that cannot
            be used.
    """
    target = Path(config.output)
    if not config.output:
        raise UserError("output is not given; wanted mindzoo average FILE FILE ... --output FILE.ckpt")
    check_file("output", target, (".ckpt",), overwrite=config.overwrite)
    for wanted, split in ((config.greedy, "val"), (config.recalibrate, "train")):
        if wanted:
            data_set.find_split(config.data_dir, split, "data_dir")
    device = runtime.start(config.device_target)
    graphs.start(config, World())
    paths, reader = paths_of(specs, config.files, target), Reader(specs, config.weights)
    if config.greedy:
        mean, kept = soup.greedy(reader, reader.distinct(paths), config, device)
    else:
        mean, kept = MeanWeights(), []
        for found, member in reader.distinct(paths):
            mean.add(found)
            kept.append(member)
    for member in kept:
        logger.info("averaged: %s", member.path)
    facts = {"mean": "greedy" if config.greedy else "uniform", "files": [member.facts for member in kept]}
    write(reader.spec, mean.checkpoint(target), config, facts)
    return target


def write(spec: ModelSpec, found: Checkpoint, config: AverageConfig, facts: dict[str, Any]) -> None:
    """Write these weights, with batch norm statistics of their own where that is asked for.

    Raises:
        UserError: it cannot be written, or see `batch_statistics.recalibrate`.
    """
    plan = network_plan.plan_network(spec, found)
    network = spec.make(plan.num_classes, plan.options)
    loading.load_weights(network, found.weights, found.path, plan.kept)
    size = {"image_size": plan.options["image_size"]} if "image_size" in plan.options else {}
    how = origin_preprocessing.settled(found, spec.eval_config(**size), say=False)
    if config.recalibrate:
        facts["images_of_statistics"] = batch_statistics.recalibrate(network, how, config)
    weights_file.write(
        found.path, spec, plan, network, classes=found.classes, preprocessing=how, facts={"averaged_from": facts}
    )
