"""The configuration keys of `mindzoo pack`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.image_keys import BadImageKeys
from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError, counted


@dataclass(frozen=True)
class PackConfig(BadImageKeys):
    """Packing"""

    folders: tuple[str, ...] = key(
        (),
        "DIR: folder with one folder of images per class, or with train/, val/ and test/; OUT: the folder to write",
        positional=True,
    )
    # Each shard stays open while it is read, and ImageNet makes some 140 of this size; one is made again after an
    # interruption.
    shard_mb: int = key(1024, "megabytes of images in a shard", minimum=1, maximum=65_536)
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)
    verify: str = key(
        "", "pack to read: each of its files is compared with the digest in its index, and nothing is packed"
    )

    def __post_init__(self) -> None:
        if self.verify and self.folders:
            raise UserError("folders to pack and a pack to verify are given; do one after the other")
        if len(self.folders) != 2 and not self.verify:
            raise UserError(f"wanted DIR and OUT, or --verify OUT; found {counted(len(self.folders), 'folder')}")
