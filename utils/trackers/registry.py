"""The trackers by name; the library of one is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mindzoo.utils.errors import UserError
from mindzoo.utils.trackers.tracker import Tracker

NONE = "none"


def _tensorboard() -> type[Tracker]:
    from mindzoo.utils.trackers.event_files import EventFiles

    return EventFiles


# The library that each needs, mindzoo's extra that brings it, and its class.
TRACKERS: dict[str, tuple[str, str, Callable[[], type[Tracker]]]] = {
    "tensorboard": ("tensorboard", "tb", _tensorboard),
}
NAMES = (NONE, *TRACKERS)


def classes(names: Iterable[str]) -> dict[str, type[Tracker]]:
    """The class of each tracker, each once.

    Raises:
        UserError: the library of one is not installed, or cannot be imported.
    """
    return {name: _class(name) for name in names if name != NONE}


def _class(name: str) -> type[Tracker]:
    library, extra, load = TRACKERS[name]
    try:
        return load()
    except ImportError as error:
        raise UserError(
            f'tracker is {name}, which needs the library {library} ({error}): pip install "mindzoo[{extra}]" '
            f"(or pip install {library}), or give --tracker none"
        ) from None
