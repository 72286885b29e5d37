"""The configuration keys of `mindzoo info`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mindzoo.utils.config.reading import key
from mindzoo.utils.retrieval.keys import with_options
from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class NetworkInfoConfig:
    """Information on a network"""

    image_size: tuple[int, ...] = key(
        (224, 224), "height,width of the images; one number means both", minimum=1, maximum=4096
    )
    num_classes: int = key(1000, "outputs of the classifier", minimum=1, maximum=1_000_000)
    batch_size: int = key(1, "images per step, for the memory of a batch", minimum=1)
    depth: int = key(2, "how deep the table goes; blocks below are folded into one line; 0: every layer", minimum=0)
    json: bool = key(False, "write JSON")

    def __post_init__(self) -> None:
        if len(self.image_size) == 1:
            object.__setattr__(self, "image_size", self.image_size * 2)


@dataclass(frozen=True)
class FileInfoConfig:
    """Information on a file"""

    file: tuple[str, ...] = key(
        (), "a checkpoint of any kind that is read, an exported .onnx, or the folder of a run", positional=True
    )
    json: bool = key(False, "write JSON")


def network_info_config(spec: ModelSpec) -> type[Any]:
    """The keys, with the network's own options and the size of images that it is evaluated with."""
    made = with_options(NetworkInfoConfig, spec, spec.options)
    made.__doc__ = NetworkInfoConfig.__doc__
    return made
