"""Packs: a damaged file takes the place of each of theirs in turn."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from PIL import Image

from mindzoo.tests.fuzz.mutate import BYTES
from mindzoo.tests.fuzz.target import Target
from mindzoo.tests.fuzz.target_index import key, value
from mindzoo.utils.data.class_folders import scan
from mindzoo.utils.data.listing import PACK_INDEX
from mindzoo.utils.data.packed import open_pack
from mindzoo.utils.errors import UserError
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.packing.packer import Packer

PLACES = [PACK_INDEX, "00000.json", "00000.mindrecord"]
SHARD = PLACES.index("00000.mindrecord")
IMAGES = {"a/1.png": (9, 8), "a/2.png": (5, 5), "b/ü.png": (7, 3)}


@functools.cache
def files() -> dict[str, bytes]:
    """The content of good ones, by name."""
    with tempfile.TemporaryDirectory() as folder:
        top, pack = Path(folder) / "images", Path(folder) / "pack"
        for name, size in IMAGES.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, "red").save(top / name)
        Packer(scan(top), pack, (), target=1 << 20, stop=True, threads=1).run()
        return {path.name: path.read_bytes() for path in sorted(pack.iterdir())}


def seeds() -> list[bytes]:
    return [files()[name] for name in PLACES]


def read(content: bytes) -> list[object]:
    """What comes of the content in each place; None where it is refused."""
    for name, good in files().items():
        Path(name).write_bytes(good)
    found = [tried(name, content) for name in PLACES]
    if all(isinstance(value, UserError) for value in found):
        raise found[0] if isinstance(found[0], UserError) else TypeError
    return [None if isinstance(value, UserError) else value for value in found]


def tried(name: str, content: bytes) -> object:
    """Names, labels and bytes of the images."""
    Path(name).write_bytes(content)
    try:
        pack = open_pack(Path())
        return pack.name, pack.classes, pack.files, pack.labels.tolist(), [pack.content(k) for k in range(len(pack))]
    except Fault as fault:
        return UserError(str(fault))
    except UserError as error:
        return error
    finally:
        Path(name).write_bytes(files()[name])


def unseen(good: object, found: object) -> bool:
    """Whether only a shard is otherwise: of an image that is read the decoder says whether it is whole."""
    if not isinstance(good, list) or not isinstance(found, list):
        return False
    return found[:SHARD] == good[:SHARD] or found[:SHARD] == [None] * SHARD


TARGET = Target(seeds, read, unseen, (*BYTES, value, value, value, key))
