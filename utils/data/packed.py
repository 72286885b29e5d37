"""A packed data set: the images of class folders in a few large files, read as the folders are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.utils.data import pack_files
from mindzoo.utils.data.image_set import ImageSet, label_of_each
from mindzoo.utils.data.listing import is_image_name
from mindzoo.utils.data.pack_files import AGAIN, Shards
from mindzoo.utils.data.skip_list import SkipList
from mindzoo.utils.errors import UserError

if TYPE_CHECKING:
    import mindspore.dataset as ds


@dataclass(frozen=True)
class Packed(ImageSet):
    """The images in the shards of `root`.

    They are read at their places, by the threads that decode them. MindSpore's own reader (MindDataset) gives the same images,
    but takes more: by its source (`ShardReader::Open`) it opens each shard once per thread, 1,120 files for ImageNet in 140
    shards with 8 threads, where 1,024 is a common limit; it reads the index of every shard anew for each pass, which is each
    epoch here; and an error of it names a shard, but no image.
    """

    folder: str  # what the folder was called that they lay in
    spots: np.ndarray  # (N, 3) int64: where each image lies: number of the shard, first byte, bytes
    shards: Shards

    @property
    def name(self) -> str:
        """The name of the folder that was packed, so that a skip list of the one is that of the other."""
        return self.folder

    def content(self, place: int) -> bytes:
        """The bytes of the image; see `Shards.read`."""
        return self.shards.read(*self.spots[place].tolist())

    def sizes(self) -> Iterator[int]:
        """As the tables have them."""
        return iter(self.spots[:, 2].tolist())

    def pipeline(
        self, indices: np.ndarray, operations: Sequence[Callable[..., Any]], threads: int, seed: int = 0
    ) -> ds.Dataset:
        """See `ImageSet.pipeline`; shards that something happened to are refused."""
        self.shards.check()
        return super().pipeline(indices, operations, threads, seed)

    def _only(self, stay: np.ndarray, left_out: Mapping[str, str]) -> Packed:
        return dataclasses.replace(super()._only(stay, left_out), spots=self.spots[stay])


def open_pack(root: Path, classes: Sequence[str] | None = None, skip: SkipList | None = None) -> Packed:
    """The images of the pack `root`; the arguments are those of `class_folders.scan`.

    Raises:
        UserError: it is not whole, is not what `mindzoo pack` writes, or has a class that `classes` lacks.
    """
    index = pack_files.read_index(root)
    names: list[str] = []
    spots: list[np.ndarray] = []
    for place, shard in enumerate(index.shards):
        table = pack_files.read_table(root, shard)
        names += [name for name, *_ in table]
        spots.append(np.array([(place, offset, size) for _, offset, size in table], np.int64).reshape(-1, 3))
    label_of = label_of_each(root, index.classes, index.classes if classes is None else tuple(classes))
    folders = [name.split("/", 1)[0] for name in names]
    if {*folders} != {*index.classes} or len({*names}) != len(names) or not all(map(is_image_name, names)):
        raise UserError(f"the tables of {root} do not fit its index; {AGAIN}")
    found = Packed(
        root,
        index.classes if classes is None else tuple(classes),
        tuple(names),
        np.array([label_of[name] for name in folders], np.int32),
        index.folder,
        np.concatenate(spots),
        Shards(root, index.shards),
    )
    found.shards.check()
    return found.without_listed(skip)


def class_names(root: Path) -> list[str]:
    """The classes of the pack `root`, in the order of their names' bytes.

    Raises:
        UserError: see `read_index`.
    """
    return [*pack_files.read_index(root).classes]
