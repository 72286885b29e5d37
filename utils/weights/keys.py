"""The configuration keys of `mindzoo list-weights`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class ListWeightsConfig:
    """Public weights"""

    network: tuple[str, ...] = key((), "networks whose weights to list; all by default", positional=True)
    json: bool = key(False, "as JSON, with the places where each fact was found")
