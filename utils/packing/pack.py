"""`mindzoo pack`: write the images of class folders as a pack, or compare a pack with the digests in its index."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mindzoo.utils import progress
from mindzoo.utils.data import class_folders, data_set, listing, pack_files, skip_list
from mindzoo.utils.data.class_folders import ClassFolders
from mindzoo.utils.data.pack_files import AGAIN, RECORDS_INDEX, SHARD, TABLE, PackIndex
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.files import check_folder, is_inside, said_of, sha256
from mindzoo.utils.log import logger
from mindzoo.utils.packing import part_folder
from mindzoo.utils.packing.keys import PackConfig
from mindzoo.utils.packing.packer import Packer
from mindzoo.utils.training import run_lock


def run(config: PackConfig) -> None:
    """Pack or verify.

    Raises:
        UserError: a folder cannot be packed, or a file cannot be written.
        FoundProblems: a pack is damaged.
    """
    if config.verify:
        verify(Path(config.verify), worker_count(config.workers))
    else:
        pack(config)


def pack(config: PackConfig) -> Path:
    """Write the pack, or go on where an earlier run was stopped; its folder is there once it is whole.

    Raises:
        UserError: anything that is wrong with the images or the place to write to.
    """
    root, out = Path(config.folders[0]), listing.absolute(Path(config.folders[1]))
    splits = data_set.splits(root, "DIR")
    folders = {folder.name: folder for folder in splits.values()} or {"": root}
    if any(map(listing.is_pack, folders.values())):
        raise UserError(f"DIR is {root}, which is a pack already; wanted class folders")
    _check_place(root, out)
    part = out.with_name(out.name + part_folder.SUFFIX)
    part_folder.check(part)
    skip = skip_list.read(Path(config.skip_list)) if config.skip_list else None
    stop = config.on_bad_image == "stop"
    sets = {name: class_folders.scan(folder, skip=skip, stop=stop) for name, folder in folders.items()}
    with part_folder.held(part):
        indexes = [_packed(config, images, part / name, tuple(splits)) for name, images in sets.items()]
        with said_of(part):
            for entry in part.iterdir() if splits else ():  # of an earlier run with other folders
                if entry.name not in (*folders, run_lock.NAME):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    with said_of(out):
        for made in part.rglob(f"*{part_folder.MADE_OF}"):
            made.unlink()
        os.replace(part, out)
    logger.info(
        "wrote %s: %s, each of which was read back", out, counted(sum(index.images for index in indexes), "image")
    )
    return out


def _packed(config: PackConfig, images: ClassFolders, folder: Path, splits: tuple[str, ...]) -> PackIndex:
    """Pack the images of one folder of class folders."""
    size, threads = config.shard_mb << 20, worker_count(config.workers)
    stop = config.on_bad_image == "stop"
    return Packer(images, folder, splits, target=size, stop=stop, threads=threads).run()


def verify(out: Path, threads: int) -> None:
    """Read every file of a pack, and compare it with the digest in the index; say which are otherwise.

    Raises:
        UserError: no pack, its index cannot be read, or a split is lost.
        FoundProblems: some files are not what was written.
    """
    splits = data_set.splits(out, "verify")
    roots = [*splits.values()] or [out]
    if missing := [root for root in roots if not listing.is_pack(root)]:
        raise UserError(
            f"{missing[0]} is no pack: {listing.PACK_INDEX} is not there; wanted the folder OUT of mindzoo pack DIR OUT"
        )
    damaged = images = 0
    for root in roots:
        index = pack_files.read_index(root)
        if splits:
            data_set.check_none_is_lost("verify", splits, root)
        images += index.images
        wanted = [*_digests(root, index)]
        with ThreadPoolExecutor(threads) as pool, progress.of(f"verify {root.name}", len(wanted), "files") as work:
            for (path, digest), found in zip(wanted, pool.map(_sha256, [path for path, _ in wanted]), strict=True):
                work.advance()
                if found != digest:
                    damaged += 1
                    logger.info("%s is %s", path, "not what was written" if found else "missing, or cannot be read")
    if damaged:
        logger.info("%s %s damaged; %s", counted(damaged, "file"), "is" if damaged == 1 else "are", AGAIN)
        raise FoundProblems
    for root in roots:
        data_set.open_set(root)
    logger.info("%s is as it was written: %s", out, counted(images, "image"))


def _sha256(path: Path) -> str:
    """ "" of a file that is missing, none, or cannot be read."""
    try:
        return sha256(path) if path.is_file() else ""
    except OSError:
        return ""


def _digests(root: Path, index: PackIndex) -> Iterator[tuple[Path, str]]:
    """Every file of a pack but its index, and its SHA-256."""
    for shard in index.shards:
        yield shard.path(root, SHARD), shard.sha256
        yield shard.path(root, RECORDS_INDEX), shard.index_sha256
        yield shard.path(root, TABLE), shard.table_sha256


def _check_place(root: Path, out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"OUT is {out}, which exists; remove it or give another folder; --verify {out} looks at a pack")
    if is_inside(out, root.resolve()):
        raise UserError(f"OUT is {out}, which is among the images of {root}; give another place")
    check_folder("OUT", out)
