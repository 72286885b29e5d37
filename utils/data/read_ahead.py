"""Images are read by threads while others are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Found], *, threads: int, ahead: int
) -> Iterator[tuple[Item, Future[Found]]]:
    """Each item, in their order, with what `read` gives of it or raises.

    Args:
        items: are taken one by one, `ahead` of them before they are wanted.
    """
    following: deque[tuple[Item, Future[Found]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            following.append((item, pool.submit(read, item)))
            if len(following) > ahead:
                yield following.popleft()
        yield from following
