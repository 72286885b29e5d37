"""Copies from buckets: one per server, whole, and completed where a job died halfway."""

from __future__ import annotations

import http.server
import io
import os
import signal
import ssl
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest

from mindzoo.tests.support.object_storage import ENDPOINTS, Server, server_fixture, start_python  # noqa: F401 - the fixture `server`
from mindzoo.utils import log
from mindzoo.utils.errors import UserError
from mindzoo.utils.storage import backends
from mindzoo.utils.storage.download import download, restore
from mindzoo.utils.storage.store import Entry, Store

pytestmark = pytest.mark.usefixtures("server")
ABSENT = "/no/such/data"  # so that the cache folder of the test is taken
CODE = """
from mindzoo.utils import log
from mindzoo.utils.storage import backends
from mindzoo.utils.storage.download import download
log.start()
store = backends.open_store({url!r}, modelarts=False)
print("at", download(store, {url!r}, "/no/such/data", changes=False), flush=True)
"""


@pytest.fixture(params=["s3", "obs", "folder"])
def place(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> tuple[Store, str]:
    """A storage and the URL of a folder in it, which holds the same in each."""
    files = {"a/1.bin": b"one", "a/b c/ü.bin": b"two" * 1000, "empty": b"", "a2": b"no part of a"}
    if request.param == "folder":
        root = str(tmp_path / "source")
        for name, content in files.items():
            (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / name).write_bytes(content)
    else:
        root = f"{request.param}://{server.bucket}/root"
        for name, content in files.items():
            server.put(f"root/{name}", content)
        server.put("root/a/")  # consoles make such objects for folders
    return backends.open_store(root, modelarts=False), root


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_folder_is_copied_once(place: tuple[Store, str], capsys: pytest.CaptureFixture[str]) -> None:
    store, url = place
    log.start()
    copy = download(store, f"{url}/a", ABSENT, changes=False)
    assert content(copy) == {"1.bin": b"one", "b c/ü.bin": b"two" * 1000}
    assert download(store, f"{url}/a/", ABSENT, changes=False) == copy
    out = capsys.readouterr().out
    assert f"copying {url}/a to {copy}: 2 files, 3.0 kB" in out
    assert f"{url}/a/ was copied to {copy} before" in out
    assert out.count("copying") == 1


def test_a_file_is_copied_under_its_name(place: tuple[Store, str]) -> None:
    store, url = place
    for name, wanted in (("a2", b"no part of a"), ("empty", b"")):
        copy = download(store, f"{url}/{name}", ABSENT, changes=True)
        assert (copy.name, copy.read_bytes()) == (name, wanted)


def test_what_may_change_is_compared(server: Server) -> None:
    url = f"s3://{server.bucket}/run"
    store = backends.open_store(url, modelarts=False)
    server.put("run/1.ckpt", b"first")
    server.put("run/2.ckpt", b"second")
    copy = download(store, url, ABSENT, changes=True)
    os.utime(copy / "1.ckpt", (0, 0))  # as if the object had been written anew since
    before = (copy / "2.ckpt").stat()
    server.put("run/1.ckpt", b"newer")
    server.put("run/3.ckpt", b"third")
    assert download(store, url, ABSENT, changes=True) == copy
    assert content(copy) == {"1.ckpt": b"newer", "2.ckpt": b"second", "3.ckpt": b"third"}
    assert (copy / "2.ckpt").stat().st_ino == before.st_ino


def test_results_that_are_here_are_not_copied_over(server: Server, tmp_path: Path) -> None:
    url = f"s3://{server.bucket}/run"
    store = backends.open_store(url, modelarts=False)
    restore(store, url, tmp_path / "out")
    assert content(tmp_path / "out") == {}
    server.put("run/a/1.ckpt", b"theirs")
    server.put("run/a/2.ckpt", b"theirs")
    (tmp_path / "out" / "a").mkdir()
    (tmp_path / "out" / "a" / "1.ckpt").write_bytes(b"mine, newer")
    restore(store, url, tmp_path / "out")
    assert content(tmp_path / "out") == {"a/1.ckpt": b"mine, newer", "a/2.ckpt": b"theirs"}


def test_a_job_that_is_killed_halfway_is_completed_by_the_next(server: Server, tmp_path: Path) -> None:
    wanted = {f"{number:03}.bin": bytes([number]) * 20_000 for number in range(120)}
    for name, value in wanted.items():
        server.put(f"data/{name}", value)
    code = CODE.format(url=f"s3://{server.bucket}/data")
    cache = tmp_path / "cache" / "mindzoo" / "data"
    with start_python(code) as process:
        until = time.monotonic() + 60
        while len(list(cache.glob("*/*.bin"))) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    there = {path: path.stat().st_ino for path in cache.glob("*/*.bin")}
    assert 20 <= len(there) < 120
    with start_python(code) as process:
        out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    (copy,) = cache.iterdir()
    assert f"at {copy}" in out
    assert content(copy) == wanted
    assert {path: path.stat().st_ino for path in there} == there  # what was there was not copied again
    assert f"{120 - len(there)} files" in out


def test_processes_of_a_server_make_one_copy(server: Server) -> None:
    for number in range(20):
        server.put(f"data/{number}", b"content")
    code = CODE.format(url=f"s3://{server.bucket}/data")
    processes = [start_python(code) for _ in range(3)]
    texts = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], texts
    assert sum("copying s3://" in out for out, _ in texts) == 1
    assert sum("before" in out for out, _ in texts) == 2
    places = {out.splitlines()[-1] for out, _ in texts}
    assert len(places) == 1
    assert len(content(Path(places.pop().removeprefix("at ")))) == 20


@pytest.mark.parametrize("kind", ["s3", "obs"])
@pytest.mark.parametrize(("bucket", "path"), [("", "/nothing"), ("no-such-bucket", "/x")])
def test_what_is_missing_is_said_at_once(server: Server, kind: str, bucket: str, path: str) -> None:
    url = f"{kind}://{bucket or server.bucket}{path}"
    store = backends.open_store(url, modelarts=False)
    started = time.monotonic()
    with pytest.raises(UserError, match=f"^cannot copy {url} to this machine: .*(holds nothing|not exist)"):
        download(store, url, ABSENT, changes=False)
    assert time.monotonic() - started < 5


def test_a_server_that_cannot_be_reached_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ENDPOINTS:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("mindzoo.utils.storage.retry.patiently.__defaults__", ((0.05, 0.05),))
    log.start()
    for kind in ("s3", "obs"):
        url = f"{kind}://bucket/data"
        store = backends.open_store(url, modelarts=False)
        with pytest.raises(UserError, match=f"cannot copy {url} to this machine: .*[Cc]onnect"):
            download(store, url, ABSENT, changes=False)
        assert capsys.readouterr().out.count(f"listing {url} failed, again in 0.05 s") == 2


@pytest.mark.parametrize("name", ["OBS_ENDPOINT", "OBS_ACCESS_KEY_ID"])
def test_what_the_sdk_of_obs_needs_is_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(UserError, match=f"obs:// needs {name} in the environment: the server"):
        backends.open_store("obs://bucket/x", modelarts=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:obs")
@pytest.mark.parametrize("trusted", [True, False])
def test_the_sdk_of_obs_trusts_known_certificates_only(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with a certificate of its own, which answers every request with status 501."""
    files = [str(tmp_path / name) for name in ("certificate.pem", "key.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OBS_ENDPOINT", f"https://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("mindzoo.utils.storage.retry.patiently.__defaults__", ((),))
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", files[0])
    store = backends.open_store("obs://bucket/x", modelarts=False)
    with pytest.raises(UserError, match="status 501" if trusted else "CERTIFICATE_VERIFY_FAILED"):
        download(store, "obs://bucket/x", ABSENT, changes=False)
    server.shutdown()
    server.server_close()


def test_a_full_disk_is_said_before_anything_is_copied(tmp_path: Path) -> None:
    class Huge(backends.Folder):
        """More than any disk has."""

        def listing(self, url: str) -> dict[str, Entry]:
            return {"a": Entry(10**18, 1)}

    with pytest.raises(UserError, match=r"takes 1000000.0 TB, and .* are free in"):
        download(Huge(tmp_path), str(tmp_path), ABSENT, changes=False)


def archive(names: list[str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"data"))
    return file.getvalue()


@pytest.mark.parametrize("tail", ["", "/imagenet_original.tar.gz"])
def test_a_data_set_that_is_one_archive_is_unpacked(server: Server, tail: str) -> None:
    server.put("data/imagenet_original.tar.gz", archive(["imagenet_original/train/a/1.png"]))
    url = f"s3://{server.bucket}/data{tail}"
    store = backends.open_store(url, modelarts=False)
    copy = download(store, url, ABSENT, changes=False)
    assert copy.name == "imagenet_original"
    assert content(copy) == {"train/a/1.png": b"data"}
    assert not list(copy.parents[1].glob("*.gz"))
    assert download(store, url, ABSENT, changes=False) == copy
