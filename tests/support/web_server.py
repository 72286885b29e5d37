"""A server of one file on this machine, which stands for the web: with ranges or without, and with what goes wrong there."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Web:
    """What the server does, and which requests came: (path, Range)."""

    content: bytes = b""
    ranges: bool = True
    tag: str = '"first"'
    breaks: list[int] = field(default_factory=list)  # of the next answers: bytes after which the connection ends
    statuses: list[int] = field(default_factory=list)  # of the next answers, in place of the file
    redirections: dict[str, str] = field(default_factory=dict)  # path -> where it leads
    chunked: bool = False
    stalls: threading.Event | None = None  # after the first byte nothing comes before it is set
    requests: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def asked(self) -> list[str]:
        """The ranges of the requests for the file, "" for all of it."""
        return [asked for path, asked in self.requests if path not in self.redirections]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    web: Web

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        web, asked = self.server.web, self.headers.get("Range", "")
        web.requests.append((self.path, asked))
        if self.path in web.redirections:
            return self._answer(302, {"Location": web.redirections[self.path]})
        if web.statuses:
            return self._answer(web.statuses.pop(0), {})
        start = 0
        if web.ranges and asked and self.headers.get("If-Range", web.tag) == web.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(web.content) > 0:
            return self._answer(416, {"Content-Range": f"bytes */{len(web.content)}"})
        return self._send(web, start)

    def _send(self, web: Web, start: int) -> None:
        rest = web.content[start:]
        self.send_response(206 if start else 200)
        if web.tag:
            self.send_header("ETag", web.tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(web.content) - 1}/{len(web.content)}")
        self.send_header(*(("Transfer-Encoding", "chunked") if web.chunked else ("Content-Length", str(len(rest)))))
        self.end_headers()
        if web.stalls:
            self.wfile.write(rest[:1])
            web.stalls.wait(10)
        elif web.chunked:
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))
        elif web.breaks:
            self.wfile.write(rest[: web.breaks.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(rest)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(name="web")
def web_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """The server; downloads are allowed, and try again soon."""
    monkeypatch.delenv("MINDZOO_OFFLINE", raising=False)
    monkeypatch.setattr("mindzoo.utils.storage.retry.patiently.__defaults__", ((0.01, 0.01, 0.01),))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as web:
        yield web


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Web]:
    """A server on this machine; with a certificate, in a file with its key, it speaks https."""
    server = Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.web = Web(address=f"http{'s' * bool(certificate)}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.web
    finally:
        if server.web.stalls:
            server.web.stalls.set()
        server.shutdown()
        server.server_close()
        thread.join()


def certify(path: Path) -> Path:
    """Write a certificate of 127.0.0.1, which only those trust who are told to, and its key into a file."""
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*new, *named, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path
