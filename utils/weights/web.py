"""One request for a file on the web: where it leads, what comes, and what went wrong, in words."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Any
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from mindzoo.utils.errors import UserError
from mindzoo.utils.storage import urls
from mindzoo.utils.weights.web_address import WebAddress

SECONDS = 30.0  # without a byte
# A server that sends less than so many bytes in so many seconds is taken for one that stopped.
SLOW_BYTES, SLOW_SECONDS = 50_000, 60.0
BLOCK = 1 << 18  # bytes
# What another attempt may change: too many requests, and a server that is not well.
PASSING = (408, 425, 429, 500, 502, 503, 504)
NO_SUCH_RANGE = 416
MEANINGS = {
    401: "it asks who you are: download the file with what its owner gives you for that, and give its path",
    403: "it does not give this file to you; look at the page of its owner",
    404: "there is no such file; look at the page of its owner",
    407: "the proxy asks who you are; put name and password into the variable https_proxy",
    410: "the file was taken away; look at the page of its owner",
}
FAILURES = (OSError, HTTPException)  # that another attempt may mend


class NoSuchRange(OSError):  # noqa: N818 - nothing went wrong: it is begun anew
    """What was kept of a file is no beginning of what the server has."""


class Response:
    """The answer to a request: the rest of a file from byte `start`, or all of it where that is 0."""

    def __init__(self, raw: HTTPResponse, asked: int) -> None:
        self.raw, headers = raw, raw.headers
        if headers.get("Content-Encoding", "identity") not in ("", "identity"):
            raise UserError(
                "the server sends the file compressed, though it was not asked to; download it by other means"
            )
        self.start = asked if raw.status == 206 else 0
        self.total = _number(headers, "Content-Length", r"(\d+)")  # of the whole file, in bytes; None: nobody says
        if raw.status == 206:
            if _number(headers, "Content-Range", r"bytes (\d+)-\d+/(?:\d+|\*)") != asked:
                raise NoSuchRange("the server sends another part of the file than it was asked for")
            self.total = _number(headers, "Content-Range", r"bytes \d+-\d+/(\d+)")
        # By which the server tells one content of a file from another; a weak tag does not.
        tag = headers.get("ETag", "")
        self.validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")

    def blocks(self) -> Iterator[bytes]:
        """What comes, up to the end of the file.

        Raises:
            OSError, HTTPException: the connection broke, or nothing more comes.
        """
        left = None if self.total is None else self.total - self.start
        came, since = 0, time.monotonic()
        while left != 0:
            block = self._next(BLOCK if left is None else min(BLOCK, left))
            if not block and left:
                raise ConnectionError(f"the connection broke with {left:,} bytes to come")
            if not block:
                return
            yield block
            left = None if left is None else left - len(block)
            came, now = came + len(block), time.monotonic()
            if now - since > SLOW_SECONDS:
                if came < SLOW_BYTES:
                    raise TimeoutError(f"only {came:,} bytes came in {now - since:.0f} s")
                came, since = 0, now

    def _next(self, most: int) -> bytes:
        try:
            return self.raw.read1(most)
        except TimeoutError:
            raise TimeoutError(f"nothing came for {SECONDS:g} s") from None


def opened(address: WebAddress, start: int = 0, validator: str = "") -> Response:
    """Ask for a file, from the byte `start` on where its content is still the one of `validator`; close `raw` of the answer.

    Raises:
        UserError: what another attempt does not change: no such file, no right to it, a certificate that is not valid, a
            redirection that is not safe.
        OSError, HTTPException: what another attempt may change.
    """
    from mindzoo import __version__  # not there yet where doctor looks for what is wrong

    headers = {"User-Agent": f"mindzoo/{__version__}"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    try:
        raw = _opener().open(request.Request(address.url, headers=headers), timeout=SECONDS)
    except HTTPError as error:
        error.close()
        raise _refusal(address, error) from None
    except URLError as error:
        raise _failure(address, error.reason) from None
    try:
        return Response(raw, start)
    except BaseException:
        raw.close()
        raise


def way(address: WebAddress) -> str:
    """' through the proxy HOST:PORT' where the variables name one for this address; without its password."""
    parts = urlsplit(address.url)
    proxy = request.getproxies().get(parts.scheme, "")
    if not proxy or request.proxy_bypass(parts.netloc):
        return ""
    return f" through the proxy {proxy.rpartition('//')[2].rpartition('@')[2].rstrip('/')}"


class _Redirections(request.HTTPRedirectHandler):
    """Follows where a server leads, and never from a connection that is encrypted to one that is not."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in urls.WEB or (before, after) == ("https", "http"):
            fp.close()
            raise UserError(
                f"{req.full_url.partition('?')[0]} leads to {newurl.partition('?')[0]}; wanted one that leads to https"
            )
        # Python 3.10 does not know 308, which means the same for a request without a body.
        return super().redirect_request(req, fp, 307 if code == 308 else code, msg, headers, newurl)

    http_error_308 = request.HTTPRedirectHandler.http_error_302


def _opener() -> request.OpenerDirector:
    """Of http and https alone: no file of this machine can be asked for. Proxies are those of the variables."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(), request.UnknownHandler(), request.HTTPHandler(),
        request.HTTPSHandler(), request.HTTPDefaultErrorHandler(), _Redirections(),
        request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


def _refusal(address: WebAddress, error: HTTPError) -> Exception:
    """What an answer means that is no file."""
    if error.code == NO_SUCH_RANGE:
        return NoSuchRange("the server has not so much of the file")
    said = f"the server answers {error.code} {' '.join(str(error.reason).split())[:100]}"
    if error.code in PASSING:
        return OSError(said)
    meaning = f": {MEANINGS[error.code]}" if error.code in MEANINGS else ""
    return UserError(f"cannot download {address.shown}{way(address)}: {said}{meaning}")


def _failure(address: WebAddress, reason: Any) -> Exception:
    """What it means that there is no answer."""
    host = urlsplit(address.url).hostname
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UserError(
            f"cannot download {address.shown}{way(address)}: the certificate of {host} is not valid ({reason.verify_message}); "
            "where a proxy of yours makes certificates, name its file in the variable SSL_CERT_FILE"
        )
    if isinstance(reason, ssl.SSLError):
        return UserError(
            f"cannot download {address.shown}{way(address)}: {host} does not speak TLS as wanted ({reason.reason or reason})"
        )
    if isinstance(reason, socket.gaierror):
        return OSError(f"the name {host} is not known: no network, or a wrong name ({reason.strerror})")
    if isinstance(reason, TimeoutError):
        return TimeoutError(f"{host} did not answer in {SECONDS:g} s")
    return OSError(reason.strerror or str(reason)) if isinstance(reason, OSError) else OSError(str(reason))


def _number(headers: HTTPMessage, name: str, pattern: str) -> int | None:
    found = re.fullmatch(pattern, headers.get(name, ""))
    return int(found[1]) if found and len(found[1]) <= 18 else None
