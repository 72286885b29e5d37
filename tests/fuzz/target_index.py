"""Indexes, vectors and whitenings: a damaged file takes the place of each of theirs in turn."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np

from mindzoo.tests.fuzz.mutate import BYTES
from mindzoo.tests.fuzz.target import Target
from mindzoo.tests.fuzz.target_rank_table import VALUES
from mindzoo.tests.support.retrieval_files import write_vectors
from mindzoo.utils.errors import LONGEST_LINE, UserError
from mindzoo.utils.retrieval import index, whitening
from mindzoo.utils.retrieval.keys import IndexConfig
from mindzoo.utils.retrieval.vectors import open_vectors

COUNT, LENGTH = 30, 6
QUERIES = np.ones((2, LENGTH), np.float32)
PLACES = [
    "v.npy",
    "v.npy.json",
    "v.npy.jsonl",
    "exact/index.json",
    "exact/images.jsonl",
    "exact/vectors.npy",
    "exact/whitening.npz",
]
if importlib.util.find_spec("faiss"):
    PLACES += ["hnsw/index.json", "hnsw/index.faiss"]


@functools.cache
def files() -> dict[str, bytes]:
    """The content of good ones, by name."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        values = np.random.default_rng(0).standard_normal((COUNT, LENGTH))
        write_vectors(top / "v.npy", values)
        whitening.fit(open_vectors(top / "v.npy"), 4).save(top / "w.npz")
        for kind in {place.split("/")[0] for place in PLACES if "/" in place}:
            applied = str(top / "w.npz") if kind == "exact" else ""
            index.build(IndexConfig((str(top / "v.npy"),), output=str(top / kind), kind=kind, whitening=applied))
        names = [path.relative_to(top).as_posix() for path in sorted(top.rglob("*")) if path.is_file()]
        return {name: (top / name).read_bytes() for name in names}


def seeds() -> list[bytes]:
    return [files()[name] for name in PLACES]


def used(name: str) -> object:
    """What comes of the vectors, or of the index, that the file is of."""
    if "/" not in name:
        found = open_vectors(Path("v.npy"))
        return found.rows(slice(0, None)).tolist(), found.facts, list(found.images())
    opened = index.open_index(Path(name).parent)
    scores, rows = opened.search(QUERIES, COUNT)
    return scores.tolist(), rows.tolist(), opened.images(rows.ravel()), opened.facts


def read(content: bytes) -> list[object]:
    """What comes of the content in each place; None where it is refused."""
    if not Path("exact").exists():
        for name, good in files().items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes(good)
    found = [tried(name, content) for name in PLACES]
    refusals = [error for error in found if isinstance(error, UserError)]
    if len(refusals) == len(found):
        raise max(refusals, key=lambda error: len(str(error)))
    for error in refusals:
        assert "\n" not in str(error)
        assert len(str(error)) <= LONGEST_LINE
    return [None if isinstance(value, UserError) else value for value in found]


def tried(name: str, content: bytes) -> object:
    Path(name).write_bytes(content)
    try:
        return used(name)
    except UserError as error:
        return error
    finally:
        Path(name).write_bytes(files()[name])


def value(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One of the values in JSON becomes another, or something else."""
    places = list(re.finditer(rb'(?<=: )("[^"]*"|[-+.e\d]+|\[[^]]*\]|true|false)', content))
    if not places:
        return content
    one = chance.choice(places)
    return content[: one.start()] + chance.choice(VALUES).encode() + content[one.end() :]


def key(chance: Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """An object loses one of its keys, at some depth."""
    try:
        found = whole = json.loads(content)
        while True:
            inner = [name for name in found if isinstance(found[name], dict)]
            if not inner or chance.random() < 0.4:
                del found[chance.choice(list(found))]
                return json.dumps(whole).encode()
            found = found[chance.choice(inner)]
    except (ValueError, TypeError, LookupError):
        return content


def unseen(good: object, found: object) -> bool:
    """Only faiss' part of an index has a checksum of its own."""
    return (
        not isinstance(found, list)
        or "hnsw/index.faiss" not in PLACES
        or found[-1] is None
        or found[-1] == good_faiss()
    )


@functools.cache
def good_faiss() -> object:
    return used("hnsw/index.faiss")


MUTATIONS: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (*BYTES, value, value, value, key)
TARGET = Target(seeds, read, unseen, MUTATIONS)
