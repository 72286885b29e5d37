"""Words for a checkpoint: addresses on the web and names of public weights, in every command that takes one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mindzoo import cli
from mindzoo.api import Classifier
from mindzoo.models import SPECS, create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support import weight_files
from mindzoo.tests.support.web_server import Web, web_fixture  # noqa: F401 - the fixture `web`
from mindzoo.utils.commands.command import read_command
from mindzoo.utils.commands.of_networks import EVAL, TRAIN
from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import launcher
from mindzoo.utils.weights import named, public
from mindzoo.utils.weights.web_address import WebAddress, parse

URL = "https://server/folder/net.pth"


@pytest.mark.parametrize(
    ("word", "url", "digest"),
    [
        (URL, URL, ""),
        (f"{URL}#sha256={'AB' * 32}", URL, "ab" * 32),
        ("https://server/net-abcdef12.pth", "https://server/net-abcdef12.pth", "abcdef12"),
        ("https://s/a_2022-0123456789.pth.tar", "https://s/a_2022-0123456789.pth.tar", "0123456789"),
        (f"https://s/net-abcdef12.pth#sha256={'12' * 32}", "https://s/net-abcdef12.pth", "12" * 32),
        ("https://server/net-abcdef1.pth", "https://server/net-abcdef1.pth", ""),
        ("https://server/net-120_5004_Ascend.ckpt", "https://server/net-120_5004_Ascend.ckpt", ""),
        ("HTTP://Server:8080/a b/ü.pth?x=a b", "http://server:8080/a%20b/%C3%BC.pth?x=a%20b", ""),
        ("http://[::1]:80/x", "http://[::1]:80/x", ""),
        ("https://bücher.de/x", "https://xn--bcher-kva.de/x", ""),
    ],
)
def test_an_address_says_where_and_what(word: str, url: str, digest: str) -> None:
    assert parse(word, "checkpoint") == WebAddress(url, digest)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("https:///x.pth", "wanted the address of a file"),
        ("https://", "wanted the address of a file"),
        ("https://server:port/x", "is no address"),
        ("https://[::1/x", "is no address"),
        ("ftp://server/x", "wanted the address of a file"),
        (f"{URL}#sha256=abc", r"ends in #sha256=abc; wanted #sha256= and the first 8 to 64 digits"),
        (f"{URL}#md5={'ab' * 16}", "ends in #md5="),
    ],
)
def test_what_is_no_address_is_refused(word: str, words: str) -> None:
    with pytest.raises(UserError, match=f"^checkpoint.*{words}"):
        parse(word, "checkpoint")


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="user's name in it") as refused:
        parse("https://me:SECRET@server/x", "checkpoint")
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [(URL, "net.pth"), ("https://s/a%2F..%2F.hidden", "hidden"), ("https://s/", "weights"), ("https://s/..", "weights"),
     ("https://s/%00%1b[31m.pth", "___31m.pth"), (f"https://s/{'x' * 300}.pth", f"{'x' * 96}.pth")],
)  # fmt: skip
def test_no_address_leads_out_of_its_folder(url: str, name: str) -> None:
    assert WebAddress(url).name == name
    assert "/" not in WebAddress(url).folder_name


def test_a_name_stands_for_its_address() -> None:
    weights = public.of_network(SPEC)[0]
    read = read_command(EVAL, SPEC, ["--checkpoint", weights.name, "--data_dir", "x"], "eval")
    assert read.config.checkpoint == weights.address.text
    assert weights.address.url in read.config.checkpoint
    read = read_command(TRAIN, SPEC, ["--checkpoint_url", weights.name], "train")
    assert read.config.pretrained == weights.address.text
    read = read_command(TRAIN, SPEC, ["--checkpoint_url", URL], "train")
    assert read.config.pretrained == URL


def test_a_name_that_is_not_there_names_the_nearest() -> None:
    name = public.of_network(SPEC)[1].name
    with pytest.raises(UserError, match=f"no file {name}x, and no public weights .*did you mean {name}"):
        named.address_of(f"{name}x", SPECS.values(), "checkpoint")
    other = public.of_network(SPECS["hrnet_w48"])[-1].name
    with pytest.raises(UserError, match="no public weights of that name for densenet121"):
        named.address_of(other, [SPEC], "checkpoint")
    assert named.address_of("folder/best.ckpt", SPECS.values(), "checkpoint") is None


def test_a_file_of_that_name_goes_first() -> None:
    path = Path(public.of_network(SPEC)[0].name)
    path.parent.mkdir()
    path.touch()
    assert named.address_of(str(path), [SPEC], "checkpoint") is None
    assert named.local(str(path), [SPEC], "checkpoint") == path


@pytest.mark.parametrize("word", ["ftp://server/x", "gs://bucket/x"])
def test_other_urls_are_refused(word: str) -> None:
    with pytest.raises(UserError, match=rf"checkpoint is {word}; wanted a path, an address that starts with https"):
        read_command(EVAL, SPEC, ["--checkpoint", word], "eval")
    with pytest.raises(UserError, match=rf"IN is {word}; wanted a path, an address"):
        named.local(word, [SPEC], "IN")


def test_a_file_is_no_address_where_a_path_is_wanted() -> None:
    with pytest.raises(UserError, match=r"FILE is file:///x; wanted a path"):
        named.local("file:///x", [SPEC], "FILE")


def test_no_training_goes_on_from_an_address() -> None:
    with pytest.raises(UserError, match=f"^resume is {URL}; a training goes on from a file .* --pretrained$"):
        read_command(TRAIN, SPEC, ["--resume", f"{URL}?key=SECRET"], "train")


def test_ranks_are_given_addresses_as_they_are() -> None:
    name = public.of_network(SPEC)[0].name
    for word in (name, URL):
        read = read_command(TRAIN, SPEC, ["--pretrained", word, "--data_dir", "here"], "train")
        assert launcher.absolute_paths(read, {}) == ["--data_dir", str(Path.cwd() / "here")]


def test_whatever_takes_a_checkpoint_takes_an_address(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    web.content = weight_files.safetensors(weight_files.of_torch(weight_files.tiny_weights()))
    url = f"{web.address}/net.safetensors#sha256={hashlib.sha256(web.content).hexdigest()}"
    assert cli.main(["info", url]) == 0
    assert cli.main(["convert", url, "copy.ckpt"]) == 0
    assert cli.main(["eval", "densenet121", "--pretrained", url, "--data_dir", "absent"]) == 2
    assert cli.main(["train", "densenet121", "--pretrained", url, "--data_dir", "absent"]) == 2
    out, err = capsys.readouterr()
    assert out.count("was downloaded to") == 3
    assert out.count("converted from") == 0
    assert all("absent" in line for line in err.splitlines())
    assert create_model("densenet121", checkpoint=url).head.fc.weight.shape[0] == 3
    assert web.asked() == [""]
    web.content = b"this is only text"
    with pytest.raises(UserError, match=r"weights/text-\w+/text is damaged or no checkpoint: it is a text"):
        Classifier.load(f"{web.address}/text")


def test_what_goes_wrong_is_a_sentence(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.statuses = [404]
    assert cli.main(["eval", "densenet121", "--checkpoint", f"{web.address}/x.pth", "--data_dir", "x"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: cannot download {web.address}/x.pth: the server answers 404 Not Found")
    assert len(err.splitlines()) == 1
