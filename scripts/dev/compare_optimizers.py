"""How many steps THOR and momentum need to reach the same loss, each at the best of the same learning rates.

A small convolutional network learns scikit-learn's handwritten digits. Both optimizers get the same learning rates, which
stay as they are for a whole training, the same first weights and the same batches. The damping of THOR is the one that
MultiGrain's recipe begins with and stays as it is. Prints a Markdown table of the steps until the mean loss of the last
ten batches is at most `--loss`, for every seed, with their median for every rate, and the best rate of each optimizer.

    python scripts/dev/compare_optimizers.py [--loss 0.1] [--damping 0.02345] [--frequency 10] [--seeds 3]
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import runpy
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

import mindspore as ms  # noqa: E402
from mindspore import Tensor, nn, ops  # noqa: E402

from mindzoo.utils import runtime  # noqa: E402
from mindzoo.utils.learning import optimizers  # noqa: E402
from mindzoo.utils.learning.losses import SmoothedCrossEntropy  # noqa: E402
from mindzoo.utils.learning.thor import ThorStep  # noqa: E402
from mindzoo.utils.learning.train_step import TrainStep  # noqa: E402

OPTIMIZERS = ("momentum", "THOR")
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
WINDOW = 10  # batches over which the loss is averaged
CLASSES = 10
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4
Arrays = dict[str, np.ndarray]


class Trial(NamedTuple):
    """One training: the steps to the loss, infinite where it was not reached, and seconds per step."""

    steps: float
    seconds: float


class Network(nn.Cell):
    """Four 3x3 convolutions with batch norm, the mean over the map, a dense layer: (B, 1, H, W) -> (B, 10)."""

    def __init__(self) -> None:
        super().__init__()
        widths, strides = (1, 16, 32, 32, 64), (1, 2, 2, 2)
        cells: list[nn.Cell] = []
        for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False):
            cells.append(nn.Conv2d(inputs, outputs, 3, stride, pad_mode="pad", padding=1, weight_init="he_normal"))
            cells += [nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.SequentialCell(cells)
        self.classifier = nn.Dense(widths[-1], CLASSES)

    def construct(self, x: Tensor) -> Tensor:
        return self.classifier(ops.mean(self.features(x), (2, 3)))


def main() -> int:
    options = parse()
    runtime.start("CPU")
    images, labels = digits(options.size)
    # Before the first compilation: cells that are collected after one make MindSpore compile again.
    starts = [first_weights(seed) for seed in range(options.seeds)]
    results: dict[str, list[list[Trial]]] = {}
    for name in OPTIMIZERS:
        gc.collect()
        step = build(name, options)
        step.compile(Tensor(images[: options.batch]), Tensor(labels[: options.batch]))
        untrained = {parameter.name: parameter.asnumpy().copy() for parameter in step.get_parameters()}
        results[name] = []
        for rate in RATES:
            trials = []
            for seed, start in enumerate(starts):
                restart(step, {**untrained, **start}, rate)
                trials.append(train(step, images, labels, seed, options))
            results[name].append(trials)
            say(f"{name}, rate {rate}: {', '.join(shown(trial.steps) for trial in trials)} steps")
    report(results, options)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default, text in (
        ("loss", 0.1, "what is to be reached"),
        ("damping", 0.02345, "THOR's damping, the same at every step"),
        ("frequency", 10, "steps from one refresh of THOR's factors to the next"),
        ("seeds", 3, "trainings of each rate"),
        ("max_steps", 150, "steps after which a training is given up"),
        ("batch", 64, "images per batch"),
        ("size", 16, "pixels per side"),
    ):
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{text} (default: {default})")
    return parser.parse_args()


def digits(size: int) -> tuple[np.ndarray, np.ndarray]:
    """1797 images (N, 1, size, size) float32 of mean 0 and deviation 1, and labels (N,) int32."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.stack(
        [
            np.asarray(Image.fromarray(image.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC))
            for image in data.images
        ]
    )
    return ((pixels - pixels.mean()) / pixels.std())[:, None].astype(np.float32), data.target.astype(np.int32)


def first_weights(seed: int) -> Arrays:
    ms.set_seed(seed)
    return {parameter.name: parameter.asnumpy().copy() for parameter in Network().trainable_params()}


def build(name: str, options: argparse.Namespace) -> TrainStep:
    network, loss = Network(), SmoothedCrossEntropy(CLASSES)
    rates = np.ones(options.max_steps)
    optimizer = optimizers.create(name.lower(), network, rates, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    step = (
        ThorStep(network, loss, optimizer, np.array([options.damping]), frequency=options.frequency)
        if name == "THOR"
        else TrainStep(network, loss, optimizer)
    )
    step.set_train(True)
    return step


def restart(step: TrainStep, values: Arrays, rate: float) -> None:
    """All state as at the beginning, and the learning rate `rate` for all steps."""
    for parameter in step.get_parameters():
        value = values[parameter.name]
        parameter.set_data(Tensor(np.full_like(value, rate) if parameter.name == "learning_rate" else value))


def batches(count: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Endlessly the numbers of a batch's images: full batches of one shuffled epoch after the other."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(count)
        for first in range(0, count - size + 1, size):
            yield order[first : first + size]


def train(step: TrainStep, images: np.ndarray, labels: np.ndarray, seed: int, options: argparse.Namespace) -> Trial:
    """Train until the loss is reached, is not finite, or `max_steps` are over."""
    losses: list[float] = []
    reached, started = math.inf, time.perf_counter()
    for chosen in itertools.islice(batches(len(images), options.batch, seed), options.max_steps):
        losses.append(float(step(Tensor(images[chosen]), Tensor(labels[chosen])).asnumpy()))
        if not math.isfinite(losses[-1]):
            break
        if len(losses) >= WINDOW and np.mean(losses[-WINDOW:]) <= options.loss:
            reached = len(losses)
            break
    return Trial(reached, (time.perf_counter() - started) / len(losses))


def report(results: dict[str, list[list[Trial]]], options: argparse.Namespace) -> None:
    """The table, and the best rate of each optimizer."""
    say(f"\n    python scripts/dev/compare_optimizers.py {shlex.join(sys.argv[1:])}".rstrip())
    say(f"\nSteps to a mean loss of {options.loss} over {WINDOW} batches of {options.batch}; {options.seeds} seeds;")
    say(f"THOR: damping {options.damping}, frequency {options.frequency}; '-': not within {options.max_steps} steps\n")
    say(f"| learning rate | {' | '.join(f'{name}: median | {name}: every seed' for name in OPTIMIZERS)} |")
    say("|---" * (1 + 2 * len(OPTIMIZERS)) + "|")
    for number, rate in enumerate(RATES):
        row = [str(rate)]
        for name in OPTIMIZERS:
            steps = [trial.steps for trial in results[name][number]]
            row += [shown(median(steps)), ", ".join(map(shown, steps))]
        say(f"| {' | '.join(row)} |")
    say("")
    for name in OPTIMIZERS:
        medians = [median(trial.steps for trial in trials) for trials in results[name]]
        best = int(np.argmin(medians))
        seconds = median(trial.seconds for trials in results[name] for trial in trials)
        say(f"{name}: {shown(medians[best])} steps at its best rate {RATES[best]}; {1000 * seconds:.0f} ms per step")


def shown(steps: float) -> str:
    return f"{steps:g}" if math.isfinite(steps) else "-"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
