"""A greedy soup: checkpoints are averaged as long as the mean is no worse on validation images.

Wortsman et al. 2022, "Model soups", https://arxiv.org/abs/2203.05482, recipe 1: sorted by their own accuracy, each is added
where the accuracy of the mean with it is not below that of the mean without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from mindzoo.utils.checkpoints import network_source
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data import data_set
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.inference.evaluate_checkpoints import Session
from mindzoo.utils.inference.files_to_average import Member, Reader
from mindzoo.utils.inference.keys import AverageConfig
from mindzoo.utils.inference.mean_weights import MeanWeights
from mindzoo.utils.log import logger
from mindzoo.utils.records import EvalResult
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec

# Of an average, what an evaluation takes as well.
SHARED = ("engine", "verify", "on_bad_image", "skip_list", "batch_size", "workers", "device_target", "compile_cache")


class Taster:
    """Evaluates weights that may be in no file."""

    def __init__(self, spec: ModelSpec, config: AverageConfig, device: str) -> None:
        root = data_set.find_split(config.data_dir, "val", "data_dir")
        own = Loaded(spec.eval_config(**{name: getattr(config, name) for name in SHARED}), frozenset())
        self.engine = Engine(spec, own.config, device)
        self.session = Session(spec, own, root, World(), self.engine)

    def taste(self, found: Checkpoint) -> EvalResult:
        """What these weights get right of all images.

        Raises:
            UserError: see `evaluate_checkpoints.open_source`.
        """
        made_from = network_source.settled_source(self.session.spec, found, self.session.loaded)
        self.session.take(made_from, say=False)
        return self.session.run()


def greedy(
    reader: Reader, members: Iterable[tuple[Checkpoint, Member]], config: AverageConfig, device: str
) -> tuple[MeanWeights, list[Member]]:
    """The mean of those that are kept, and these, the best first; each file is read twice, one at a time.

    Raises:
        UserError: see `Reader.read` and `Taster.taste`.
    """
    taster: Taster | None = None
    sorted_by: list[tuple[int, Member]] = []
    for found, member in members:
        taster = taster or Taster(reader.spec, config, device)
        result = taster.taste(found)
        logger.info("%s: %s", member.path, shown(result))
        sorted_by.append(
            (result.top1, dataclasses.replace(member, facts={**member.facts, "accuracy": result.accuracy}))
        )
    assert taster is not None
    sorted_by.sort(key=lambda one: -one[0])  # of those that are as good, the one that was named first
    mean, best = MeanWeights(), -1
    kept: list[Member] = []
    for hits, member in sorted_by:
        found, _ = reader.read(member.path)
        if kept:
            result = taster.taste(mean.checkpoint(Path(config.output), found))
            hits = result.top1
            logger.info("with %s: %s, %s", member.path, shown(result), "kept" if hits >= best else "left out")
        if hits >= best:
            mean.add(found)
            kept.append(member)
            best = hits
    taster.engine.finish()
    return mean, kept


def shown(result: EvalResult) -> str:
    """The accuracy in words."""
    return f"{result.top1:,} of {result.total:,} images, {100 * result.accuracy:.2f} %"
