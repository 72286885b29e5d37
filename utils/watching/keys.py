"""The configuration keys of `mindzoo watch`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key

HOST = "127.0.0.1"


@dataclass(frozen=True)
class WatchConfig:
    """What is watched, and where it is shown"""

    folders: tuple[str, ...] = key(
        (), "folder of a run, or a folder with any number of runs below it; several may be named", positional=True
    )
    host: str = key(HOST, "address of this machine that answers; others than the default can be reached from elsewhere")
    port: int = key(0, "port that answers; 0: one that is free", minimum=0, maximum=65535)
