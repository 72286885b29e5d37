"""Places of a cloud job (`data_url` and the like) beside the folders and files of this machine."""

from __future__ import annotations

import dataclasses
from typing import Any

from mindzoo.utils.config import Loaded
from mindzoo.utils.errors import UserError

STANDS_IN = {"data_url": "data_dir", "eval_data_url": "eval_data_dir", "train_url": "output_dir"}


def settle(loaded: Loaded[Any], checkpoint_key: str) -> Loaded[Any]:
    """Put each `*_url` in the place of the key beside it, where that one is not given.

    Args:
        checkpoint_key: the key that `checkpoint_url` stands in for.

    Raises:
        UserError: a bucket, which cannot be copied yet.
    """
    config, given, remarks = loaded.config, set(loaded.given), list(loaded.remarks)
    for url, name in {**STANDS_IN, "checkpoint_url": checkpoint_key}.items():
        place = getattr(config, url)
        if not place:
            continue
        if "://" in place:
            raise UserError(
                f"{url} is {place}, and buckets cannot be copied yet; copy it to this machine and give --{name}"
            )
        if name in given:
            remarks.append(f"{url} has no effect: {name} is given")
        else:
            config = dataclasses.replace(config, **{name: place})
            given.add(name)
    if config.modelarts:
        remarks.append("modelarts has no effect: copying from and to buckets is not there yet")
    return Loaded(config, frozenset(given), tuple(remarks))
