"""Runs that are watched over the real server, while they grow, break and vanish."""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from mindzoo import cli
from mindzoo.tests.reports.runs import write_run
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.reports.reading import Run, read_run
from mindzoo.utils.watching import pages, runs, summary, watch
from mindzoo.utils.watching.keys import WatchConfig
from mindzoo.utils.watching.runs import WatchedRuns, identity_of
from mindzoo.utils.watching.server import Server

HOSTILE = "<script>alert(1)</script>'\"\n\udcff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path / "all" / "first")
    write_run(tmp_path / "all" / "deep" / "second", wrong=3)
    return tmp_path / "all"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with watch.opened(WatchConfig((str(folder),))) as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def text_of(server: Server, asked: str = "") -> str:
    with urlopen(server.url + asked, timeout=20) as answer:
        return str(answer.read().decode())


def news_of(server: Server, asked: str) -> dict[str, Any]:
    found = json.loads(text_of(server, asked))
    assert isinstance(found, dict)
    return found


def rows_of(server: Server) -> dict[str, list[str]]:
    return {row["run"]: row["cells"] for row in news_of(server, "runs.json")["rows"]}


def asked(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    parts = urlsplit(server.url)
    line = http.client.HTTPConnection(parts.netloc, timeout=20)
    line.request(method, path, headers=headers)
    answer = line.getresponse()
    found = answer.status, answer.read().decode(), answer.headers
    line.close()
    return found


def add(run: Path, text: str) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write(text)


def test_a_run_that_grows(server: Server, folder: Path) -> None:
    run = folder / "first"
    address = f"run/{identity_of(run)}"
    page, before = text_of(server, address), news_of(server, f"{address}.json")
    assert before["shape"] in page
    line = '{"kind": "epoch", "epoch": 3, "epochs": 9, "mean_loss": 0.5, "lr": 0.1}\n'
    add(run, line[:30])
    assert news_of(server, f"{address}.json") == before, "half a line is no news"
    add(run, line[30:])
    after = news_of(server, f"{address}.json")
    assert after["shape"] == before["shape"], "a value more is no reason to fetch the page anew"
    assert after["charts"][0]["columns"][1] == [2.5, 1.25, 0.833333, 0.5]
    assert "<b>4</b><small><bdi>of 9</bdi>" in after["cards"]
    add(run, '{"kind": "evaluation", "epoch": 3, "top1": 70, "top5": 70, "total": 70, "k": 5, "loss": 0.1}\n')
    ended = news_of(server, f"{address}.json")
    assert ended["shape"] != before["shape"]
    assert ended["shape"] in text_of(server, address)
    assert rows_of(server)[identity_of(run)][2:5] == ["4 of 9", "100.00%", "0.5"]


def test_runs_that_come_and_go(server: Server, folder: Path) -> None:
    shown = text_of(server)
    assert all(f"run/{identity_of(folder / name)}" in shown for name in ("first", "deep/second"))
    assert "<bdi>deep/second</bdi>" in shown
    write_run(folder / "deep" / "third")
    third = identity_of(folder / "deep" / "third")
    assert third in rows_of(server)
    shutil.rmtree(folder / "deep" / "third")
    assert "vanished" in rows_of(server)[third][1]
    told = news_of(server, f"run/{third}.json")
    assert "not there any more" in told["state"]
    assert "charts" not in told
    status, said, _ = asked(server, urlsplit(server.url).path + f"run/{third}")
    assert status == 404
    assert "cannot be read any more" in said


def test_curves_over_each_other(server: Server, folder: Path) -> None:
    both = "&".join(f"run={identity_of(folder / name)}" for name in ("first", "deep/second"))
    told = news_of(server, f"runs.json?{both}&run=../../etc/passwd&run={'0' * 16}")
    assert [series["name"] for series in told["charts"][1]["series"]][::2] == ["first top-1", "second top-1"]
    assert told["curves"].count('type="checkbox"') == 2
    assert news_of(server, "runs.json")["charts"] == []


def test_damaged_files_are_a_sentence(server: Server, folder: Path) -> None:
    (folder / "first" / "metrics.jsonl").write_bytes(b"\xff\x00{\n[[\n" * 3)
    (folder / "deep" / "second" / "metrics.jsonl").unlink()
    (folder / "deep" / "second" / "metrics.jsonl").mkdir()
    for name in ("environment.json", "config.yaml"):
        (folder / "first" / name).write_text("{")
    shown = text_of(server, f"run/{identity_of(folder / 'first')}")
    assert "6 lines of metrics.jsonl cannot be read: left out" in shown
    assert "Traceback" not in shown
    assert "metrics.jsonl is no file" in text_of(server, f"run/{identity_of(folder / 'deep' / 'second')}")
    assert [cells[2] for cells in rows_of(server).values()] == ["-", "-"]


def test_without_the_token_nothing_is_said(server: Server, folder: Path) -> None:
    right = urlsplit(server.url).path
    for path in ("/", "/runs.json", "/wrong/", f"/{right[2:]}", "//", "/%00/", f"/%C3%A9{right}"):
        status, said, _ = asked(server, path)
        assert status == 403, path
        assert "lacks the token" in said
        assert "first" not in said
    assert asked(server, "/favicon.ico")[0] == 204
    assert len(server.token) >= 32


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:80", 200), ("evil.example", 403), ("127.0.0.1.evil.example", 403),
     ("localhost@evil.example", 403), ("", 403), ("[", 403), ("192.168.1.1", 403)],
)  # fmt: skip
def test_the_name_that_is_called(server: Server, host: str, status: int) -> None:
    assert asked(server, urlsplit(server.url).path, Host=host)[0] == status


def test_only_get_and_no_paths(server: Server) -> None:
    top = urlsplit(server.url).path
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        status, _, headers = asked(server, top, method)
        assert (status, headers["Allow"]) == (405, "GET")
    for path in (
        "../../etc/passwd",
        "run/../first",
        "run/" + "0" * 16,
        "run/" + "0" * 16 + ".json",
        "first/metrics.jsonl",
    ):
        assert asked(server, top + path)[0] == 404, path


def test_what_a_page_may_do(server: Server) -> None:
    _, _, headers = asked(server, urlsplit(server.url).path)
    allowed = headers["Content-Security-Policy"]
    assert "default-src 'none'" in allowed
    assert "unsafe" not in allowed
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_hostile_names_do_nothing(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    write_run(tmp_path / name)
    (tmp_path / name / "environment.json").write_text(json.dumps({"network": name}))
    watched = WatchedRuns([tmp_path])
    shown = pages.of_list(watched)
    for text in (
        shown,
        pages.of_run(watched, identity_of(tmp_path / name)),
        json.dumps(pages.news_of_list(watched, [])),
    ):
        assert "<script>alert" not in text
        assert text.encode()


def test_a_reader_writes_nothing(server: Server, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    text_of(server)
    text_of(server, f"run/{identity_of(folder / 'first')}")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_whether_a_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_run(run)
    found, now = summary.summary(runs._read(run, with_predictions=False)), time.time()
    assert str(summary.state_of(found, now)) == "going on"
    assert str(summary.state_of(found, now + 3600)).startswith("silent since 20")
    lock = {"host": platform.node(), "pid": os.getpid()}
    (run / ".lock").write_text(json.dumps(lock))
    assert str(summary.state_of(found, now + 3600)) == "going on"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (run / ".lock").write_text(json.dumps({**lock, "pid": gone.pid}))
    assert str(summary.state_of(found, now)).startswith("silent since 20"), "a training that was killed left its lock"
    (run / ".lock").unlink()
    (run / "report.html").write_text("")
    assert str(summary.state_of(found, now)) == "ended"
    (run / "metrics.jsonl").unlink()
    assert str(summary.state_of(found, now)) == "ended", "a training that max_steps ends within its first epoch"
    shutil.rmtree(run)
    assert str(summary.state_of(found, now)) == "vanished"


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        run = tmp_path / f"run{number:03d}"
        run.mkdir()
        (run / "config.yaml").write_text("lr: 0.1\n")
        (run / "metrics.jsonl").write_text('{"kind": "epoch", "epoch": 0, "mean_loss": 1.5}\n')
    watched, read = WatchedRuns([tmp_path]), []

    def noted(folder: Path, **keys: bool) -> Run:
        read.append(folder.name)
        return read_run(folder, **keys)

    monkeypatch.setattr(runs, "read_run", noted)
    assert len(watched.look()) == len(read) == 200
    read.clear()
    add(tmp_path / "run007", '{"kind": "epoch", "epoch": 1, "mean_loss": 1.0}\n')
    assert watched.look()[identity_of(tmp_path / "run007")][0].epoch == 2
    assert read == ["run007"]


def test_the_command(folder: Path) -> None:
    code = (
        "import runpy, signal, sys\n"
        # A job in the background of a shell does not hear Ctrl-C, and hands that on.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "sys.modules['mindspore'] = None\n"
        "from mindzoo.cli import main\n"
        f"raise SystemExit(main(['watch', {str(folder / 'first')!r}]))\n"
    )
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            url = process.stdout.readline().strip()
            with urlopen(url, timeout=20) as answer:
                assert "Most confident mistakes" in answer.read().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 128 + signal.SIGINT
            assert process.stderr.read() == "interrupted\n"
        finally:
            process.kill()


def test_what_cannot_be_watched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for words, said in (
            ([], "no folder is given"),
            ([str(folder / "none")], "is missing"),
            ([str(folder), "--port", port], "choose another --port"),
            ([str(folder), "--host", "192.0.2.1"], "wanted an address of this machine"),
        ):
            assert cli.main(["watch", *words]) == 2
            assert said in capsys.readouterr().err


def test_beyond_loopback_is_warned_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Server, "serve_forever", lambda self: None)
    with caplog.at_level("INFO", logger="mindzoo"):
        watch.run(WatchConfig((str(folder),), host="0.0.0.0"))
    assert caplog.records[0].getMessage().startswith("http://")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert all(word in warning for word in ("plain HTTP", "pictures", "file names"))
    caplog.clear()
    with caplog.at_level("INFO", logger="mindzoo"):
        watch.run(WatchConfig((str(folder),)))
    assert "WARNING" not in {record.levelname for record in caplog.records}


def test_names_beyond_loopback(folder: Path) -> None:
    with watch.opened(WatchConfig((str(folder),), host="0.0.0.0")) as one:
        names = {"10.0.0.7:80": True, socket.gethostname(): True, "localhost": True, "evil.example": False}
        assert {name: one.may_be_called(name) for name in names} == names
