"""A training step of each network: its loss, and how far it lowers the loss of its images, against what was recorded.

They were recorded on a CPU in float32 by scripts/dev/record_losses.py, in the folder of each network. Not computed anew
beside the card: on some hosts that takes longer than all other steps together, and on a CPU nothing would be left to
compare with. Weights and images are NumPy's draws, whose old generator gives the same ones in every version.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils import runtime
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import LeftOut, NotRight
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import on_card, setup

FILE = "first_losses.json"
BATCH, RATE = 6, 0.002
SMALL_SIZE, SMALL_CLASSES, CLASSES = (32, 32), 10, 1000
# Relative differences, of the loss and of its fall: of float32 sums in another order, and of float16, whose gradients
# have few digits. The latter are our choice; docs/BENCHMARKS.md has what float16 made of small networks on a CPU.
TOLERANCES = {"CPU": (1e-3, 1e-2), "Ascend": (1e-2, 0.25)}


def compare(job: Job) -> Found:
    """The two losses of the one network of the job.

    Raises:
        LeftOut: nothing is recorded for it.
        NotRight: one of them differs from the recorded one.
    """
    (spec,) = job.specs
    runtime.start(job.device)
    config = configuration(spec, small=job.small)
    level = on_card.precision(spec, config, job.device)
    tolerances = TOLERANCES[job.device]
    wanted = recorded(spec).get(size_name(job.small))
    if wanted is None:
        raise LeftOut("no losses are recorded for this network; scripts/dev/record_losses.py records them")
    found = losses(spec, config, level, classes(job.small))
    differences = relative_differences(found, wanted)
    numbers = {
        "losses": found,
        "recorded": wanted,
        "relative_differences_of_loss_and_fall": differences,
        "tolerances": tolerances,
        "amp_level": level,
    }
    said = f"loss {found[0]:.4f}, then {found[1]:.4f}; recorded {wanted[0]:.4f}, then {wanted[1]:.4f}"
    if not all(difference <= most for difference, most in zip(differences, tolerances, strict=True)):
        raise NotRight(
            f"{said}: the loss differs by {differences[0]:.1e}, its fall by {differences[1]:.1e}; wanted at most "
            f"{tolerances[0]:g} and {tolerances[1]:g}"
        )
    return said, numbers


def relative_differences(found: Sequence[float], wanted: Sequence[float]) -> tuple[float, float]:
    """Of the first loss, and of what the step takes from it."""
    pairs = ((found[0], wanted[0]), (found[0] - found[1], wanted[0] - wanted[1]))
    first, fall = (abs(a - b) / abs(b) for a, b in pairs)
    return first, fall


def recorded(spec: ModelSpec) -> dict[str, Any]:
    """The losses by size, as scripts/dev/record_losses.py wrote them; empty where it wrote none."""
    path = Path(spec.folder) / FILE
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content


def size_name(small: bool) -> str:
    """What the losses of small networks, and of those as they are published, stand under."""
    return "small" if small else "full"


def classes(small: bool) -> int:
    """Outputs of the network."""
    return SMALL_CLASSES if small else CLASSES


def configuration(spec: ModelSpec, *, small: bool, batch_size: int = BATCH) -> TrainConfig:
    """The network's own recipe for two steps at one learning rate."""
    changed: dict[str, Any] = {"batch_size": batch_size, "max_epoch": 2}
    if small:
        changed = {"image_size": SMALL_SIZE, **spec.small, **changed}
    return dataclasses.replace(spec.train_config(), **changed)


def losses(spec: ModelSpec, config: TrainConfig, level: str, num_classes: int) -> list[float]:
    """The loss of a batch in the first training step, and in the second."""
    step = build(spec, config, level, num_classes)
    images, labels = batch(config, num_classes)
    return [float(step(images, labels).asnumpy()) for _ in range(2)]


def build(spec: ModelSpec, config: TrainConfig, level: str, num_classes: int, steps: int = 2) -> TrainStep:
    """The training step of a network with drawn weights, for so many steps."""
    options = {**spec.network_options(config), **{name: getattr(config, name) for name in spec.init_options}}
    network = drawn(spec.make(num_classes, options))
    cross_entropy = setup.build_loss(config, num_classes, np.arange(num_classes, dtype=np.int32))
    forward, loss = spec.objective(config, network, cross_entropy, 0)
    return setup.build_step(config, forward, loss, np.full(steps, RATE, np.float32), level, setup.ALONE)


def drawn(network: nn.Cell) -> nn.Cell:
    """Give weights the values that their names say, of variance 2 / fan-in (He et al. 2015), and biases 0."""
    for parameter in network.get_parameters():
        if parameter.name.endswith("bias"):
            parameter.set_data(Tensor(np.zeros(parameter.shape, np.float32)))
        elif len(parameter.shape) > 1:
            numbers = _draw(parameter.name).standard_normal(parameter.shape)
            parameter.set_data(Tensor((numbers * np.sqrt(2 / np.prod(parameter.shape[1:]))).astype(np.float32)))
    return network


def batch(config: TrainConfig, num_classes: int) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) float32, and labels (B,) int32: the copies of an image follow each other."""
    shape = (config.batch_size, 3, *config.image_size)
    images = _draw("images").standard_normal(shape).astype(np.float32)
    labels = np.arange(config.batch_size, dtype=np.int32) // config.repeats % num_classes
    return Tensor(images), Tensor(labels)


def _draw(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()))
