"""Places of a cloud job: which key a URL stands in for, and where its copy is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mindzoo.cli import COMMANDS
from mindzoo.models import SPECS, list_models
from mindzoo.tests.support.object_storage import Server, server_fixture  # noqa: F401 - the fixture `server`
from mindzoo.utils import storage
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import ExportConfig, TrainConfig
from mindzoo.utils.errors import UserError
from mindzoo.utils.storage import cache, urls

PATHS = {"data": "/none/data", "eval_data": "/none/eval", "checkpoint": "/none/ckpt", "output": "/none/train"}


def settled(*argv: str) -> reading.Loaded[TrainConfig]:
    return storage.replace_urls(reading.read_config(TrainConfig, argv), "pretrained")


def fetched(*argv: str) -> TrainConfig:
    return storage.fetch(settled(*argv), PATHS).config


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("data_url", "data_dir"),
        ("eval_data_url", "eval_data_dir"),
        ("train_url", "output_dir"),
        ("checkpoint_url", "pretrained"),
    ],
)
def test_a_place_stands_in_for_the_key_beside_it(url: str, name: str) -> None:
    for place, path in (("/here", "/here"), ("file:///here/a%20b", "/here/a b"), ("s3://bucket/x", "s3://bucket/x")):
        loaded = settled(f"--{url}", place)
        assert getattr(loaded.config, name) == path
        assert name in loaded.given
        assert loaded.notes() == []
    loaded = settled(f"--{url}", "s3://bucket/x", f"--{name}", "/there")
    assert getattr(loaded.config, name) == "/there"
    # Results are made in one place and may be copied to another.
    said = [] if url == "train_url" else [f"{url} has no effect: {name} is given"]
    assert loaded.notes() == said
    assert loaded.config.train_url == ("s3://bucket/x" if url == "train_url" else "")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (
            "gs://bucket/x",
            "data_url is gs://bucket/x; wanted a path, or a URL that starts with obs://, s3:// or file://",
        ),
        ("s3://", "data_url is s3://, which names no bucket; wanted s3://BUCKET/PATH"),
        ("obs:///x", "data_url is obs:///x, which names no bucket"),
        ("file://other/x", "data_url is file://other/x, a file of the machine other; wanted file:///PATH"),
    ],
)
def test_other_urls_are_refused(place: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        settled("--data_url", place)
    assert words in str(caught.value)


@pytest.mark.parametrize("nothing", ["None", ""])
def test_a_place_that_is_none_is_not_given(nothing: str) -> None:
    """Commands of the original zoo give None for what they have not, in both places."""
    loaded = settled("--data_url", nothing, "--data_dir", nothing)
    assert (loaded.config.data_dir, loaded.notes()) == ("", [])
    loaded = settled("--data_url", "/here", "--data_dir", nothing)
    assert (loaded.config.data_dir, loaded.notes()) == ("/here", [])
    loaded = settled("--data_url", nothing, "--data_dir", "/there")
    assert (loaded.config.data_dir, loaded.notes()) == ("/there", [])


def test_modelarts_has_an_effect_on_buckets_only() -> None:
    said = ["modelarts has no effect: every place is a path of this machine"]
    assert settled("--modelarts", "True", "--data_url", "/here").notes() == said
    assert settled("--modelarts", "True", "--data_url", "obs://bucket/x").notes() == []
    assert settled("--modelarts", "True", "--pretrained", "obs://bucket/x").notes() == []
    assert settled().notes() == []


def test_paths_of_this_machine_stay_as_they_are() -> None:
    loaded = settled("--data_url", "/here", "--train_url", "/there", "--pretrained", "a.ckpt")
    assert storage.fetch(loaded, PATHS) == loaded


def test_a_file_url_is_a_path_wherever_a_path_may_stand() -> None:
    found = fetched("--data_dir", "file:///here", "--pretrained", "file:///a.ckpt", "--output_dir", "file:///out")
    assert (found.data_dir, found.pretrained, found.output_dir) == ("/here", "/a.ckpt", "/out")


def test_what_is_in_a_bucket_is_copied_and_its_path_takes_the_place(server: Server, tmp_path: Path) -> None:
    for name in ("data/train/a/1.png", "data/val/a/2.png", "data2/other", "weights/best.ckpt"):
        server.put(name, name.encode())
    root = f"s3://{server.bucket}"
    found = fetched("--data_url", f"{root}/data/", "--checkpoint_url", f"{root}/weights/best.ckpt")
    assert Path(found.data_dir, "train/a/1.png").read_bytes() == b"data/train/a/1.png"
    assert Path(found.pretrained).read_bytes() == b"weights/best.ckpt"
    assert Path(found.pretrained).name == "best.ckpt"
    assert not list(Path(found.data_dir).rglob("other"))
    assert Path(found.data_dir).is_relative_to(tmp_path / "cache" / "mindzoo" / "data")


def test_a_bucket_may_stand_wherever_a_checkpoint_may(server: Server) -> None:
    server.put("a.ckpt", b"content")
    loaded = reading.read_config(ExportConfig, ["--checkpoint", f"s3://{server.bucket}/a.ckpt"])
    assert Path(storage.fetch(loaded, PATHS).config.checkpoint).read_bytes() == b"content"


def test_a_bucket_as_output_gets_the_results_of_a_folder_here(server: Server, tmp_path: Path) -> None:
    url = f"s3://{server.bucket}/out"
    for key in ("train_url", "output_dir"):
        found = fetched(f"--{key}", url)
        assert found.train_url == url
        assert Path(found.output_dir).is_relative_to(tmp_path / "cache" / "mindzoo" / "train")
    found = fetched("--train_url", url, "--output_dir", "/mine")
    assert (found.train_url, found.output_dir) == (url, "/mine")


def test_copies_are_in_the_documented_folder_where_it_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    found = cache.place("s3://bucket/a/b/", str(tmp_path / "data"))
    assert found.parent == tmp_path / "data"
    assert found.name.startswith("b-")
    assert found == cache.place("s3://bucket/a/b", str(tmp_path / "data"))
    assert found != cache.place("s3://other/a/b", str(tmp_path / "data"))
    elsewhere = cache.place("s3://bucket/a/b", str(tmp_path / "absent" / "data"))
    assert elsewhere == tmp_path / "mine" / "mindzoo" / "data" / found.name
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.place("s3://b/a", "/no/such/data").parent == tmp_path / "home" / ".cache" / "mindzoo" / "data"


@pytest.mark.parametrize("name", list_models())
def test_every_network_says_where_copies_are_kept(name: str) -> None:
    assert set(SPECS[name].cache_paths) == {"data", "eval_data", "checkpoint", "output"}
    assert all(Path(path).parent == Path("/cache") for path in SPECS[name].cache_paths.values())
    of_a_network = [command for command in COMMANDS.values() if command.of_a_network]
    known = {field.name for command in of_a_network for field in dataclasses.fields(command.config(SPECS[name]))}
    assert {*storage.INPUTS, *storage.STANDS_IN} <= known
    of_a_training = {field.name for field in dataclasses.fields(SPECS[name].train_config)}
    assert {*storage.INPUTS, *storage.STANDS_IN} - {"checkpoint", "images"} <= of_a_training


def test_parts_of_urls() -> None:
    assert urls.split("s3://bucket/a/b/") == ("bucket", "a/b")
    assert urls.split("s3://bucket") == ("bucket", "")
    assert urls.join("s3://bucket/a/", "b/c") == "s3://bucket/a/b/c"
    assert urls.join("s3://bucket/a", ".") == "s3://bucket/a"
    assert urls.base_name("s3://bucket/a/b/") == "b"
