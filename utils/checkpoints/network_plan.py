"""Which network to build for a checkpoint: what is given, else what the file says or its weights show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import UserError, shorten
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

# Files without a word on their flavour: the original zoo's networks, and those of PyTorch, which follow the papers.
ORIGIN_FLAVOUR = {"zoo": "zoo", "torch": "paper"}


@dataclass(frozen=True)
class NetworkPlan:
    """The network that a checkpoint is of, or is to be loaded into."""

    num_classes: int
    options: dict[str, Any]
    kept: tuple[str, ...] = ()  # parameters whose value is that of an option, not the file's


def plan_network(
    spec: ModelSpec,
    checkpoint: Checkpoint,
    *,
    num_classes: int | None = None,
    options: Mapping[str, Any] | None = None,
    replace_head: bool = False,
) -> NetworkPlan:
    """What to build for a checkpoint: `options` win over what the file says or its origin implies.

    Args:
        replace_head: the classifier is made anew, so that `num_classes` may be any number.

    Raises:
        UserError: it has no weights of this network, or is of a network with other options or another number of
            classes than wanted.
    """
    shown = _shown_options(spec, checkpoint, options or {})
    # What the weights show is what they are: a file may record an option as left open, such as layers.
    recorded = {**checkpoint.meta.get("options", {}), **shown}
    if checkpoint.origin in ORIGIN_FLAVOUR and "flavour" in spec.options:
        recorded["flavour"] = ORIGIN_FLAVOUR[checkpoint.origin]
    settled = {**recorded, **(options or {})}
    kept = []
    for option, parameter in spec.parameter_options.items():
        if parameter not in checkpoint.weights or option in (options or {}):
            kept.append(parameter)
        else:
            settled[option] = float(checkpoint.weights[parameter])
    if settled.get("flavour") != recorded.get("flavour"):
        wanted, found = settled["flavour"], recorded.get("flavour")
        logger.warning("flavour %s is wanted, and the weights of %s are of flavour %s", wanted, checkpoint.path, found)
    bias = checkpoint.weights.get(f"{spec.classifier}.bias")
    classes = checkpoint.meta.get("num_classes") or (len(bias) if bias is not None else None)
    if num_classes and classes and num_classes != classes and not replace_head:
        raise UserError(
            f"{checkpoint.path} has {classes} classes; wanted {num_classes}: give --num_classes {classes}, "
            f"a checkpoint of {num_classes} classes, or replace_head for a new classifier"
        )
    return NetworkPlan(
        num_classes or classes or 1000, settled, (*kept, spec.classifier) if replace_head else tuple(kept)
    )


def _shown_options(spec: ModelSpec, checkpoint: Checkpoint, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The network's options that the weights themselves show; they leave nothing to choose."""
    shown = spec.options_of(checkpoint.weights)
    if shown is None:
        if checkpoint.origin == "mindzoo":
            return {}
        raise UserError(f"{checkpoint.path} holds no weights of {spec.name}, but {shorten(checkpoint.weights, 3)}")
    for name, value in wanted.items():
        if name in shown and _plain(value) != _plain(shown[name]):
            raise UserError(
                f"{name} is {show(value)}, and {checkpoint.path} is of a network with {show(shown[name])}; "
                f"leave {name} out or give {show(shown[name])}"
            )
    return shown


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
