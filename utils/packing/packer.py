"""Class folders -> a pack, shard after shard, so that a run that was stopped goes on with the shard it was at.

Until the end everything is in the folder `OUT.part`: of each shard that is done its files, and last a word on what it was made
of. A run that goes on keeps the shards whose images are the same and whose files have the digests in the table. At the end
these words are removed, so that a pack depends on its images alone, and the folder gets its name.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mindzoo.utils import progress
from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.data import bad_images, look, pack_files
from mindzoo.utils.data.class_folders import ClassFolders
from mindzoo.utils.data.listing import PACK_INDEX
from mindzoo.utils.data.pack_files import RECORDS_INDEX, SHARD, TABLE, PackIndex, ShardFacts, shard_file
from mindzoo.utils.data.read_ahead import read_ahead
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.files import json_line, said_of, sha256, write_json, write_text
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.log import logger
from mindzoo.utils.packing import shard_plan, shard_writer
from mindzoo.utils.packing.part_folder import MADE_OF, PLAIN, SHARD_SUFFIXES, WRITING
from mindzoo.utils.packing.shard_plan import ShardPlan
from mindzoo.utils.packing.shard_writer import Row
from mindzoo.utils.packing.short_path import short_path
from mindzoo.utils.progress import Work
from mindzoo.utils.training import run_lock


@dataclass(frozen=True)
class Table:
    """The content of a shard's table."""

    page: int  # bytes of a page of the shard
    bytes: int  # of the shard
    sha256: str
    index_sha256: str
    left_out: dict[str, str]  # images that are not in it, and why
    images: list[tuple[str, int, int]]  # name, and place and number of its bytes


class Packer:
    """Packs one folder of class folders into `folder`; `splits`: those that are packed together, see `PackIndex`."""

    def __init__(
        self,
        images: ClassFolders,
        folder: Path,
        splits: tuple[str, ...],
        *,
        target: int,
        stop: bool,
        threads: int,
    ) -> None:
        self.images, self.folder, self.splits, self.target, self.stop = images, folder, splits, target, stop
        self.threads = threads
        self.kept = 0  # shards of an earlier run
        self.page = 0  # bytes of a page of each shard

    def run(self) -> PackIndex:
        """Write all files of the pack, the index last; of the images that are left out a list.

        Raises:
            UserError: an image cannot be read, or a file cannot be written.
        """
        with said_of(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            plans = [*shard_plan.plan_shards(self.images, self.target)]
            # MindSpore reads no shards together whose pages differ.
            self.page = shard_writer.page_size(max(plan.largest for plan in plans), self.target)
            with progress.of(f"pack {self.images.name}", len(self.images), "images") as work:
                tables = [self._table(plan, work) for plan in plans]
            self._remove_all_but(plans)
        left_out = {name: reason for table in tables for name, reason in table.left_out.items()}
        used = self.images.without(left_out)
        bad_images.write_list(self.folder, [used])
        shards = [self._facts(plan, table) for plan, table in zip(plans, tables, strict=True) if table.images]
        index = PackIndex(
            self.images.name, tuple(used.class_index), len(used), tuple(shards), dict(used.left_out), self.splits
        )
        write_json(self.folder / PACK_INDEX, index.to_json())
        before = f", {self.kept} of them made before" if self.kept else ""
        counts = f"{counted(len(used), 'image')} of {counted(len(index.classes), 'class')} in {counted(len(shards), 'shard')}"
        logger.info("%s: %s%s", self.images.root, counts, before)
        bad_images.say_left_out(used, f"the pack of {self.images.name}")
        return index

    def _table(self, plan: ShardPlan, work: Work) -> Table:
        """Of the shard that an earlier run has written, or of a new one."""
        table = self._earlier(plan)
        if table:
            self.kept += 1
            work.advance(plan.end - plan.first)
        return table or self._write(plan, work)

    def _earlier(self, plan: ShardPlan) -> Table | None:
        made_of, path = self._path(plan, MADE_OF), self._path(plan, TABLE)
        if not made_of.is_file() or made_of.read_bytes() != plan.fingerprint.encode() or not path.is_file():
            return None
        try:
            content = read_json(path, "table of a shard", "", most=pack_files.MOST_BYTES, errors="surrogateescape")
            table = Table(**content)
        except (UserError, TypeError):
            return None
        if table.page != self.page or (self.stop and table.left_out):
            return None
        digests = [self._digest(plan, suffix) for suffix in (SHARD, RECORDS_INDEX)]
        return table if digests == [table.sha256, table.index_sha256] else None

    def _write(self, plan: ShardPlan, work: Work) -> Table:
        writing = self.folder / WRITING
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir()
        for suffix in reversed(SHARD_SUFFIXES):
            self._path(plan, suffix).unlink(missing_ok=True)
        left_out: dict[str, str] = {}
        rows = self._rows(plan, left_out, work)
        images = shard_writer.write_shard(Path(short_path(writing)), plan.number, rows, self.page)
        (plain := writing / PLAIN).touch()
        for suffix in (SHARD, RECORDS_INDEX):
            path = writing / shard_file(plan.number, suffix)
            path.chmod(plain.stat().st_mode & 0o777)  # MindSpore's writer lets nobody else read them
            if images:
                os.replace(path, self._path(plan, suffix))
        shutil.rmtree(writing)
        size = self._path(plan, SHARD).stat().st_size if images else 0
        shard, index = (self._digest(plan, suffix) for suffix in (SHARD, RECORDS_INDEX))
        table = Table(self.page, size, shard, index, left_out, images)
        write_text(self._path(plan, TABLE), json_line(dataclasses.asdict(table)))
        write_text(self._path(plan, MADE_OF), plan.fingerprint)
        return table

    def _rows(self, plan: ShardPlan, left_out: dict[str, str], work: Work) -> Iterator[Row]:
        """The images of a shard; those that cannot be read are added to `left_out`."""
        for place, content in self._contents(plan):
            name = self.images.files[place]
            if isinstance(content, bytes):
                yield Row(name, int(self.images.labels[place]), content)
            elif self.stop:
                raise bad_images.refusal(self.images.root / name, str(content))
            else:
                left_out[name] = str(content)
            work.advance()

    def _contents(self, plan: ShardPlan) -> Iterator[tuple[int, bytes | Fault]]:
        """The bytes of each image, looked through, or what is wrong with it; some are read ahead."""
        places = range(plan.first, plan.end)
        for place, reading in read_ahead(places, self._read, threads=self.threads, ahead=2 * self.threads):
            yield place, reading.result()

    def _read(self, place: int) -> bytes | Fault:
        try:
            content = self.images.content(place)
            if len(content) > shard_writer.MOST_IMAGE:
                return Fault(
                    f"has {len(content) >> 20} MB; a pack holds images of up to {shard_writer.MOST_IMAGE >> 20} MB"
                )
        except Fault as fault:
            return fault
        found = look.look_into(lambda: content)
        return Fault(found.fault) if found.fault else content

    def _remove_all_but(self, plans: list[ShardPlan]) -> None:
        """What an earlier run with other images or another size of shards has left."""
        wanted = {run_lock.NAME, *(shard_file(plan.number, suffix) for plan in plans for suffix in SHARD_SUFFIXES)}
        for entry in self.folder.iterdir():
            if entry.name not in wanted:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _facts(self, plan: ShardPlan, table: Table) -> ShardFacts:
        digest = self._digest(plan, TABLE)
        return ShardFacts(plan.number, len(table.images), table.bytes, table.sha256, table.index_sha256, digest)

    def _digest(self, plan: ShardPlan, suffix: str) -> str:
        path = self._path(plan, suffix)
        return sha256(path) if path.is_file() else ""

    def _path(self, plan: ShardPlan, suffix: str) -> Path:
        return self.folder / shard_file(plan.number, suffix)
