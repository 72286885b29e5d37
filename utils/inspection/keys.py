"""The configuration keys of `mindzoo check-data` and `mindzoo show-batch`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError
from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class CheckDataConfig:
    """What is checked, and what is written"""

    folder: tuple[str, ...] = key(
        (), "folder with one folder of images per class; or a folder with train/, val/ and test/", positional=True
    )
    output: str = key("", "file to write as well, .json, with every name")
    plot: str = key("", "picture of the class counts to write as well, .png; needs mindzoo's extra plots")
    write_skip_list: str = key("", "file to write with the names of images that cannot be read, for --skip_list")
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)

    def __post_init__(self) -> None:
        if len(self.folder) != 1:
            raise UserError(f"{len(self.folder)} folders are given; wanted one, with one folder of images per class")


@dataclass(frozen=True)
class ShowBatchKeys:
    """The batch that is drawn"""

    output: str = key("batch.png", "file to write, .png")
    at_step: int = key(0, "the step of the training whose batch it is, from 0", minimum=0)


def show_batch_config(spec: ModelSpec) -> type[Any]:
    """These keys, and all of a training of the network."""
    named = {"__doc__": spec.train_config.__doc__, "__module__": __name__}
    made: type[Any] = dataclass(frozen=True)(type("ShowBatchConfig", (ShowBatchKeys, spec.train_config), named))
    return made
