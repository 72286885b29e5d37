"""What the tests of the networks' keys share: short trainings, configurations, and the keys whose effect was shown."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from mindspore import Tensor

from mindzoo.models import get_spec
from mindzoo.tests.support.trainings import PLAIN_IMAGES, newest_run, once, tiny
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import setup

Test = TypeVar("Test", bound=Callable[..., None])
LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]], np.float32)
LABELS = np.array([0, 2], np.int32)


@dataclasses.dataclass(frozen=True)
class Run:
    """What a short training left."""

    spec: ModelSpec
    folder: Path
    text: str

    @property
    def names(self) -> list[str]:
        """Of its checkpoints, without last.ckpt, which is always there."""
        return sorted(path.name for path in self.folder.glob("*.ckpt") if path.name != "last.ckpt")

    @property
    def found(self) -> checkpoint_file.Checkpoint:
        """The last of its checkpoints by name."""
        return checkpoint_file.read_checkpoint(self.folder / self.names[-1], self.spec)

    @property
    def losses(self) -> list[float]:
        """The mean loss of each epoch."""
        rows = (self.folder / "metrics.jsonl").read_text().splitlines()
        return [json.loads(row)["mean_loss"] for row in rows]


def cross_entropy(smoothing: float) -> float:
    """Of LOGITS for the classes LABELS, in NumPy."""
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    targets = np.where(np.arange(3) == LABELS[:, None], 1 - smoothing, smoothing / 2)
    return float(-(targets * log_softmax).sum(1).mean())


class Keys:
    """The keys of one network, tried out; `covered` are those that some test shows the effect of."""

    def __init__(self, network: str) -> None:
        self.spec = get_spec(network)
        self.covered: set[str] = set()

    def shows(self, *keys: str) -> Callable[[Test], Test]:
        """Marks a test that shows the effect of these keys."""
        self.covered.update(keys)
        return lambda test: test

    def parsed(self, *flags: str) -> reading.Loaded[Any]:
        """The configuration of a training."""
        return reading.read_config(self.spec.train_config, flags, aliases={**TRAIN_ALIASES, **self.spec.train_aliases})

    def said(self, *flags: str) -> list[str]:
        """The lines on keys that have no effect."""
        return self.parsed(*flags).notes()

    def rates(self, *flags: str, steps: int = 2) -> np.ndarray:
        """The learning rate of every step; by default of eight epochs below 0.8."""
        settings = self.parsed("--max_epoch", "8", "--lr", "0.8", *flags).config
        return np.asarray(self.spec.learning_rates(settings, steps))

    def step(self, *flags: str) -> Any:
        """The training step that these flags ask for, over three classes; not compiled."""
        settings = self.parsed(*tiny(self.spec.name), *flags).config
        init_options = {name: getattr(settings, name) for name in self.spec.init_options}
        network = self.spec.build(3, **self.spec.network_options(settings), **init_options)
        loss = setup.build_loss(settings, 3, np.arange(3))
        return setup.build_step(settings, network, loss, np.full(4, 0.5), "O0", World())

    def loss(self, *flags: str) -> float:
        """The loss of fixed logits that these flags ask for: LOGITS for the classes LABELS."""
        loss = setup.build_loss(self.parsed(*flags).config, 3, LABELS)
        return float(loss(Tensor(LOGITS), Tensor(LABELS)))

    def assert_smooths(self, key: str, default: float) -> None:
        """The cross entropy is that of targets that `key` and label_smooth_factor smooth; `default` where none is given."""
        flags = {0.0: [f"--{key}", "false"], default: [], 0.3: [f"--{key}", "true", "--label_smooth_factor", "0.3"]}
        for smoothing, given in flags.items():
            assert self.loss(*given) == pytest.approx(cross_entropy(smoothing), rel=1e-5)
        (line,) = self.said("--label_smooth_factor", "0.3", f"--{key}", "false")
        assert line.startswith("label_smooth_factor has no effect: label_smooth is false")

    def train(self, data: Path, output: Path, *flags: str) -> Run:
        """One epoch of two steps with eighteen images of 32 pixels, without randomness in the images."""
        small = ["--color_jitter", "", "--batch_size", "18", "--workers", "1", "--lr", "0.05", "--max_epoch", "1"]
        where = ["--data_dir", str(data), "--output_dir", str(output)]
        gc.collect()  # a cell that is collected after another was compiled makes MindSpore compile it again
        before = Path.cwd()
        output.mkdir(parents=True, exist_ok=True)
        os.chdir(output)  # MindSpore leaves files in the current folder
        try:
            assert commands.train(self.spec, [*tiny(self.spec.name), *small, *where, *PLAIN_IMAGES, *flags]) == 0
        finally:
            os.chdir(before)
        return self.run_in(output)

    def train_once(self, output: Path, data: Path, *flags: str) -> Run:
        """The same, by the first process of a test run that needs it; `output` is in the folder `shared`. Read only."""
        return self.run_in(once(output, lambda folder: self.train(data, folder, *flags)))

    def run_in(self, output: Path) -> Run:
        """The newest run in the output_dir `output`."""
        folder = newest_run(output) if self.spec.dated_runs else output
        (log,) = folder.glob("*.log")
        return Run(self.spec, folder, log.read_text())
