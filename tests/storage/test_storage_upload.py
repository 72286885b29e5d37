"""Results on their way out: what is sent when, and that nothing that fails stops the training."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mindzoo.tests.support.object_storage import Server, server_fixture  # noqa: F401 - the fixture `server`
from mindzoo.utils import log
from mindzoo.utils.storage import backends, uploading
from mindzoo.utils.storage.upload import Uploader


@dataclass
class Config:
    """What `uploading` reads of a configuration."""

    train_url: str
    output_dir: str
    modelarts: bool = False


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A run folder with two files."""
    folder = tmp_path / "out" / "run"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("lr: 1")
    (folder / "1.ckpt").write_bytes(b"first")
    return folder


def config(server: Server, output: Path) -> Config:
    return Config(f"s3://{server.bucket}/results", str(output.parent))


def wait_for(server: Server, *names: str) -> None:
    until = time.monotonic() + 30
    while not {f"results/run/{name}" for name in names} <= set(server.names()):
        assert time.monotonic() < until, server.names()
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["s3", "obs", "folder"])
def test_everything_is_there_at_the_end(server: Server, output: Path, tmp_path: Path, kind: str) -> None:
    (output / "a b").mkdir()
    (output / "a b" / "ü.txt").write_text("here")
    (output / ".tmp.ckpt").write_bytes(b"not finished")
    url = str(tmp_path / "copies") if kind == "folder" else f"{kind}://{server.bucket}/results"
    with uploading(Config(url, str(output.parent)), output):
        (output / "2.ckpt").write_bytes(b"second")
    names = ["run/1.ckpt", "run/2.ckpt", "run/a b/ü.txt", "run/config.yaml"]
    if kind == "folder":
        assert sorted(p.relative_to(url).as_posix() for p in Path(url).rglob("*") if p.is_file()) == names
        assert Path(url, names[2]).read_text() == "here"
    else:
        assert server.names("results/") == names
        assert server.read("results/run/a b/ü.txt") == b"here"


def test_only_what_is_new_or_changed_is_sent(server: Server, output: Path) -> None:
    with uploading(config(server, output), output) as uploader:
        assert uploader is not None
        uploader.ask()
        wait_for(server, "1.ckpt", "config.yaml")
        first = server.written("results/run/config.yaml")
        time.sleep(1.1)  # a bucket counts whole seconds
        (output / "1.ckpt").write_bytes(b"other")
        (output / "2.ckpt").write_bytes(b"second")
        uploader.ask()
        wait_for(server, "2.ckpt")
    assert server.read("results/run/1.ckpt") == b"other"
    assert server.written("results/run/config.yaml") == first
    assert server.written("results/run/1.ckpt") > first


def test_copies_of_what_is_there_are_not_sent_again(server: Server, output: Path) -> None:
    """A run that goes on has what an earlier job sent."""
    server.put("results/run/1.ckpt", b"first")
    server.put("results/run/config.yaml", b"lr: 1")
    written = server.written("results/run/1.ckpt")
    os.utime(output / "1.ckpt", (written.timestamp(), written.timestamp()))
    os.utime(output / "config.yaml", (0, 0))
    time.sleep(1.1)
    with uploading(config(server, output), output):
        pass
    assert server.written("results/run/1.ckpt") == written
    assert server.written("results/run/config.yaml") > written  # of another time, so perhaps of another content


def test_a_removed_checkpoint_is_no_failure(server: Server, output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    with uploading(config(server, output), output):
        (output / "1.ckpt").unlink()
    assert server.names("results/run/")[-1] == "config.yaml"
    assert capsys.readouterr().out == f"the results are in s3://{server.bucket}/results/run\n"


def test_results_are_sent_when_the_run_fails(server: Server, output: Path) -> None:
    with pytest.raises(ZeroDivisionError), uploading(config(server, output), output):
        raise ZeroDivisionError
    assert server.names("results/run/") == ["1.ckpt", "config.yaml"]


def test_a_second_interrupt_does_not_wait(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Stuck(backends.Folder):
        """Takes very long."""

        def put(self, path: Path, url: str) -> None:
            time.sleep(1000)

    log.start()
    uploader = Uploader(Stuck(Path("/nowhere")), output, "/nowhere")
    uploader.ask()
    uploader.finish(wait=False)
    line = f"not uploaded to /nowhere: 1.ckpt, config.yaml; see {output}\n"
    assert capsys.readouterr().out == line


def test_a_server_that_comes_back_gets_everything(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(backends.Folder):
        """Fails five times."""

        calls = 0

        def put(self, path: Path, url: str) -> None:
            self.calls += 1
            if self.calls <= 5:
                raise ConnectionResetError("the server is gone")
            super().put(path, url)

    monkeypatch.setattr("mindzoo.utils.storage.upload.WAITS", (0.01, 0.01, 0.01))
    log.start()
    store = Failing(tmp_path)
    uploader = Uploader(store, output, str(tmp_path / "there"))
    uploader.ask()
    until = time.monotonic() + 20
    while store.calls < 5 and time.monotonic() < until:
        time.sleep(0.01)
    uploader.finish()
    out = capsys.readouterr().out
    assert out.count("failed, again in 0.01 s: the server is gone") == 3  # the first file's, the second has one attempt
    assert "could not upload 1.ckpt, config.yaml (the server is gone); the next checkpoint" in out
    assert out.endswith(f"the results are in {tmp_path / 'there'}\n")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["1.ckpt", "config.yaml"]


def test_ranks_that_share_a_folder_upload_it_once(
    server: Server, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.start()
    for rank in (0, 1):
        (output / f"rank_{rank}.log").write_text("lines")
    places = config(server, output)
    with uploading(places, output, ["rank_0.log"]):
        with uploading(places, output, ["rank_1.log"]):
            pass
        assert server.names("results/run/") == ["rank_1.log"]
    assert server.names("results/run/") == ["1.ckpt", "config.yaml", "rank_0.log", "rank_1.log"]
    with uploading(places, output, ["rank_1.log"]):  # the first one has let go of it
        (output / "2.ckpt").write_bytes(b"second")
    assert "2.ckpt" in server.names("results/run/")
    assert "not uploaded" not in capsys.readouterr().out


def test_nothing_is_sent_where_the_results_are_made_in_place(output: Path) -> None:
    for url in ("", str(output.parent)):
        with uploading(Config(url, str(output.parent)), output) as uploader:
            assert uploader is None
