"""Which checkpoint a training goes on from, and where in the epoch."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import ranks
from mindzoo.utils.checkpoints import checkpoint_file, network_plan, soundness
from mindzoo.utils.checkpoints.checkpoint_file import BEST, LAST, Checkpoint
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded, show
from mindzoo.utils.data.loader import Data
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import aside, logger
from mindzoo.utils.runtime import World
from mindzoo.utils.scores.metric import METRIC_KINDS, TOP1, value_of_best
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import continuity
from mindzoo.utils.training.state import RESTORED, last_step, out_of_patience


@dataclass(frozen=True)
class StartingPoint:
    """Where a training starts: from nothing, from the weights of a checkpoint, or in the middle of an earlier run."""

    options: dict[str, Any]  # the network's arguments
    kept: tuple[str, ...] = ()  # layers and parameters of the network that do not take the checkpoint's values
    pretrained: Checkpoint | None = None
    resumed: Checkpoint | None = None
    epoch: int = 0
    epoch_step: int = 0
    best: dict[str, Any] | None = None  # evaluation of the run that goes on
    evaluation: dict[str, Any] | None = None  # of the weights that it goes on from
    waited: int = 0  # evaluations that were no better, and the value that would have been
    to_beat: float = -1.0
    loss_sum: float = 0.0  # of the steps of its epoch that are done
    loss_count: int = 0

    @property
    def counts(self) -> dict[str, Any]:
        """What the run's state begins with."""
        return {name: getattr(self, name) for name in RESTORED}

    def is_complete(self, config: TrainConfig, steps_per_epoch: int) -> bool:
        """Whether all steps are done already; says so."""
        done, last = self.epoch * steps_per_epoch + self.epoch_step, last_step(config, steps_per_epoch)
        if done >= last:
            logger.info("nothing to do: %d of %d steps are done", done, last)
            return True
        if out_of_patience(config, self.waited):
            logger.info("nothing to do: %d evaluations were no better; patience is %d", self.waited, config.patience)
            return True
        return False


def find_on_first(world: World, spec: ModelSpec, config: TrainConfig) -> Checkpoint | None:
    """The checkpoint that `--resume` means, on rank 0; None on the others, which do not look for it.

    Raises:
        UserError: see `find`.
    """
    if not config.resume or (world.rank and world.connected):
        return None
    return find(spec, config.resume, config.output_dir)


def agree(
    world: World,
    spec: ModelSpec,
    loaded: Loaded[TrainConfig],
    data: Data,
    num_classes: int,
    found: Checkpoint | None,
) -> StartingPoint:
    """`choose_start`, on rank 0 alone: the others start where it does and get its weights later.

    Args:
        found: what `--resume` means; see `find_on_first`.

    Raises:
        UserError: see `choose_start`.
    """
    here = choose_start(spec, loaded, data, num_classes, found) if world.rank == 0 or not world.connected else None
    facts = ranks.first(world, lambda: {name: getattr(here, name) for name in ("options", *RESTORED)})
    if here:
        return here
    kinds = {name: type(value) for name, value in spec.network_options(loaded.config).items()}
    options = {name: kinds[name](value) for name, value in facts.pop("options").items()}
    return StartingPoint(options, **facts)


def choose_start(
    spec: ModelSpec, loaded: Loaded[TrainConfig], data: Data, num_classes: int, found: Checkpoint | None
) -> StartingPoint:
    """Check that the training can start from the checkpoint that `--resume` means, or that `--pretrained` names.

    Args:
        found: what `--resume` means; None where there is none.

    Raises:
        UserError: it cannot be read, or is of another network, other classes or other data.
    """
    config = loaded.config
    if found and found.is_of_a_training:
        given = {name: value for name, value in spec.network_options(config).items() if name in loaded.given}
        check_options(found, given)
        continuity.check_classes(found, data)
        epoch, epoch_step = next_step(found)
        if config.resume != "auto" and "begin_epoch" in loaded.given and (config.begin_epoch, 0) != (epoch, epoch_step):
            raise UserError(
                f"begin_epoch is {config.begin_epoch}, and {found.path} goes on in epoch {epoch} at step {epoch_step}; "
                "leave begin_epoch out"
            )
        continuity.say_what_differs(found, config, data.train)
        options, _ = _options(spec, loaded, found, num_classes)
        counts = counts_of(found, spec, config.metric, in_its_folder=config.resume == "auto")
        counts["epoch_step"] = continuity.steps_here(found, data.train)
        return StartingPoint(options, resumed=found, **counts)
    if not found and config.pretrained:
        found = checkpoint_file.read_checkpoint(Path(config.pretrained), spec)
        soundness.check(found.path, found.chosen("averaged"))
    if found:
        options, kept = _options(spec, loaded, found, num_classes)
        return StartingPoint(options, kept, pretrained=found, epoch=_first_epoch(spec, loaded, found, data))
    for name in ("begin_epoch", "replace_head"):
        if getattr(config, name):
            raise UserError(
                f"{name} is {show(getattr(config, name))}, without weights to start from: give --pretrained FILE"
            )
    return StartingPoint(spec.network_options(config))


def find(spec: ModelSpec, wanted: str, output_dir: str) -> Checkpoint | None:
    """The checkpoint that `--resume wanted` means.

    Args:
        wanted: "auto" for the newest one of a training below `output_dir`, None and a line that says so where there
            is none; or a file.

    Raises:
        UserError: the file is missing or damaged.
    """
    if wanted != "auto":
        return checkpoint_file.read_checkpoint(Path(wanted), spec)
    for path in newest_first(spec, Path(output_dir)):
        found = usable(spec, path)
        if found:
            aside("resume auto: going on from %s", path)
            return found
    aside("resume auto: no checkpoint in %s, starting from the beginning", output_dir)
    return None


def usable(spec: ModelSpec, path: Path) -> Checkpoint | None:
    """The checkpoint, where a training can go on from it; None and a line that says why where it cannot."""
    try:
        found = checkpoint_file.read_checkpoint(path, spec)
        network_plan.plan_network(spec, found)
    except UserError as error:
        logger.info("resume auto: passed over a checkpoint: %s", error)
        return None
    if not found.is_of_a_training:
        logger.info("resume auto: passed over %s, which holds no state of a training", path)
        return None
    bad = soundness.first_not_finite(found.values())
    if bad:
        logger.info("resume auto: passed over %s: %s holds values that are not finite", path, bad)
        return None
    epoch, step = found.meta["epoch"] + 1, found.meta["epoch_step"]
    named = re.fullmatch(spec.lines.checkpoint_pattern, path.name)
    if named and (int(named["epoch"]), int(named["step"])) != (epoch, step):
        logger.info("resume auto: passed over %s, which says that it is of epoch %d, step %d", path, epoch, step)
        return None
    return found


def newest_first(spec: ModelSpec, folder: Path) -> Iterator[Path]:
    """The checkpoints in `folder`, and in the runs below it, by run, epoch and step."""
    if not folder.is_dir():
        return
    runs = [folder, *sorted((entry for entry in folder.iterdir() if entry.is_dir()), reverse=True)]
    for run in runs[1:] + runs[:1]:
        placed = [*numbered(spec, run), *unnumbered(spec, run)]
        yield from (path for *_, path in sorted(placed, reverse=True))


def numbered(spec: ModelSpec, run: Path) -> list[tuple[int, int, str, Path]]:
    """Epoch (from 1), step in it, name and path of each numbered checkpoint of a run, the oldest first."""
    found = []
    for path in run.glob("*.ckpt"):
        match = re.fullmatch(spec.lines.checkpoint_pattern, path.name)
        if match:
            found.append((int(match["epoch"]), int(match["step"]), path.name, path))
    return sorted(found)


def written_by(spec: ModelSpec, config: TrainConfig, rank: int, run: Path) -> list[Path]:
    """The numbered checkpoints of one rank in the folder of a run, the oldest first."""
    name = functools.partial(spec.lines.checkpoint, config, rank)
    return [path for epoch, step, _, path in numbered(spec, run) if path.name == name(epoch, step)]


def unnumbered(spec: ModelSpec, run: Path) -> Iterator[tuple[int, int, str, Path]]:
    """The same of best.ckpt and last.ckpt, whose content says where they belong."""
    for path in (run / BEST, run / LAST):
        found = usable(spec, path) if path.is_file() else None
        if found:
            yield found.meta["epoch"] + 1, found.meta["epoch_step"], "", path  # after a numbered one of the same step


def counts_of(found: Checkpoint, spec: ModelSpec, metric: str, *, in_its_folder: bool) -> dict[str, Any]:
    """RESTORED by the checkpoint; the best evaluation by best.ckpt too, where the run goes on in the same folder.

    An evaluation that was best by another metric than this one is not compared with those to come.
    """
    counts = {name: found.meta[name] for name in RESTORED if name in found.meta}
    counts.setdefault("evaluation", {})  # older files do not say; their epochs were evaluated
    before = found.meta.get("config", {}).get("metric", TOP1)
    if before != metric:
        logger.info(
            "resume: metric was %s and is %s; the next evaluation is the best so far, and best.ckpt is its",
            before,
            metric,
        )
        for name in ("waited", "to_beat"):
            counts.pop(name, None)
    bests = [counts.pop("best", None)]
    beside = found.path.parent / BEST
    if in_its_folder and beside != found.path and beside.is_file():
        try:
            bests.append(checkpoint_file.read_checkpoint(beside, spec).meta.get("best"))
        except UserError as error:
            logger.info("resume: the best evaluation is that of %s: %s", found.path, error)
    values = [(value, best) for best in bests if (value := value_of_best(best, metric)) is not None]
    choose = min if METRIC_KINDS[metric].falls else max
    return {**counts, "best": choose(values, key=itemgetter(0), default=(None, None))[1]}


def next_step(found: Checkpoint) -> tuple[int, int]:
    """Epoch (from 0) and step in it at which the training goes on."""
    epoch, step = found.meta["epoch"], found.meta["epoch_step"]
    return (epoch + 1, 0) if step >= found.meta["steps_per_epoch"] else (epoch, step)


def check_options(found: Checkpoint, given: Mapping[str, Any]) -> None:
    """Refuse to go on with another network than the run began with.

    Raises:
        UserError: an argument of the network was given that differs from the checkpoint's.
    """
    for name, value in given.items():
        before = found.meta["options"].get(name)
        if (list(value) if isinstance(value, tuple) else value) != before:
            raise UserError(
                f"{name} is {value}, and {found.path} is of a training with {before}; resume without {name}"
            )


def _first_epoch(spec: ModelSpec, loaded: Loaded[TrainConfig], found: Checkpoint, data: Data) -> int:
    """The epoch (from 0) at which a training starts that has nothing but weights.

    Raises:
        UserError: it is to be resumed, and nothing says how long it was trained.
    """
    config = loaded.config
    if not config.resume or config.resume == "auto" or "begin_epoch" in loaded.given:
        return config.begin_epoch
    numbered = re.fullmatch(spec.lines.checkpoint_pattern, found.path.name)
    if "global_step" in found.state:
        epoch = int(np.ravel(found.state["global_step"])[0]) // data.train.steps_per_epoch
    elif numbered:
        epoch = int(numbered["epoch"])
    else:
        raise UserError(
            f"{found.path} does not say how long it was trained; give --begin_epoch, or use it with --pretrained"
        )
    aside("%s holds weights only: going on at epoch %d with a new optimizer", found.path, epoch)
    return epoch


def _options(
    spec: ModelSpec, loaded: Loaded[TrainConfig], start: Checkpoint, num_classes: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The network's arguments: those given, else those of the checkpoint, else the defaults; and what it keeps of them.

    Raises:
        UserError: the checkpoint has another number of classes.
    """
    options = spec.network_options(loaded.config)
    given = {name: value for name, value in options.items() if name in loaded.given}
    if "image_size" in options:  # the images are cut to the size that the configuration says
        given["image_size"] = options["image_size"]
    plan = network_plan.plan_network(
        spec, start, num_classes=num_classes, options=given, replace_head=loaded.config.replace_head
    )
    kinds = {name: type(value) for name, value in options.items()}
    return {**options, **{name: kinds[name](value) for name, value in plan.options.items()}}, plan.kept
