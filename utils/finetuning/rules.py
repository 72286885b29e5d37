"""The rules by which a fine-tuning is chosen: facts in, values of keys and reasons out. Nothing is read or written here.

Each rule says where it is from. Those without a source are ours, and mean to be safe, not best.

- Kornblith et al. 2019, "Do Better ImageNet Models Transfer Better?", https://arxiv.org/abs/1805.08974: SGD with momentum 0.9.
- Our own trainings ("What it is worth" in docs/TRAINING.md): AdamW and averaged weights, where weights know little.
- Kolesnikov et al. 2020, "Big Transfer" (BiT), https://arxiv.org/abs/1912.11370: its rule for the length of a training, and that images
  decide the size; its shortest training has 500 updates.
- Goyal et al. 2017, https://arxiv.org/abs/1706.02677: the learning rate in proportion to the images of an update, and a warm-up.
- Malladi et al. 2022, https://arxiv.org/abs/2205.10287: for Adam in proportion to the root of it.
- Masters and Luschi 2018, https://arxiv.org/abs/1804.07612: batches of up to 32 images generalise best.
- Yosinski et al. 2014, https://arxiv.org/abs/1411.1792: the first layers are general, the last ones are not.
- Szegedy et al. 2016, https://arxiv.org/abs/1512.00567: label smoothing of 0.1.
- fastai, `RandomSplitter`: a fifth of the images is held out.
- PyTorch's tutorial on transfer learning: a rate of 0.001 for four images.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import counted, shorten

OPTIMIZER, ADAMW = "momentum", "adamw"
SHARE_HELD_OUT, SMALL_SHARE, MANY_IMAGES = 0.2, 0.1, 20_000
GRID = 32  # sizes of images are multiples of it: what the networks reduce a side by
LEAST_SIDE = 64
USUAL_SIDE = 224  # of what `Facts.multiply_adds` and `activations` are counted for
# What a core may have to compute in all; a larger training gets smaller images. Where weights know little, more epochs of smaller images
# are worth more.
MOST_MULTIPLY_ADDS_OF_A_CORE, MOST_KNOWING_LITTLE = 3e14, 1e13
FORWARD_AND_BACKWARD = 3  # a training step computes about three times what an inference does
LARGEST_BATCH = {True: 32, False: 64}  # on a CPU, and on a card
LEAST_BATCH, LEAST_DIFFERENT = (
    8,
    4,
)  # for the statistics of batch norm; pictures in it, where each is there several times
STEPS_OF_AN_EPOCH = 10
UPDATES, FEWEST_EPOCHS, MOST_EPOCHS = 1000, 10, 50
# A training from random weights has more to learn.
UPDATES_FROM_NOTHING, FEWEST_FROM_NOTHING, MOST_FROM_NOTHING = 5000, 30, 120
RATE_OF_AN_IMAGE = 0.001 / 4  # in an update that begins from weights
RATE_FROM_NOTHING = 0.1 / 256
LARGEST_RATE = 0.1
RATE_OF_ADAMW, RATE_OF_ADAMW_KNOWING_LITTLE, IMAGES_OF_THAT_RATE = 1e-4, 1e-3, 16
KNOWING_LITTLE = {"optimizer": ADAMW, "weight_decay": 0.05, "ema_decay": 0.99, "ema_warmup": True}
SHARE_OF_WARMUP = 0.05  # of the epochs
GENERAL_CLASSES = 100  # weights that know fewer classes know little of other pictures
FEW_IMAGES, SOME_IMAGES = 200, 2000
CLASSES_TO_SMOOTH = 5  # what is taken from the true class is much for each of fewer others
SMALLEST_CROP = (0.35, 1.0)
BYTES = 4  # of a float32
SHARE_OF_MEMORY = 0.5


@dataclass(frozen=True)
class Facts:
    """What a fine-tuning is chosen by."""

    images: int  # in the training folder
    classes: int
    has_validation: bool
    side: int  # the median of the pictures' shorter sides, in pixels
    on_cpu: bool
    cores: int
    memory_gb: float  # of the host on a CPU, else of a card
    ranks: int = 1
    # Of the weights that it begins from:
    weights: str = ""  # their file; "" for random ones
    weights_classes: int = 0
    same_classes: bool = False  # they know these classes already
    weights_side: int = USUAL_SIDE
    # Of the network:
    fixed_side: bool = False  # it takes images of the weights' size only
    least_side: int = 32
    multiple: int = 1  # what a batch is a multiple of
    unused: Collection[str] = ()  # keys that have no effect beside those that are given
    stages: tuple[tuple[str, ...], ...] = ()  # names of parameters that may be frozen, the first stage first
    keys: Mapping[str, Any] | None = None  # of its own
    multiply_adds: float = 0.0  # of one image of USUAL_SIDE
    activations: float = 0.0  # numbers that come out of all layers for it

    @property
    def little_is_known(self) -> bool:
        """Whether there are no weights, or such that know few classes, and others."""
        return not self.weights or (self.weights_classes < GENERAL_CLASSES and not self.same_classes)


@dataclass(frozen=True)
class Chosen:
    """Values by key, and why, a line for each subject."""

    values: dict[str, Any]
    reasons: tuple[str, ...]


def choose(facts: Facts, given: Mapping[str, Any]) -> Chosen:
    """Choose the keys that are not given.

    Args:
        given: values of keys, which win, and which the others are chosen to fit.

    Returns:
        Values of the keys that were chosen, without those that were given; five reasons.
    """
    kept, held = _split(facts, given)
    chosen: dict[str, Any] = {**held, **_start(facts, kept), **_update(facts, given)}
    batch = _batch(facts, kept)
    chosen["batch_size"] = batch
    batch = given.get("batch_size", batch)
    steps = max(kept // (batch * facts.ranks), 1)
    chosen["max_epoch"] = _epochs(facts, steps)
    epochs = given.get("max_epoch", chosen["max_epoch"])
    # Where little is known, fewer epochs are no reason for larger images: small ones still gave more in the same time.
    side = _side(facts, kept * (chosen["max_epoch"] if facts.little_is_known else epochs))
    chosen["image_size"] = (side, side)
    chosen["lr"] = _rate(facts, batch, given.get("optimizer", chosen["optimizer"]))
    chosen["warmup_epochs"] = max(round(SHARE_OF_WARMUP * epochs), 1) if epochs >= FEWEST_EPOCHS else 0
    chosen["label_smooth"] = facts.classes >= CLASSES_TO_SMOOTH
    chosen["crop_scale"] = SMALLEST_CROP
    chosen["eval_interval"] = 1
    chosen["save_checkpoint_epochs"] = 0
    chosen = {name: value for name, value in chosen.items() if name not in facts.unused}
    values = {**chosen, **given}
    return Chosen(
        {name: value for name, value in chosen.items() if name not in given},
        (
            _why_split(facts, kept, values),
            _why_start(facts, values, given),
            _why_side(facts, values, given),
            _why_length(facts, steps, values),
            _why_rate(facts, values),
        ),
    )


def _split(facts: Facts, given: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """How many images are trained on, and the share that is held out."""
    if facts.has_validation or given.get("eval_data_dir"):
        return facts.images, {}
    possible = facts.images > facts.classes  # a class of one image keeps it
    share = given.get("val_split", (SMALL_SHARE if facts.images > MANY_IMAGES else SHARE_HELD_OUT) if possible else 0.0)
    return max(round(facts.images * (1 - share)), 1), {"val_split": share} if possible else {}


def _start(facts: Facts, kept: int) -> dict[str, Any]:
    """The classifier and what is frozen (Yosinski et al. 2014)."""
    if not facts.weights:
        return {}
    general = facts.weights_classes >= GENERAL_CLASSES
    count = 0 if not general or kept >= SOME_IMAGES else 1 if kept >= FEW_IMAGES else len(facts.stages)
    frozen = tuple(pattern for stage in facts.stages[:count] for pattern in stage)
    return {**({} if facts.same_classes else {"replace_head": True}), **({"freeze": frozen} if frozen else {})}


def _update(facts: Facts, given: Mapping[str, Any]) -> dict[str, Any]:
    """The update rule, what goes with it, and what the network's own keys are to be, unless the rate is not by the usual ones."""
    own = {} if "lr" in facts.unused else facts.keys or {}
    if facts.little_is_known and "optimizer" not in given:
        return {**KNOWING_LITTLE, **own}
    return {"optimizer": OPTIMIZER, **own}


def _batch(facts: Facts, kept: int) -> int:
    """Such that an epoch has some steps, an update not too many images (Masters and Luschi 2018), and memory suffices."""
    bytes_of_image = BYTES * facts.activations * (facts.weights_side / USUAL_SIDE) ** 2
    fitting = SHARE_OF_MEMORY * facts.memory_gb * 1e9 / max(bytes_of_image, 1)
    most = min(LARGEST_BATCH[facts.on_cpu], fitting, kept / (STEPS_OF_AN_EPOCH * facts.ranks))
    wanted = max(2 ** int(math.log2(max(most, 1))), LEAST_BATCH, LEAST_DIFFERENT * facts.multiple)
    return max(min(wanted, kept // facts.ranks) // facts.multiple, 1) * facts.multiple


def _epochs(facts: Facts, steps: int) -> int:
    """Enough for some updates, as BiT's rule has it, in a whole number of epochs."""
    updates, fewest, most = (
        (UPDATES, FEWEST_EPOCHS, MOST_EPOCHS)
        if facts.weights
        else (UPDATES_FROM_NOTHING, FEWEST_FROM_NOTHING, MOST_FROM_NOTHING)
    )
    return min(max(math.ceil(updates / steps), fewest), most)


def _side(facts: Facts, views: int) -> int:
    """The largest side that the weights know, the pictures have, and a CPU can compute."""
    largest = facts.weights_side
    if facts.fixed_side:
        return largest
    if largest < USUAL_SIDE / 2:
        largest = USUAL_SIDE  # weights of tiny pictures say nothing of these
    least = max(LEAST_SIDE, math.ceil(facts.least_side / GRID) * GRID)
    sides = range(max(largest // GRID * GRID, least), least, -GRID)
    wanted = max(math.ceil(facts.side / GRID) * GRID, least)
    fitting = (side for side in sides if side <= wanted and not _is_too_much(facts, views, side))
    return next(fitting, least)


def _is_too_much(facts: Facts, views: int, side: int) -> bool:
    """Whether a training that looks at so many images is too much for this CPU."""
    multiply_adds = FORWARD_AND_BACKWARD * facts.multiply_adds * (side / USUAL_SIDE) ** 2
    most = MOST_KNOWING_LITTLE if facts.little_is_known else MOST_MULTIPLY_ADDS_OF_A_CORE
    return facts.on_cpu and views * multiply_adds / facts.cores > most


def _rate(facts: Facts, batch: int, optimizer: str) -> float:
    """In proportion to the images of an update (Goyal et al. 2017), of AdamW to the root of them (Malladi et al. 2022)."""
    images = batch * facts.ranks
    if optimizer == ADAMW:
        of_few = RATE_OF_ADAMW_KNOWING_LITTLE if facts.little_is_known else RATE_OF_ADAMW
        return float(f"{of_few * math.sqrt(images / IMAGES_OF_THAT_RATE):.2g}")
    of_an_image = RATE_OF_AN_IMAGE if facts.weights else RATE_FROM_NOTHING
    return float(f"{min(of_an_image * images, LARGEST_RATE):.2g}")


def _why_split(facts: Facts, kept: int, values: Mapping[str, Any]) -> str:
    found = f"{counted(facts.images, 'image')} of {counted(facts.classes, 'class')}"
    if values.get("val_split"):
        return f"data: {found}; there is no val/, so about {facts.images - kept} are held out (val_split {show(values['val_split'])})"
    if facts.has_validation or values.get("eval_data_dir"):
        return f"data: {found}; there are others to evaluate on"
    return f"data: {found}; none are held out, and nothing is evaluated"


def _why_start(facts: Facts, values: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    if not facts.weights:
        return (
            "start: random weights, since --pretrained is not given: that takes many more images and epochs, and with few images the "
            "result is worse; --pretrained FILE begins from a checkpoint"
        )
    head = (
        f"a new classifier, {facts.weights_classes} classes become {facts.classes}"
        if values.get("replace_head")
        else "their classifier"
    )
    frozen = values.get("freeze")
    if "freeze" in given:
        why = f"frozen are {shorten(given['freeze'], 3) or 'none'}, as given"
    elif frozen:
        why = f"frozen are {shorten(frozen, 3)}, since there are few images"
    elif facts.weights_classes < GENERAL_CLASSES:
        why = f"nothing is frozen, since weights of {counted(facts.weights_classes, 'class')} know little of other pictures"
    else:
        why = "nothing is frozen, since there are enough images"
    return f"start: {facts.weights}, with {head}; {why}"


def _why_side(facts: Facts, values: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    side = max(values["image_size"])
    if "image_size" in given:
        why = "as given"
    elif facts.fixed_side:
        why = "the one that the weights are for"
    elif side >= facts.side:
        why = f"the pictures have {facts.side} pixels (median of the shorter sides)"
    elif side == facts.weights_side:
        why = "the one of the weights" if facts.weights else "the network's own"
    else:
        why = f"more would be much to compute for {counted(facts.cores, 'core')}"
    return f"size: images of {show(values['image_size'])}: {why}"


def _why_length(facts: Facts, steps: int, values: Mapping[str, Any]) -> str:
    return (
        f"length: batches of {values['batch_size']}, {counted(values['max_epoch'], 'epoch')} of {counted(steps, 'update')}: "
        f"{steps * values['max_epoch']} in all"
    )


def _why_rate(facts: Facts, values: Mapping[str, Any]) -> str:
    smooth = "labels smoothed" if values["label_smooth"] else "labels not smoothed"
    if "lr" in facts.unused:
        return f"rate: the one that the network has for {values['optimizer']}, of which nothing is chosen; {smooth}"
    start = "beginning from weights" if facts.weights else "random weights"
    warmup = f"warm-up of {counted(values['warmup_epochs'], 'epoch')}, " if "warmup_epochs" in values else ""
    return (
        f"rate: {show(values['lr'])} for {values['batch_size'] * facts.ranks} images an update and {start}, {warmup}"
        f"{values['optimizer']}; {smooth}"
    )
