"""URLs of places: s3://bucket/key and obs://bucket/key are buckets, file:///path is a path of this machine, https is the web."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote

from mindzoo.utils.errors import UserError

BUCKETS = ("obs", "s3")
WEB = ("https", "http")


def scheme(place: str) -> str:
    """`s3` of s3://bucket/key; nothing for a path."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", place)
    return found[1].lower() if found else ""


def is_bucket(place: str) -> bool:
    return scheme(place) in BUCKETS


def is_web(place: str) -> bool:
    return scheme(place) in WEB


def check_url(place: str, key: str) -> str:
    """A path of this machine, or the URL of a bucket as it is.

    Args:
        key: the configuration key that held `place`, for the error.

    Raises:
        UserError: another kind of URL, or a bucket without a name.
    """
    kind = scheme(place)
    if kind == "file":
        host, slash, path = place[len("file://") :].partition("/")
        if host not in ("", "localhost"):
            raise UserError(f"{key} is {place}, a file of the machine {host}; wanted file:///PATH, or the path itself")
        return unquote(slash + path)
    if kind and kind not in BUCKETS:
        raise UserError(f"{key} is {place}; wanted a path, or a URL that starts with obs://, s3:// or file://")
    if kind and not split(place)[0]:
        raise UserError(f"{key} is {place}, which names no bucket; wanted {kind}://BUCKET/PATH")
    return place


def split(url: str) -> tuple[str, str]:
    """("bucket", "a/b") of s3://bucket/a/b/."""
    bucket, _, path = url.split("://", 1)[1].partition("/")
    return bucket, path.strip("/")


def join(url: str, name: str) -> str:
    """The URL, or the path, of what is called `name` inside `url`; `url` itself where `name` is empty or a dot."""
    return url.rstrip("/") if name in ("", ".") else f"{url.rstrip('/')}/{name}"


def base_name(url: str) -> str:
    """`b` of s3://bucket/a/b, `bucket` of s3://bucket."""
    return url.rstrip("/").rsplit("/", 1)[-1]


def folder_name(url: str) -> str:
    """A name for the folder of a copy of `url`, which no other URL has: `b-1f3a9c02` of s3://bucket/a/b."""
    # Of four bytes each, so many characters and the rest are no longer than a name may be.
    return f"{base_name(url)[:60]}-{hashlib.sha256(url.rstrip('/').encode()).hexdigest()[:8]}"
