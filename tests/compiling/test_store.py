"""Compiled graphs on disk: what is taken, what is refused, and what goes when there is no room."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mindzoo.utils import log
from mindzoo.utils.compiling.store import DIGEST, GRAPH, LEFT_BEHIND, LIMIT_VARIABLE, Store, size_limit
from mindzoo.utils.errors import UserError


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "compiled"
    path.write_bytes(b"graph" * 1000)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache" / "graphs")


def test_what_is_added_is_taken(store: Store, graph: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert not store.take("key", target)
    store.add("key", graph.read_bytes())
    assert store.take("key", target)
    assert target.read_bytes() == graph.read_bytes()
    assert not store.take("other", target)


@pytest.mark.parametrize("name", [GRAPH, DIGEST])
@pytest.mark.parametrize("damage", ["changed", "cut", "removed"])
def test_a_damaged_entry_is_removed_with_a_line(
    store: Store, graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str
) -> None:
    store.add("key", graph.read_bytes())
    victim = store.folder / "key" / name
    content = victim.read_bytes()
    if damage == "removed":
        victim.unlink()
    else:
        victim.write_bytes(content[:-3] if damage == "cut" else content.replace(b"a", b"b"))
    log.start()
    assert not store.take("key", tmp_path / "target")
    log.stop()
    (line,) = capsys.readouterr().out.splitlines()
    assert "key is damaged: it is removed, and compiled anew" in line
    assert store.entries() == []
    store.add("key", graph.read_bytes())
    assert store.take("key", tmp_path / "target")


def test_the_least_recently_used_entries_go(store: Store, graph: Path, tmp_path: Path) -> None:
    for age, key in enumerate(("newest", "middle", "oldest")):
        store.add(key, graph.read_bytes())
        os.utime(store.folder / key, (time.time() - 100 * (age + 1),) * 2)
    assert store.take("oldest", tmp_path / "target")
    store.make_room(store.size() - 1)
    assert [path.name for path in store.entries()] == ["newest", "oldest"]


def test_the_limit_is_kept_when_an_entry_is_added(store: Store, graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.000008")
    store.add("first", graph.read_bytes())
    os.utime(store.folder / "first", (1, 1))
    store.add("second", graph.read_bytes())
    assert [path.name for path in store.entries()] == ["second"]


def test_what_a_killed_process_left_goes_after_a_day(store: Store, graph: Path) -> None:
    store.add("key", graph.read_bytes())
    old, young = store.folder / ".key-old", store.folder / ".key-young"
    for left in (old, young):
        left.mkdir()
    os.utime(old, (time.time() - LEFT_BEHIND - 60,) * 2)
    store.make_room(10**9)
    assert (old.exists(), young.exists()) == (False, True)


def test_several_writers_of_one_key_leave_one_whole_entry(store: Store, graph: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(store.add, "key", graph.read_bytes()) for _ in range(16)]:
            done.result()
    assert [path.name for path in store.folder.iterdir()] == ["key"]
    assert store.take("key", tmp_path / "target")


@pytest.mark.parametrize("text", ["much", "-1", "nan", "1e9"])
def test_a_limit_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(UserError, match=f"{LIMIT_VARIABLE} is {text}; wanted a size in GB"):
        size_limit()
