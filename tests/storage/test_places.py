"""Buckets of somebody else: whatever their objects are called, nothing is written or read outside of the copy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mindzoo.tests.support.object_storage import Server, server_fixture  # noqa: F401 - the fixture `server`
from mindzoo.utils import log
from mindzoo.utils.errors import UserError
from mindzoo.utils.storage import backends, places
from mindzoo.utils.storage.download import download, restore
from mindzoo.utils.storage.store import Entry, Store

pytestmark = pytest.mark.usefixtures("server")
ABSENT = "/no/such/data"  # so that the cache folder of the test is taken


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != places.MARKER
    }


@pytest.fixture(params=["s3", "obs"])
def bucket(request: pytest.FixtureRequest, server: Server) -> Callable[[str], tuple[Store, str]]:
    """A storage and the URL of a path in its bucket."""

    def at(path: str) -> tuple[Store, str]:
        url = f"{request.param}://{server.bucket}{path}"
        return backends.open_store(url, modelarts=False), url

    return at


ODD = (
    ("/{outside}", "is that of a path from the root"),
    ("a/../../../outside", "has .. in it"),
    ("../outside", "has .. in it"),
    ("a//b.png", "has an empty part, or a dot for one"),
    ("a/./b.png", "has an empty part, or a dot for one"),
    ("a\\b.png", "holds a backslash or a zero byte"),
    ("n" * 256, "is longer than that of a file may be"),
)


def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_copied(
    server: Server, bucket: Callable[[str], tuple[Store, str]], tmp_path: Path
) -> None:
    """The first is what a bucket with `data//etc/passwd` shows below `data`."""
    for number, (name, said) in enumerate(ODD):
        server.put(f"data{number}/{name.format(outside=tmp_path / 'outside')}", b"theirs")
        server.put(f"data{number}/a/x.png", b"x")
        store, url = bucket(f"/data{number}")
        for act in (
            partial(download, store, url, ABSENT, changes=False),
            partial(download, store, url, ABSENT, changes=True),
            partial(restore, store, url, tmp_path / "out" / "run"),
        ):
            with pytest.raises(UserError) as caught:
                act()
            assert str(caught.value).startswith(f"{url} holds an object whose name {said}: ")
    assert set(files(tmp_path).values()) == set()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a/" * 60 + "b", "/".join(["n" * 250] * 9), "a/" + "ü" * 128])
def test_names_that_no_file_may_have(tmp_path: Path, name: str) -> None:
    class Odd(backends.Folder):
        """Some servers take any name."""

        def listing(self, url: str) -> dict[str, Entry]:
            return {name: Entry(1, 1)}

    with pytest.raises(UserError, match="holds an object whose name"):
        download(Odd(tmp_path), "s3://bucket/x", ABSENT, changes=False)


def test_the_name_of_a_single_object_is_looked_at_too(
    server: Server, bucket: Callable[[str], tuple[Store, str]], tmp_path: Path
) -> None:
    for path in ("/..", "/data/..", "/.mindzoo-copy"):
        server.put(path[1:], b"theirs")
        store, url = bucket(path)
        with pytest.raises(UserError, match=r"has \.\. in it|holds nothing"):
            download(store, url, ABSENT, changes=True)
    assert b"theirs" not in files(tmp_path).values()


def test_control_characters_stay_in_the_name(server: Server) -> None:
    """macOS has such files; what is shown of a name is escaped."""
    server.put("data/Icon\r", b"1")
    url = f"s3://{server.bucket}/data"
    copy = download(backends.open_store(url, modelarts=False), url, ABSENT, changes=False)
    assert files(copy) == {"Icon\r": b"1"}


def test_an_empty_object_with_others_below_it_is_a_folder_and_one_with_content_is_refused(
    server: Server, bucket: Callable[[str], tuple[Store, str]]
) -> None:
    for name in ("data", "data/a", "data/a/b"):
        server.put(name)
    server.put("data/a/b/1.png", b"1")
    store, url = bucket("/data")
    assert files(download(store, url, ABSENT, changes=True)) == {"a/b/1.png": b"1"}
    server.put("data/a", b"content")
    with pytest.raises(UserError, match=r"^a is an object of the bucket, and others are below it"):
        download(store, url, ABSENT, changes=True)


def test_names_that_mindzoo_gives_itself_are_left_out(
    server: Server, bucket: Callable[[str], tuple[Store, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A marker from a bucket would say where the copy is."""
    part = places.part_of(Path("x.png")).name
    for name in (".mindzoo-copy", ".MindZoo-Copy", ".mindzoo-upload", ".copying/x", ".unpacked/x", f"a/{part}"):
        server.put(f"data/{name}", json.dumps({"path": "/etc"}).encode())
    server.put("data/a/x.png", b"x")
    store, url = bucket("/data")
    log.start()
    for _ in range(2):
        copy = download(store, url, ABSENT, changes=False)
        assert copy.is_relative_to(tmp_path / "cache")
        assert files(copy) == {"a/x.png": b"x"}
    restore(store, url, tmp_path / "out")
    assert files(tmp_path / "out") == {"a/x.png": b"x"}
    assert f"left out of {url}, since mindzoo calls files of its own like that: " in capsys.readouterr().out


MARKERS = (
    '{"path": "/etc"}',
    '{"path": "../outside"}',
    '{"path": 1}',
    '{"path": "gone"}',
    "[]",
    "[" * 9000,
    "x" * 200_000,
)


def test_a_marker_that_speaks_of_another_place_counts_as_none(server: Server) -> None:
    server.put("data/a/x.png", b"x")
    url = f"s3://{server.bucket}/data"
    store = backends.open_store(url, modelarts=False)
    copy = download(store, url, ABSENT, changes=False)
    (copy.parent / "outside").mkdir()
    for content in MARKERS:
        (copy / "a" / "x.png").unlink()
        (copy / places.MARKER).write_text(content)
        assert download(store, url, ABSENT, changes=False) == copy
        assert files(copy) == {"a/x.png": b"x"}


def test_nothing_is_copied_through_a_link_that_leads_out(server: Server, tmp_path: Path) -> None:
    def bucket(path: str) -> tuple[Store, str]:
        url = f"s3://{server.bucket}{path}"
        return backends.open_store(url, modelarts=False), url

    out, outside = tmp_path / "out", tmp_path / "outside"
    for folder in (out / "there", outside):
        folder.mkdir(parents=True)
    (out / "inner").symlink_to("there")
    (out / "loop").symlink_to("loop")
    server.put("run/inner/1.ckpt", b"1")
    restore(*bucket("/run"), out)
    assert (out / "there" / "1.ckpt").read_bytes() == b"1"
    for number, (link, below) in enumerate((("away", ""), ("loop", ""), ("away", "/deeper"))):
        if link == "away" and not below:
            (out / link).symlink_to(outside)
        server.put(f"run{number}/{link}{below}/1.ckpt", b"1")
        with pytest.raises(UserError, match=rf"{link}{below}/1.ckpt lies behind a link that leads out of "):
            restore(*bucket(f"/run{number}"), out)
    assert files(outside) == {}


def test_what_a_link_in_a_share_leads_to_is_neither_read_nor_written(tmp_path: Path) -> None:
    share, secret = tmp_path / "share", tmp_path / "secret"
    for folder in (share / "run" / "sub", secret):
        folder.mkdir(parents=True)
    (secret / "key").write_bytes(b"secret")
    (share / "run" / "1.ckpt").write_bytes(b"1")
    (share / "run" / "2.ckpt").symlink_to("1.ckpt")
    (share / "run" / "key").symlink_to(secret / "key")
    (share / "run" / "folder").symlink_to(secret)
    (share / "run" / "sub" / "loop").symlink_to("loop")
    os.mkfifo(share / "run" / "pipe")
    store = backends.open_store(str(share), modelarts=False)
    restore(store, str(share), tmp_path / "out")
    assert files(tmp_path / "out") == {"run/1.ckpt": b"1", "run/2.ckpt": b"1"}
    source = tmp_path / "out" / "run" / "1.ckpt"
    for name in ("run/folder/new", "run/folder/a/new", "../new"):
        with pytest.raises(UserError, match="lies behind a link that leads out of"):
            store.put(source, f"{share}/{name}")
    store.put(source, f"{share}/run/key")  # the link is replaced, and not what it leads to
    assert files(secret) == {"key": b"secret"}
    assert not (share / "run" / "key").is_symlink()
    assert not (tmp_path / "new").exists()


def test_a_name_may_be_as_long_as_a_file_system_takes_it(
    server: Server, bucket: Callable[[str], tuple[Store, str]]
) -> None:
    long = "n" * 255
    server.put(f"data/{long}/{long}", b"1")
    copy = download(*bucket("/data"), ABSENT, changes=False)
    assert files(copy) == {f"{long}/{long}": b"1"}
    assert files(download(*bucket(f"/data/{long}"), ABSENT, changes=False)) == {long: b"1"}
