"""Files of the web: one download, gone on with after a break, and nothing used that is not what was promised."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mindzoo.tests.support.object_storage import start_python
from mindzoo.tests.support.web_server import Web, certify, serving, web_fixture  # noqa: F401 - the fixture `web`
from mindzoo.utils import log
from mindzoo.utils.errors import UserError
from mindzoo.utils.weights import download as downloads
from mindzoo.utils.weights import web as requests
from mindzoo.utils.weights.download import download
from mindzoo.utils.weights.web_address import parse

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()
GIVES_UP = [3000, 0, 0, 0]  # bytes of so many answers


@pytest.fixture(autouse=True)
def _own_cache(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    web.content = CONTENT


def fetched(web: Web, path: str = f"/folder/net.pth#sha256={DIGEST}") -> Path:
    return download(parse(web.address + path, "checkpoint"))


def give_up(web: Web, path: str = f"/folder/net.pth#sha256={DIGEST}") -> None:
    """A download that ends after 3000 bytes."""
    web.breaks = list(GIVES_UP)
    with pytest.raises(UserError, match=r"the connection broke with .*; 3.0 kB of it are kept, and the same command"):
        fetched(web, path)


def test_a_file_is_downloaded_once_under_its_name(web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    path = fetched(web)
    assert path.read_bytes() == CONTENT
    assert path.name == "net.pth"
    assert path.is_relative_to(tmp_path / "cache" / "mindzoo" / "weights")
    assert fetched(web) == path
    assert web.asked() == [""]
    out = capsys.readouterr().out
    assert f"downloaded {web.address}/folder/net.pth to {path}: 102.4 kB" in out
    assert f"{web.address}/folder/net.pth was downloaded to {path} before" in out
    assert "not verified" not in out
    assert {found.name for found in path.parent.iterdir()} == {"net.pth", ".mindzoo-copy"}
    assert fetched(web, "/net.pth?version=1").parent != fetched(web, "/net.pth?version=2").parent


def test_what_no_digest_is_known_of_is_said_to_be_unverified(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    for _ in range(2):
        fetched(web, "/net.pth?key=SECRET")
        out = capsys.readouterr().out
        assert f"{web.address}/net.pth is not verified" in out
        assert f"#sha256={DIGEST}" in out
        assert "SECRET" not in out


def test_the_digits_in_a_name_are_checked(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    assert fetched(web, f"/net-{DIGEST[:8]}.pth").read_bytes() == CONTENT
    assert "not verified" not in capsys.readouterr().out
    with pytest.raises(UserError, match=f"has the SHA-256 {DIGEST}, and wanted was one that begins with 20220426"):
        fetched(web, "/net-20220426.pth")  # a date; what the error says to do is done:
    assert fetched(web, f"/net-20220426.pth#sha256={DIGEST}").read_bytes() == CONTENT


def test_another_file_than_promised_is_removed(web: Web, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"has the SHA-256 {DIGEST}, and wanted was {OTHER}: what came is removed$"):
        fetched(web, f"/net.pth#sha256={OTHER}")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".mindzoo-copy"]


def test_a_wrong_digest_costs_no_good_copy(web: Web) -> None:
    path = fetched(web)
    with pytest.raises(UserError, match="has the SHA-256"):
        fetched(web, f"/folder/net.pth#sha256={OTHER}")
    assert fetched(web) == path
    assert web.asked() == ["", ""]  # the first one, and the one for the wrong digest


def test_a_damaged_copy_is_removed_and_made_anew(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    path = fetched(web)
    path.write_bytes(CONTENT[:-1])
    assert fetched(web) == path
    assert path.read_bytes() == CONTENT
    assert f"{path} is damaged" in capsys.readouterr().out
    assert web.asked() == ["", ""]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(web: Web, ranges: bool) -> None:
    web.ranges, web.breaks = ranges, [1000, 0, 500] if ranges else [1000]
    assert fetched(web).read_bytes() == CONTENT
    assert web.asked() == ["", "bytes=1000-", "bytes=1000-", "bytes=1500-"] if ranges else ["", "bytes=1000-"]


def test_a_later_process_goes_on_where_one_gave_up(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    give_up(web)
    assert fetched(web).read_bytes() == CONTENT
    assert web.asked()[-1] == "bytes=3000-"
    assert "from byte 3,000 on" in capsys.readouterr().out


def test_a_file_that_changed_meanwhile_begins_anew(web: Web) -> None:
    give_up(web)
    web.tag, web.content = '"second"', CONTENT[::-1]
    digest = hashlib.sha256(web.content).hexdigest()
    assert fetched(web, f"/folder/net.pth#sha256={digest}").read_bytes() == CONTENT[::-1]
    assert web.asked()[-1] == "bytes=3000-"


def test_a_file_that_may_have_changed_begins_anew(web: Web) -> None:
    web.tag, web.breaks = "", [3000]
    assert fetched(web).read_bytes() == CONTENT
    assert web.asked() == ["", ""]


def test_a_beginning_that_was_damaged_is_no_end(web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    give_up(web)
    [part] = tmp_path.rglob("*.part")
    part.write_bytes(bytes(3000))
    assert fetched(web).read_bytes() == CONTENT
    assert web.asked()[-2:] == ["bytes=3000-", ""]
    assert "what was kept of" in capsys.readouterr().out


def test_one_that_was_longer_than_the_file_is_begun_anew(web: Web) -> None:
    give_up(web)
    web.content = CONTENT[:2000]
    digest = hashlib.sha256(web.content).hexdigest()
    assert fetched(web, f"/folder/net.pth#sha256={digest}").read_bytes() == CONTENT[:2000]
    assert web.asked()[-2:] == ["bytes=3000-", ""]


def test_one_that_came_whole_is_not_asked_for_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "sha256", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetched(web)
    assert fetched(web).read_bytes() == CONTENT
    assert web.asked() == [""]


def interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def test_a_file_of_unknown_length_is_downloaded(web: Web) -> None:
    web.chunked = True
    assert fetched(web).read_bytes() == CONTENT


def test_a_server_that_says_nothing_more_is_left(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.stalls = threading.Event()
    monkeypatch.setattr(requests, "SECONDS", 0.1)
    with pytest.raises(UserError, match=r"nothing came for 0.1 s; 4 bytes of it are kept"):
        fetched(web)


def test_one_that_is_too_slow_is_left(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "SLOW_SECONDS", -1.0)
    monkeypatch.setattr(requests, "BLOCK", 1000)
    with pytest.raises(UserError, match=r"only 1,000 bytes came in 0 s; 4.0 kB of it are kept"):
        fetched(web)


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "the server answers 404 Not Found: there is no such file"), (403, "403 Forbidden: it does not give"),
     (401, "401 Unauthorized: it asks who you are"), (418, "418 I'm a Teapot")],
)  # fmt: skip
def test_what_the_server_refuses_is_said_at_once(web: Web, status: int, words: str) -> None:
    web.statuses = [status]
    with pytest.raises(UserError, match=words):
        fetched(web)
    assert len(web.requests) == 1


def test_a_server_that_is_not_well_is_asked_again(web: Web) -> None:
    web.statuses = [503, 429]
    assert fetched(web).read_bytes() == CONTENT


def test_redirections_are_followed(web: Web) -> None:
    web.redirections = {"/a": "/b", "/b": f"{web.address}/net.pth"}
    assert fetched(web, f"/a#sha256={DIGEST}").read_bytes() == CONTENT
    web.redirections = {"/c": "/c"}
    with pytest.raises(UserError, match="the server answers 302"):
        fetched(web, "/c")


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_no_redirection_leads_out_of_the_web(web: Web, place: str) -> None:
    web.redirections = {"/a": place}
    with pytest.raises(UserError, match=r"the server answers 302|leads to ftp"):
        fetched(web, "/a")


def test_a_certificate_is_checked_and_nothing_leads_from_https_to_http(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certify(tmp_path / "certificate")
    with serving(certificate) as safe:
        with pytest.raises(UserError, match=r"the certificate of 127.0.0.1 is not valid \(self-signed certificate\)"):
            fetched(safe)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        safe.content = CONTENT
        assert fetched(safe).read_bytes() == CONTENT
        safe.redirections = {"/a?key=SECRET": f"{web.address}/net.pth?key=SECRET"}
        with pytest.raises(
            UserError, match=f"^{safe.address}/a leads to {web.address}/net.pth; wanted one that leads to"
        ):
            fetched(safe, "/a?key=SECRET")
        assert web.requests == []
        with pytest.raises(UserError, match=r"127.0.0.1 does not speak TLS as wanted"):
            download(parse(web.address.replace("http:", "https:") + "/x", "checkpoint"))


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match=r"cannot download http://127.0.0.1:9/x.pth: Connection refused"):
        download(parse("http://127.0.0.1:9/x.pth", "checkpoint"))


def test_a_proxy_is_used_and_named_without_its_password(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.address.replace("//", "//me:SECRET@"))
    assert download(parse(f"http://server.invalid/x.pth#sha256={DIGEST}", "checkpoint")).read_bytes() == CONTENT
    assert web.requests[0][0] == "http://server.invalid/x.pth"
    web.statuses = [404]
    with pytest.raises(UserError, match=r"through the proxy 127.0.0.1:") as refused:
        download(parse("http://server.invalid/y.pth", "checkpoint"))
    assert "SECRET" not in str(refused.value)


def test_offline_only_the_cache_is_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetched(web)
    monkeypatch.setenv("MINDZOO_OFFLINE", "1")
    assert fetched(web) == path
    with pytest.raises(UserError, match=r"is not in the cache .*, and MINDZOO_OFFLINE says"):
        fetched(web, "/other.pth")
    assert len(web.requests) == 1
    monkeypatch.setenv("MINDZOO_OFFLINE", "perhaps")
    with pytest.raises(UserError, match="MINDZOO_OFFLINE is 'perhaps'; wanted true or false"):
        fetched(web, "/other.pth")


def test_a_file_too_large_for_the_disk_is_refused(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, 100_000))
    with pytest.raises(UserError, match=r"takes 102.4 kB, and 100.0 kB are free in .*; make room"):
        fetched(web)


def test_a_file_too_large_for_weights_is_refused(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MOST_BYTES", 100_000)
    with pytest.raises(UserError, match="has 102,400 bytes; wanted weights, of at most 100,000"):
        fetched(web)
    web.chunked = True
    with pytest.raises(UserError, match="has more than 100,000 bytes"):
        fetched(web)
    web.content, web.chunked = b"", False
    with pytest.raises(UserError, match="has 0 bytes"):
        fetched(web)


def test_a_disk_that_fills_up_is_said(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"cannot write into the cache .*: No space left on device"):
        fetched(web)


CODE = """
from mindzoo.utils import log
from mindzoo.utils.weights.download import download
from mindzoo.utils.weights.web_address import parse
log.start()
print("at", download(parse({url!r}, "checkpoint")), flush=True)
"""


def test_of_two_processes_one_downloads(web: Web) -> None:
    web.breaks = [1000]
    jobs = [start_python(CODE.format(url=f"{web.address}/net.pth#sha256={DIGEST}")) for _ in range(2)]
    texts = [job.communicate(timeout=60) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], texts
    assert len({out.splitlines()[-1] for out, _ in texts}) == 1
    assert web.asked() == ["", "bytes=1000-"]
