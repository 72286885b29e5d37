"""The configuration keys of `mindzoo check-data`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError


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
