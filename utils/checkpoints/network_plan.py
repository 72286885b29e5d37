"""Which network to build for a checkpoint: what is given, else what the file says or its weights show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mindzoo.utils.checkpoints import foreign_names, metadata
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.log import logger
from mindzoo.utils.spec import IMAGE_CHANNELS, ModelSpec

# Files without a word on their flavour: the original zoo's networks, and the others, which follow the papers.
ORIGIN_FLAVOUR = {foreign_names.ZOO: "zoo", foreign_names.TORCH: "paper", foreign_names.OTHER_ZOO: "paper"}
# A network may have so many times the parameters and numbers of its file, for what is said of a file that lacks some.
MOST_TIMES, MORE_PARAMETERS, MORE_NUMBERS = 2, 1000, 1 << 20
MOST_PARAMETERS = 10_000  # which take seconds to build; the largest network here has 1,631


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
        num_classes: 0 for a network without a classifier; None for as many as the checkpoint has.
        options: more of the network's arguments may be among them than `ModelSpec.options` names.
        replace_head: the classifier is made anew, so that `num_classes` may be any number.

    Raises:
        UserError: it has no weights of this network, or is of a network with other options, for images of other
            channels, or another number of classes than wanted.
    """
    _check_channels(spec, checkpoint, options or {})
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
            settled[option] = _number(checkpoint, parameter)
    by_weights = {name: _plain(settled[name]) for name in {**shown, **spec.parameter_options} if name in settled}
    metadata.check_options(checkpoint.path, by_weights, spec)
    if settled.get("flavour") != recorded.get("flavour"):
        wanted, found = settled["flavour"], recorded.get("flavour")
        logger.warning("flavour %s is wanted, and the weights of %s are of flavour %s", wanted, checkpoint.path, found)
    classes = _classes(spec, checkpoint)
    if num_classes and classes and num_classes != classes and not replace_head:
        raise UserError(
            f"{checkpoint.path} has {counted(classes, 'class')}; wanted {num_classes}: give --num_classes {classes}, "
            f"a checkpoint of {counted(num_classes, 'class')}, or replace_head for a new classifier"
        )
    headless = num_classes == 0
    outputs = 0 if headless else num_classes or classes or 1000
    if shown:  # of a network without options there is one size
        _check_size(spec, checkpoint, settled, 0 if replace_head else outputs)
    return NetworkPlan(outputs, settled, (*kept, spec.classifier) if replace_head or headless else tuple(kept))


def _check_channels(spec: ModelSpec, checkpoint: Checkpoint, options: Mapping[str, Any]) -> None:
    """Refuse weights for images of other channels: commands read images of three, and programs say how many."""
    found, wanted = spec.input_channels(checkpoint.weights), options.get("in_channels", IMAGE_CHANNELS)
    if found != wanted:
        raise UserError(
            f"{checkpoint.path} is of a network for images of {counted(found, 'channel')}; wanted {wanted}: use it in a program, "
            f"with create_model({spec.name!r}, checkpoint=...)"
        )


def _number(checkpoint: Checkpoint, parameter: str) -> float:
    value = checkpoint.weights[parameter]
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise UserError(f"{checkpoint.path} is damaged: {parameter} is not one number; use another checkpoint")
    return float(value.item())


def _classes(spec: ModelSpec, checkpoint: Checkpoint) -> int | None:
    """The number of outputs that the file says or shows."""
    said = checkpoint.meta.get("num_classes")
    held = [checkpoint.weights.get(f"{spec.classifier}.{leaf}") for leaf in ("weight", "bias")]
    shown = sorted({len(value) for value in held if value is not None and value.ndim})
    if len(shown) > 1:
        raise UserError(
            f"{checkpoint.path} is damaged: its classifier has weights for {shown[0]} classes and for {shown[1]}; use another "
            "checkpoint"
        )
    if said and shown != [said]:
        raise UserError(
            f"{checkpoint.path} is damaged: it says that it has {counted(said, 'class')}, and its classifier has "
            f"{shown[0] if shown else 'none'}; use another checkpoint"
        )
    return shown[0] if shown else None


def _check_size(spec: ModelSpec, checkpoint: Checkpoint, options: Mapping[str, Any], num_classes: int) -> None:
    """Refuse to build a network that is much larger than the file."""
    held = len(checkpoint.weights), sum(value.size for value in checkpoint.weights.values())
    wanted = spec.at_least(options, num_classes)
    most = min(MOST_TIMES * held[0] + MORE_PARAMETERS, MOST_PARAMETERS), MOST_TIMES * held[1] + MORE_NUMBERS
    if wanted[0] > most[0] or wanted[1] > most[1]:
        raise UserError(
            f"{checkpoint.path} is damaged: it describes a network of {wanted[1]:,} numbers in {wanted[0]:,} parameters, "
            f"and holds {held[1]:,} in {held[0]:,}; use another checkpoint"
        )


def _shown_options(spec: ModelSpec, checkpoint: Checkpoint, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The network's options that the weights themselves show; they leave nothing to choose."""
    shown = spec.shown_by(checkpoint.weights)
    if shown is None:
        raise UserError(
            f"{checkpoint.path} holds no weights of {spec.name}, but {shorten(checkpoint.weights, 3)}; use another"
        )
    for name, value in checkpoint.meta.get("options", {}).items():
        # A word may be left as it was where other options say more, and what is empty was left open.
        if name in shown and value != [] and not isinstance(value, str) and value != _plain(shown[name]):
            raise UserError(
                f"{checkpoint.path} is damaged: it says that {name} is {str(value)[:40]}, and its weights are of "
                f"{show(shown[name])}; use another checkpoint"
            )
    for name, value in wanted.items():
        if name in shown and _plain(value) != _plain(shown[name]):
            raise UserError(
                f"{name} is {show(value)}, and {checkpoint.path} is of a network with {show(shown[name])}; "
                f"leave {name} out or give {show(shown[name])}"
            )
    return shown


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
