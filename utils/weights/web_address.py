"""The address of a file on the web, and what it says of the file's content."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mindzoo.utils.errors import UserError
from mindzoo.utils.storage import urls

DIGITS = 64  # of a SHA-256
DIGEST = re.compile(r"sha256=([0-9a-f]{8,64})", re.IGNORECASE)
# PyTorch's files carry the first digits of their SHA-256: resnet50-0676ba61.pth.
IN_NAME = re.compile(r"-([0-9a-f]{8,64})(?:\.\w+)+")
LONGEST_NAME = 100  # characters
WANTED = "wanted the address of a file, such as https://server/folder/name.pth"


@dataclass(frozen=True)
class WebAddress:
    """Where a file is, and the first digits of its SHA-256: 8 to 64 in small letters, or none where nobody says them."""

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """The file's own name, as far as it may be one on this machine."""
        last = unquote(urlsplit(self.url).path).rpartition("/")[2]
        return re.sub(r"[^\w.+-]", "_", last).lstrip(".")[-LONGEST_NAME:] or "weights"

    @property
    def shown(self) -> str:
        """The address for logs: what stands behind a question mark may be a secret."""
        return self.url.partition("?")[0]

    @property
    def text(self) -> str:
        """The address with its digest, as it may be given."""
        return f"{self.url}#sha256={self.sha256}" if self.sha256 else self.url

    @property
    def folder_name(self) -> str:
        """A name for the folder of its copy, which no other address has."""
        return f"{self.name[:60]}-{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"


def parse(word: str, key: str) -> WebAddress:
    """The address that a word means, with the digest behind its # or in the name of the file.

    Args:
        key: what holds the word, for the error.

    Raises:
        UserError: no address of a file on the web, one with a password, or something else than a digest behind the #.
    """
    shown = word.partition("?")[0]
    try:
        parts = urlsplit(word)
        host, port = parts.hostname, parts.port
        server = (host or "").encode("idna").decode()
    except ValueError:  # of the port or of an address of IPv6; and what IDNA does not know
        raise UserError(f"{key} is {shown}, which is no address; {WANTED}") from None
    if parts.scheme not in urls.WEB or not host:
        raise UserError(f"{key} is {shown}; {WANTED}")
    if parts.username is not None:
        raise UserError(f"{key} is an address with a user's name in it, which would get into logs; wanted it without")
    digest = DIGEST.fullmatch(parts.fragment)
    if parts.fragment and not digest:
        raise UserError(
            f"{key} ends in #{parts.fragment}; wanted #sha256= and the first 8 to {DIGITS} digits of the file's SHA-256"
        )
    server = f"[{server}]" if ":" in server else server
    place = server if port is None else f"{server}:{port}"
    path, query = (quote(part, safe="%/:=&?~+!$,;'@()*[]") for part in (parts.path or "/", parts.query))
    address = WebAddress(urlunsplit((parts.scheme, place, path, query, "")))
    in_name = IN_NAME.search(address.name)
    return WebAddress(address.url, digest[1].lower() if digest else in_name[1] if in_name else "")
