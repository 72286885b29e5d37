"""Places of a cloud job: buckets and folders beside the paths of this machine.

What is in a bucket is copied to this server before it is used, results are copied out while they are made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.storage import backends, cache, urls
from mindzoo.utils.storage.download import download, restore
from mindzoo.utils.storage.retry import reason
from mindzoo.utils.storage.upload import Uploader, uploading

__all__ = ["Uploader", "fetch", "replace_urls", "uploading"]

STANDS_IN = {"data_url": "data_dir", "eval_data_url": "eval_data_dir", "train_url": "output_dir"}
# What a key names is kept in the folder that `cache_paths` has for it.
INPUTS = {
    "data_dir": "data",
    "eval_data_dir": "eval_data",
    "images": "data",
    "checkpoint": "checkpoint",
    "pretrained": "checkpoint",
    "resume": "checkpoint",
}


def replace_urls(loaded: Loaded[Any], checkpoint_key: str) -> Loaded[Any]:
    """Put each `*_url` in the place of the key beside it, where that one is not given.

    A `train_url` beside an `output_dir` stays: it is where the results are copied to.

    Args:
        checkpoint_key: the key that `checkpoint_url` stands in for.

    Raises:
        UserError: a URL of another kind than obs://, s3:// and file://, and for the checkpoint than https:// and http://.
    """
    config, remarks = loaded.config, list(loaded.remarks)
    given = {name for name in loaded.given if getattr(config, name) != ""}
    for url, name in {**STANDS_IN, "checkpoint_url": checkpoint_key}.items():
        place = getattr(config, url)
        if name != checkpoint_key or not urls.is_web(place):  # what is on the web is no matter of this room
            place = urls.check_url(place, url)
        if not place:
            continue
        if url == "train_url":
            config = dataclasses.replace(config, train_url=place)
        elif name in given:
            remarks.append(f"{url} has no effect: {name} is given")
        if name not in given:
            config = dataclasses.replace(config, **{name: place})
            given.add(name)
    if config.modelarts and not any(urls.is_bucket(str(value)) for value in dataclasses.asdict(config).values()):
        remarks.append("modelarts has no effect: every place is a path of this machine")
    return dataclasses.replace(loaded, config=config, given=frozenset(given), remarks=tuple(remarks))


def fetch(loaded: Loaded[Any], cache_paths: Mapping[str, str]) -> Loaded[Any]:
    """Copy what the configuration names in buckets to this server, and put the paths of the copies in their place.

    The ranks of a server share one copy. With `--resume auto` the earlier results in `train_url` are copied too.

    Args:
        cache_paths: where copies are kept, by kind: "data", "eval_data", "checkpoint", "output".

    Raises:
        UserError: something that cannot be copied, or a `train_url` that cannot be reached.
    """
    config = loaded.config
    modelarts = getattr(config, "modelarts", False)
    names = [name for name in INPUTS if isinstance(getattr(config, name, None), str)]
    places = {name: urls.check_url(getattr(config, name), name) for name in names}
    # What is not installed, not set or not reachable is said before anything is copied.
    stores = {
        name: backends.open_store(url, modelarts=modelarts) for name, url in places.items() if urls.is_bucket(url)
    }
    if hasattr(config, "train_url"):
        config = _output(config, cache_paths["output"])
    for name, store in stores.items():
        kind = INPUTS[name]
        copy = download(store, places[name], cache_paths[kind], changes=kind == "checkpoint")
        places[name] = str(copy)
    return dataclasses.replace(loaded, config=dataclasses.replace(config, **places))


def _output(config: Any, documented: str) -> Any:
    """The configuration with an `output_dir` of this server, and the bucket, if any, in `train_url`."""
    output = urls.check_url(config.output_dir, "output_dir")
    if urls.is_bucket(output):
        config = dataclasses.replace(config, train_url=config.train_url or output)
        output = str(cache.place(output, documented))
    config = dataclasses.replace(config, output_dir=output)
    url = config.train_url
    if url in ("", output):
        return config
    store = backends.open_store(url, modelarts=config.modelarts)
    if getattr(config, "resume", "") == "auto":
        restore(store, url, Path(output))
        return config
    try:
        store.known(url)
    except Exception as error:  # the clients of object storage raise errors of many kinds
        raise UserError(f"train_url is {url}, where nothing can be written: {reason(error)}") from error
    return config
