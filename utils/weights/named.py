"""What a word for a checkpoint means: a path, an address on the web, or the name of public weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.storage import urls
from mindzoo.utils.weights import public
from mindzoo.utils.weights.web_address import WebAddress, parse

KEYS = ("checkpoint", "pretrained")
WANTED = "wanted a path, an address that starts with https:// or http://, or a name that mindzoo list-weights shows"


def address_of(word: str, specs: Collection[ModelSpec], key: str) -> WebAddress | None:
    """The address on the web that a word stands for; None where it is a path, or the URL of something else.

    A file of this machine that is called as public weights are goes before them.

    Args:
        specs: the networks whose public weights it may name.
        key: what holds the word, for errors.

    Raises:
        UserError: see `web_address.parse` and `public.find`.
    """
    if urls.is_web(word):
        return parse(word, key)
    if urls.scheme(word) or _exists(word):
        return None
    found = public.find(word, specs)
    return found.address if found else None


def local(word: str, specs: Collection[ModelSpec], key: str) -> Path:
    """The path that a word for a checkpoint means; what is on the web is downloaded.

    Raises:
        UserError: it cannot be downloaded, see `download`, or is a URL of another kind.
    """
    address = address_of(word, specs, key)
    if address:
        return _downloaded(address)
    if urls.scheme(word):
        raise UserError(f"{key} is {word}; {WANTED}")
    return Path(word)


def with_addresses(loaded: Loaded[Any], spec: ModelSpec) -> Loaded[Any]:
    """The configuration with addresses in place of names of public weights.

    Raises:
        UserError: see `address_of`; or a training is to go on from an address.
    """
    config = loaded.config
    if urls.is_web(getattr(config, "resume", "")):
        raise UserError(
            f"resume is {config.resume.partition('?')[0]}; a training goes on from a file of this machine or a bucket: download "
            "it, or begin from its weights with --pretrained"
        )
    for key in KEYS:
        word = getattr(config, key, "")
        address = address_of(word, [spec], key) if word else None
        if address:
            config = dataclasses.replace(config, **{key: address.text})
        elif urls.scheme(word) not in ("", "file", *urls.BUCKETS):
            raise UserError(f"{key} is {word}; {WANTED}; or the URL of a bucket")
    return dataclasses.replace(loaded, config=config)


def fetch(loaded: Loaded[Any]) -> Loaded[Any]:
    """The configuration with the paths of copies in place of addresses on the web.

    Raises:
        UserError: a copy cannot be made.
    """
    config = loaded.config
    for key in KEYS:
        word = getattr(config, key, "")
        if urls.is_web(word):
            config = dataclasses.replace(config, **{key: str(_downloaded(parse(word, key)))})
    return dataclasses.replace(loaded, config=config)


def _downloaded(address: WebAddress) -> Path:
    from mindzoo.utils.weights.download import download  # with what speaks to servers, which few commands do

    return download(address)


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # no name that a file may have
        return False
