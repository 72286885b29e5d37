"""The configuration keys of `mindzoo info`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.retrieval.keys import with_options
from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class AnswerKeys:
    """The answer"""

    output: str = key("", "file to write all of it to as well, .json")


@dataclass(frozen=True)
class NetworkInfoConfig(AnswerKeys):
    """What is said of the network"""

    num_classes: int = key(1000, "outputs of the classifier", minimum=1, maximum=100_000)
    batch_size: int = key(1, "images at a time, for the memory", minimum=1, maximum=1_000_000)
    layer_table: bool = key(False, "also a table of the layers, in the order in which they run")
    depth: int = key(
        2,
        "parts of a layer's name in the table; layers that begin alike are one line; 0: each layer is a line",
        minimum=0,
        only_with=("layer_table", (True,)),
    )
    parameters: bool = key(False, "also the names of the parameters, and patterns of them as --freeze takes them")

    def __post_init__(self) -> None:
        sides = getattr(self, "image_size", (224, 224))
        if len(sides) == 1:
            object.__setattr__(self, "image_size", sides * 2)
        elif len(sides) != 2:
            raise UserError(f"image_size has {counted(len(sides), 'number')}; wanted height,width")


@dataclass(frozen=True)
class FileInfoConfig(AnswerKeys):
    """Information on a file"""

    file: tuple[str, ...] = key(
        (),
        "a checkpoint of any kind that is read, also from the web, an exported file, or the folder of a run",
        positional=True,
    )


def network_info_config(spec: ModelSpec) -> type[Any]:
    """The keys, with the network's own options and the size of images that it is evaluated with."""
    return with_options(NetworkInfoConfig, spec, (*spec.options, "image_size"), title="The network")
