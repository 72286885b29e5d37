"""Writes a file of vectors so that a run that was killed goes on where it stopped, and ends with the same bytes.

Until the end everything is in the folder `F.npy.part`: the list of the images as it was when the run began, the
vectors and names so far, and `progress.json` with the lengths at which these files were consistent. Going on cuts
the files to those lengths. At the end the files are moved beside each other, `F.npy` last.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import write_json
from mindzoo.utils.retrieval import vectors
from mindzoo.utils.retrieval.encoder import Encoded
from mindzoo.utils.retrieval.facts import is_source, read_facts
from mindzoo.utils.retrieval.rows import leads_out, line_of, read_rows

SECONDS_BETWEEN_SAVES = 1.0
PART = ".part"
LIST = "list.jsonl"
BESIDE = (".json", ".jsonl", PART)  # what stands behind the name of the file of vectors in the names of the others


@dataclass
class VectorProgress:
    """How far a run has come."""

    images: int  # in the list
    done: int = 0  # of the list, with those that cannot be read
    rows: int = 0
    dimension: int = 0  # of a vector; 0 before the first
    names_bytes: int = 0
    unreadable_bytes: int = 0
    finished: bool = False  # everything is written; only the files are to be moved


class VectorWriter:
    """The growing files of one output. `facts` decide whether an earlier run can be continued.

    Raises:
        UserError: an earlier run had other facts, there are no images, or a file cannot be written.
    """

    needs_images = True

    def __init__(self, target: Path, facts: Mapping[str, Any], names: Iterable[str], *, overwrite: bool) -> None:
        self.target, self.facts, self.root = target, json.loads(json.dumps(dict(facts))), Path(facts["images"])
        self.part = target.with_name(target.name + PART)
        self.saved = -math.inf  # the first batch is saved at once
        try:
            self.progress = self._continued(overwrite) or self._begun(names)
            self.resumed = self.progress.done
            if not self.progress.finished:
                self._open()
        except OSError as error:
            raise self._refusal(error) from None

    def remaining(self) -> Iterator[Path]:
        """The images that are still to be embedded."""
        with open(self.part / LIST, encoding="utf-8", errors="surrogateescape") as file:
            for line in itertools.islice(file, self.progress.done, None):
                yield self.root / listed(line, self.part)

    def add(self, batch: Encoded) -> None:
        """Append a batch, and save where the last time is long enough ago."""
        try:
            if not self.progress.dimension:
                self.progress.dimension = batch.vectors.shape[1]
                self.rows.write(vectors.header(0, self.progress.dimension))
            self.rows.write(np.ascontiguousarray(batch.vectors, "<f4").tobytes())
            for path in batch.paths:
                name = path.relative_to(self.root)
                folder = "" if name.parent == Path() else name.parent.as_posix()
                self.names.write(line_of({"path": name.as_posix(), "folder": folder}))
            for path, reason in batch.unreadable:
                self.unreadable.write(line_of({"path": path.relative_to(self.root).as_posix(), "reason": reason}))
            self.progress.done += len(batch)
            self.progress.rows += len(batch.paths)
            if time.monotonic() - self.saved >= SECONDS_BETWEEN_SAVES:
                self.save()
        except OSError as error:
            raise self._refusal(error) from None

    def save(self) -> None:
        """Bring everything to the disk, then the progress: what it counts is there."""
        for file in (self.rows, self.names, self.unreadable):
            file.flush()
            os.fsync(file.fileno())
        self.progress.names_bytes, self.progress.unreadable_bytes = self.names.tell(), self.unreadable.tell()
        self._save_progress()

    def finish(self) -> None:
        """Complete the header, write the facts, move the files to their names.

        Raises:
            UserError: not one image could be read, or a file cannot be written.
        """
        if not self.progress.rows:
            self.close()
            shutil.rmtree(self.part)
            raise UserError("none of the images can be read; nothing was written")
        try:
            if not self.progress.finished:
                self._complete()
            # The vectors are there last, and only then: without them the same command moves the rest.
            self.target.unlink(missing_ok=True)
            for name, path in (
                ("images.jsonl", vectors.lines_path(self.target)),
                ("facts.json", vectors.facts_path(self.target)),
                ("vectors.npy", self.target),
            ):
                if (self.part / name).exists():
                    os.replace(self.part / name, path)
            shutil.rmtree(self.part)
        except OSError as error:
            raise self._refusal(error) from None

    def close(self) -> None:
        """Close the files; what was not saved is not needed, so it may be lost."""
        if not self.progress.finished:
            for file in (self.rows, self.names, self.unreadable):
                with contextlib.suppress(OSError):
                    file.close()

    def _complete(self) -> None:
        self.rows.seek(0)
        self.rows.write(vectors.header(self.progress.rows, self.progress.dimension))
        self.save()
        counts = {"dimension": self.progress.dimension, "count": self.progress.rows, "dtype": "float32"}
        left_out = list(read_rows(self.part / "unreadable.jsonl", names=("path", "reason")))
        write_json(self.part / "facts.json", {**self.facts, **counts, "unreadable": left_out})
        self.close()
        self._save_progress(finished=True)

    def _save_progress(self, *, finished: bool = False) -> None:
        self.progress.finished = finished
        write_json(self.part / "progress.json", {"facts": self.facts, **asdict(self.progress)})
        self.saved = time.monotonic()

    def _continued(self, overwrite: bool) -> VectorProgress | None:
        """The progress of an earlier run; None where there was none, or it had not come to its first save."""
        path = self.part / "progress.json"
        if not path.is_file():
            return None
        try:
            found, facts = _progress(path)
        except UserError:
            if overwrite:
                return None
            raise
        if difference := _difference(self.facts, facts):
            if overwrite:
                return None
            raise UserError(
                f"{self.part} holds a run that was stopped, with {difference}; give the flags of that run to go on, "
                "--overwrite to begin anew, or another output"
            )
        return found

    def _begun(self, names: Iterable[str]) -> VectorProgress:
        shutil.rmtree(self.part, ignore_errors=True)
        self.part.mkdir()
        count = 0
        try:
            with open(self.part / LIST, "wb") as file:
                for count, name in enumerate(names, 1):  # noqa: B007 - the last number is the count
                    file.write(line_of(name))
        except OSError:
            shutil.rmtree(self.part)
            raise
        if not count and self.needs_images:
            shutil.rmtree(self.part)
            raise UserError(f"the folder {self.facts['images']} holds no images")
        return VectorProgress(count)

    def _open(self) -> None:
        """Open the three files at the lengths that the progress counts."""
        row_bytes = len(vectors.header(0, self.progress.dimension)) + self.progress.rows * self.progress.dimension * 4
        self.rows = _cut(self.part / "vectors.npy", row_bytes if self.progress.dimension else 0)
        self.names = _cut(self.part / "images.jsonl", self.progress.names_bytes)
        self.unreadable = _cut(self.part / "unreadable.jsonl", self.progress.unreadable_bytes)

    def _refusal(self, error: OSError) -> UserError:
        return UserError(f"cannot write {self.target}: {error.strerror}; the same command goes on from what is there")


def _progress(path: Path) -> tuple[VectorProgress, dict[str, Any]]:
    """How far the run had come that wrote the file, and the facts of its vectors.

    Raises:
        UserError: the file is damaged.
    """
    content = read_facts(path)
    facts = content.pop("facts", None)
    kinds = {field.name: bool if field.name == "finished" else int for field in fields(VectorProgress)}
    whole = all(type(content.get(name)) is kind and content[name] >= 0 for name, kind in kinds.items())
    if not whole or len(content) != len(kinds) or not is_source(facts):
        raise UserError(f"{path} is damaged; remove {path.parent}, and the same command begins anew")
    return VectorProgress(**content), facts


def listed(line: str, part: Path) -> str:
    """The name in a line of the list.

    Raises:
        UserError: it is none, or one of a file elsewhere.
    """
    try:
        name = parse_json(line)
    except ValueError:
        name = None
    if not isinstance(name, str) or leads_out(name):
        raise UserError(f"the list of images in {part} is damaged; remove it, and the same command begins anew")
    return name


def _difference(facts: Mapping[str, Any], earlier: Mapping[str, Any]) -> str:
    """'batch_size 4 instead of 8' for what would not give the same bytes; a checkpoint may have another path."""
    others = [name for name in facts if name not in ("checkpoint", "preprocessing", "options")]
    plain = [f"{n} {earlier.get(n)} instead of {facts[n]}" for n in others if earlier.get(n) != facts[n]]
    return vectors.differences(facts, earlier) or ", ".join(plain[:2])


def _cut(path: Path, length: int) -> BinaryIO:
    """The file, open for writing behind its first `length` bytes; what came after them is dropped.

    Raises:
        UserError: it is shorter.
    """
    file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115 - open as long as the run
    if file.seek(0, os.SEEK_END) < length:
        raise UserError(f"{path} is damaged: shorter than the progress beside it says; remove {path.parent}")
    file.truncate(length)
    file.seek(length)
    return file
