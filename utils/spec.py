"""What the machinery needs to know of a network: its description, written once in the network's `spec.py`.

Nothing here imports MindSpore, and neither does a network's description: `mindzoo list` and `--help` need none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mindzoo.utils.config.checkpoint_keys import CheckpointKeys
from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.reading import Aliases
from mindzoo.utils.errors import UserError
from mindzoo.utils.records import EpochRecord, Evaluated

if TYPE_CHECKING:
    import numpy as np
    from mindspore import nn

C = TypeVar("C")
# Where copies from buckets are kept, see `ModelSpec.cache_paths`.
CACHE_PATHS: Mapping[str, str] = {
    "data": "/cache/data",
    "eval_data": "/cache/eval_data",
    "checkpoint": "/cache/checkpoint_path",
    "output": "/cache/train",
}
IMAGE_CHANNELS = 3  # of the images that commands read


@dataclass(frozen=True)
class LogLines:
    """The lines and file names that the model's original README shows."""

    epoch: Callable[[EpochRecord], Sequence[str]]
    evaluation: Callable[[Evaluated], Sequence[str]]
    checkpoint: Callable[[Any, int, int, int], str]  # config, rank, epoch from 1, step in the epoch -> file name
    checkpoint_pattern: str  # regular expression with groups `epoch` and `step`
    final: Callable[[Any], str] | None = None  # config -> name of a file with the weights alone, after the last step
    # config -> steps between two of the epoch's lines within an epoch; 0: none
    step_interval: Callable[[Any], int] = lambda config: 0
    format: str = "%(message)s"  # of logging.Formatter


@dataclass(frozen=True)
class PublishedStep:
    """How long a training step took, as the original README claims."""

    milliseconds: float
    batch_size: int  # images per card
    cards: int
    source: str  # where in that README
    doubt: str = ""  # why the figure may not be one of this network

    @property
    def images_per_second(self) -> float:
        """Of one card."""
        return 1000 * self.batch_size / self.milliseconds


@dataclass(frozen=True)
class Finetuning:
    """What a training that begins from weights is chosen by, of a network; see `utils/finetuning/rules.py`."""

    # Patterns of parameters that may be frozen, by stage from the images on. The last stage and the classifier are none of them.
    stages: tuple[tuple[str, ...], ...] = ()
    # Values of the network's own keys of a training, such as how its learning rate falls.
    keys: Mapping[str, Any] = field(default_factory=dict)
    # For one image of 224 pixels per side, as `mindzoo info` counts: multiply-adds, and numbers that come out of all layers.
    multiply_adds: float = 0.0
    activations: float = 0.0


def plain_objective(config: Any, network: nn.Cell, cross_entropy: nn.Cell, rank: int) -> tuple[nn.Cell, nn.Cell]:
    """The network as it is, and the cross entropy of its logits."""
    return network, cross_entropy


@dataclass(frozen=True)
class ModelSpec:
    """One network of the zoo."""

    name: str
    title: str
    paper: str
    build: Callable[..., nn.Cell]  # (num_classes, **options); imports the network when it is called
    options: tuple[str, ...]  # configuration keys that are arguments of the network
    train_config: type[TrainConfig]
    eval_config: type[EvalConfig]
    export_config: type[ExportConfig]
    learning_rates: Callable[[Any, int], np.ndarray]  # (config, steps per epoch) -> rate of every step
    lines: LogLines
    published: Mapping[str, float]  # {"top1": …, "top5": …} in percent, as the original README claims
    folder: Path
    classifier: str  # the layer whose outputs are the classes
    # The arguments of the network that its weights (by our names) show, such as its width; None: not its weights.
    options_of: Callable[[Mapping[str, np.ndarray]], dict[str, Any] | None]
    # Options that are the value of a parameter: {option: parameter}. A file of weights may lack it, and an option that
    # is given wins over the file's value.
    parameter_options: Mapping[str, str] = field(default_factory=dict)
    # (config, network, cross entropy, rank) -> what a training computes of the images, and its loss with the labels.
    # A loss that compares images with each other means nothing for mixed ones: then the network's keys refuse `mixes`.
    objective: Callable[[Any, nn.Cell, nn.Cell, int], tuple[nn.Cell, nn.Cell]] = plain_objective
    # The level of mixed precision that a training has on Ascend unless told otherwise: that of the original's script.
    ascend_precision: str = "O2"
    # The gradients, from 0, behind which the original began another all-reduce; none: they are sent by size.
    allreduce_splits: tuple[int, ...] = ()
    init_options: tuple[str, ...] = ()  # configuration keys of a training that are arguments of its network alone
    first_convolution: tuple[str, ...] = ()  # names that the weight of what sees the image may have
    # Beginnings of the names of the parameters of each stage, from the input on; parameters of none are the head's.
    stages: Sequence[Sequence[str]] = ()
    least_size: int = 32  # pixels per side of the smallest image the network can take
    size_multiple: int = 1  # what the sides of an image must be multiples of
    dated_runs: bool = False  # a run's folder is made inside output_dir and named by date and time
    train_aliases: Aliases = field(default_factory=dict)
    eval_aliases: Aliases = field(default_factory=dict)
    export_aliases: Aliases = field(default_factory=dict)
    # Which key of a training `checkpoint_url` stands in for: "pretrained" or "resume".
    checkpoint_url_key: str = "pretrained"
    # Where copies from buckets are kept where /cache can be written, see `storage.fetch`; here those of most networks
    # of the original zoo.
    cache_paths: Mapping[str, str] = field(default_factory=lambda: CACHE_PATHS)
    # Structure names of PyTorch and other zoos -> ours, after batch norm's suffixes are translated; None: not one of
    # this network.
    from_torch: Callable[[str], str | None] = lambda name: name
    # Weights that other networks of this kind do not have, because there they are zero; from those that are there.
    absent: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = lambda weights: {}
    # Values of keys of a training that make the network small enough to compile in seconds, with every kind of its layers.
    small: Mapping[str, Any] = field(default_factory=dict)
    published_step: PublishedStep | None = None
    finetuning: Finetuning = field(default_factory=Finetuning)
    # (options, num_classes) -> parameters and numbers that the network has at least. A file that says it is of a huge
    # network, and holds a small one, is refused before that network is built.
    at_least: Callable[[Mapping[str, Any], int], tuple[int, int]] = lambda options, num_classes: (0, 0)

    @property
    def recipes(self) -> Path:
        """The folder of its YAML recipes."""
        return self.folder / "config"

    def check_image_size(self, image_size: Sequence[int]) -> None:
        """Refuse images that the network would pool away, or that do not fit its grid.

        Raises:
            UserError: a side is too small, or no multiple of `size_multiple`.
        """
        size = ",".join(map(str, image_size))
        if min(image_size) < self.least_size:
            raise UserError(f"image_size is {size}; {self.name} needs at least {self.least_size} pixels per side")
        if any(side % self.size_multiple for side in image_size):
            near = ",".join(str(max(round(side / self.size_multiple), 1) * self.size_multiple) for side in image_size)
            raise UserError(f"image_size is {size}; {self.name} needs multiples of {self.size_multiple}: use {near}")

    def preprocessed(self, config_class: type[C]) -> type[C]:
        """`config_class`, which is of all networks, with the defaults of PreprocessingKeys that this one is evaluated with."""
        own = next(
            base
            for base in self.eval_config.__mro__
            if issubclass(base, PreprocessingKeys) and not issubclass(base, CheckpointKeys)
        )
        if own is PreprocessingKeys:
            return config_class
        named = {"__doc__": config_class.__doc__, "__module__": config_class.__module__}
        made: type[C] = dataclass(frozen=True)(type(config_class.__name__, (own, config_class), named))
        return made

    def shown_by(self, weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
        """`options_of`, without the arrays of a file that have no dimension or no numbers."""
        return self.options_of({name: value for name, value in weights.items() if value.ndim and value.size})

    def first_convolution_in(self, weights: Mapping[str, np.ndarray]) -> str | None:
        """The name of the weight (O, channels, H, W) that sees the image; None where the weights have none."""
        return next((name for name in self.first_convolution if name in weights and weights[name].ndim == 4), None)

    def input_channels(self, weights: Mapping[str, np.ndarray]) -> int:
        """The channels of the images that these weights are for."""
        name = self.first_convolution_in(weights)
        return int(weights[name].shape[1]) if name else IMAGE_CHANNELS

    def make(self, num_classes: int, options: Mapping[str, Any]) -> nn.Cell:
        """Build the network from values that a user gave.

        Raises:
            UserError: the network refuses them.
        """
        try:
            return self.build(num_classes, **options)
        except ValueError as error:
            raise UserError(f"{self.name}: {error}") from None

    def network_options(self, config: Any) -> dict[str, Any]:
        """The arguments of the network that `config` holds."""
        return {name: getattr(config, name) for name in self.options}
