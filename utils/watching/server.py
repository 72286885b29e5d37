"""Answers a browser: to those who know the token, with pages that are made here, and never with a file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import socket
import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mindzoo.utils.cluster import addresses
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger
from mindzoo.utils.pages import frame
from mindzoo.utils.reports import page
from mindzoo.utils.watching import pages
from mindzoo.utils.watching.runs import WatchedRuns

ONE_RUN = re.compile(r"run/([0-9a-f]{16})(\.json)?")
EVERY_ADDRESS = ("0.0.0.0", "::")
SECONDS = 30  # that a client may take to ask
HTML, JSON = "text/html; charset=utf-8", "application/json"


class Server(ThreadingHTTPServer):
    """Shows some runs at an address of this machine.

    Raises:
        UserError: the address or the port cannot be used.
    """

    daemon_threads = True

    def __init__(self, runs: WatchedRuns, host: str, port: int) -> None:
        self.runs, self.host = runs, host
        self.token = secrets.token_urlsafe(24)
        try:
            self.address_family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            super().__init__((str(place[0]), port), Handler)
        except (OSError, UnicodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no name of a machine"
            hint = "choose another --port, or none to find a free one" if port else "wanted an address of this machine"
            raise UserError(f"port {port} on {host} cannot be used: {said}; {hint}") from None

    @property
    def url(self) -> str:
        """Of the list, with the token."""
        host = socket.gethostname() if self.host in EVERY_ADDRESS else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.server_address[1]}/{self.token}/"

    def server_bind(self) -> None:
        """Without asking for the name of the address, which may take long."""
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Go on. A browser that went away is no error."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            logger.warning("an answer failed: %s: %s", type(error).__name__, error)

    def may_be_called(self, host: str | None) -> bool:
        """Whether a Host header is a name of this server: a page from elsewhere has its own name there, whatever it stands for."""
        try:
            name = urlsplit(f"//{host or ''}").hostname or ""
        except ValueError:
            return False
        if addresses.is_loopback(name):
            return True
        # Beyond loopback: a name can be made to stand for this address by its owner, but a number cannot.
        is_open = not addresses.is_loopback(self.host)
        return is_open and (addresses.is_ip(name) or name in (self.host.lower(), socket.gethostname().lower()))


class Handler(BaseHTTPRequestHandler):
    """One question. The path is the token, and a word of `_answers` or the name of a run."""

    server: Server
    timeout = SECONDS
    server_version, sys_version = "mindzoo", ""

    def do_GET(self) -> None:
        """Answer, or say in a sentence why not."""
        status, kind, text = self._checked()
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in (*HEADERS, ("Content-Type", kind), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", policy())
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for the person, and a path holds the token."""

    def _checked(self) -> tuple[HTTPStatus, str, str]:
        """Status, kind and text of the answer."""
        if not self.server.may_be_called(self.headers.get("Host")):
            return _refused(HTTPStatus.FORBIDDEN, "This server answers under its own names only.")
        try:
            parts = urlsplit(self.path)
        except ValueError:
            return _refused(HTTPStatus.NOT_FOUND, NOTHING)
        if parts.path == "/favicon.ico":  # browsers ask for it unasked, without the token
            return HTTPStatus.NO_CONTENT, HTML, ""
        token, _, rest = parts.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode()):
            said = "The address lacks the token. Open the whole address that mindzoo watch printed, from its terminal."
            return _refused(HTTPStatus.FORBIDDEN, said)
        if self.command != "GET":
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "This server only shows: it takes nothing but GET.")
        try:
            return self._answer(rest, parse_qs(parts.query, max_num_fields=1000))
        except KeyError:
            return _refused(HTTPStatus.NOT_FOUND, NOTHING)
        except UserError as error:
            return _refused(HTTPStatus.NOT_FOUND, str(error))
        except Exception as error:
            logger.warning("an answer failed: %s: %s", type(error).__name__, error)
            return _refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"This went wrong: {type(error).__name__}: {error}")

    def _answer(self, asked: str, query: dict[str, list[str]]) -> tuple[HTTPStatus, str, str]:
        """What is asked for.

        Raises:
            KeyError: there is no such thing.
            UserError: it cannot be read.
        """
        runs = self.server.runs
        if asked == "":
            return HTTPStatus.OK, HTML, pages.of_list(runs)
        if asked == "runs.json":
            return HTTPStatus.OK, JSON, json.dumps(pages.news_of_list(runs, query.get("run", [])))
        found = ONE_RUN.fullmatch(asked)
        if found is None:
            raise KeyError(asked)
        if found[2]:
            return HTTPStatus.OK, JSON, json.dumps(pages.news_of_run(runs, found[1]))
        return HTTPStatus.OK, HTML, pages.of_run(runs, found[1])


NOTHING = "There is nothing at this address. The list of the runs is at the address that mindzoo watch printed."

HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),  # the address holds the token
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def _refused(status: HTTPStatus, said: str) -> tuple[HTTPStatus, str, str]:
    return status, HTML, pages.sentence(said)


def policy() -> str:
    """What a page may do: run our own scripts, by their sums, and ask this server."""
    scripts = _sums(*page.scripts(), pages.script())
    styles = _sums(*(frame.STYLE + more for more in ("", page.style() + pages.style())))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _sums(*texts: str) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
