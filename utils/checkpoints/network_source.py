"""A network made from a checkpoint, as evaluation, export and prediction need it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindspore import nn

from mindzoo.utils.checkpoints import checkpoint_file, loading, network_plan, origin_preprocessing, soundness
from mindzoo.utils.checkpoints.checkpoint_file import BEST, LAST, Checkpoint
from mindzoo.utils.checkpoints.network_plan import NetworkPlan
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import aside, logger
from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class Source:
    """A checkpoint that has been read, with what to build for it and how to feed it."""

    checkpoint: Checkpoint
    plan: NetworkPlan
    preprocessing: Preprocessing

    def class_names(self) -> list[str]:
        """One name per output; numbers where the checkpoint has no names."""
        names = self.checkpoint.classes
        return names + [str(number) for number in range(len(names), self.plan.num_classes)]


def read_source(spec: ModelSpec, path: Path, loaded: Loaded[Any]) -> Source:
    """Read a checkpoint; keys that were given win over what it says.

    Raises:
        UserError: see `mindzoo.utils.checkpoints.checkpoint_file`; the weights are not finite.
    """
    content = checkpoint_file.read_checkpoint(path, spec)
    hint = ", or give --allow_nonfinite to see what comes out"
    weights, allowed = content.chosen(loaded.config.weights), loaded.config.allow_nonfinite
    soundness.check(path, weights, hint=hint, allowed=allowed)
    if loaded.config.weights == "raw" and not content.averaged:
        logger.info("weights has no effect: %s has no averaged ones", path)
    given = {name: value for name, value in dataclasses.asdict(loaded.config).items() if name in loaded.given}
    options = {name: given[name] for name in spec.options if name in given}
    recorded = origin_preprocessing.settled(content, spec.eval_config(), say="resize_mode" not in loaded.given)
    wanted = {field.name: given[field.name] for field in dataclasses.fields(Preprocessing) if field.name in given}
    if "image_size" in wanted:
        wanted["image_size"] = loaded.config.image_size
    plan = network_plan.plan_network(spec, content, options=options)
    if "image_size" in plan.options:
        wanted["image_size"] = tuple(plan.options["image_size"])
    preprocessing = dataclasses.replace(recorded, **wanted)
    spec.check_image_size(preprocessing.image_size)
    return Source(content, plan, preprocessing)


def build_network(spec: ModelSpec, made_from: Source, which: str, *, say: bool = True) -> nn.Cell:
    """The network with its weights, set to inference. `which`: "averaged" or "raw"; `say`: log it."""
    network = spec.make(made_from.plan.num_classes, made_from.plan.options)
    loading.load_into(network, made_from.checkpoint, which=which, without=made_from.plan.kept, say=say)
    network.set_train(False)
    return network


def option_values(spec: ModelSpec, made_from: Source, which: str) -> dict[str, float]:
    """The values of the options that are parameters: the file's, unless the plan keeps another one."""
    plan, weights = made_from.plan, made_from.checkpoint.chosen(which)
    defaults = {field.name: field.default for field in dataclasses.fields(spec.eval_config)}
    return {
        option: float(
            plan.options.get(option, defaults[option]) if parameter in plan.kept else weights[parameter].item()
        )
        for option, parameter in spec.parameter_options.items()
    }


def single_path(config: Any) -> Path:
    """The checkpoint that was asked for.

    Raises:
        UserError: none was.
    """
    if not config.checkpoint:
        raise UserError("checkpoint is not given; wanted --checkpoint FILE")
    return Path(config.checkpoint)


def single_file(config: Any) -> Path:
    """The same, where it is one file that is wanted: of the folder of a run its best.ckpt, or else last.ckpt.

    Raises:
        UserError: none was asked for, or the folder holds neither.
    """
    path = single_path(config)
    if not path.is_dir():
        return path
    for name in (BEST, LAST):
        if (path / name).is_file():
            aside("the checkpoint of %s is %s", path, name)
            return path / name
    raise UserError(f"the checkpoint {path} is a folder, without {BEST} and {LAST}; name a file in it")
