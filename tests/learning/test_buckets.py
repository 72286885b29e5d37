"""How factors are split into buckets; that ranks average them is in test_thor.py."""

from __future__ import annotations

import pytest

from mindzoo.utils.learning.buckets import split_at


@pytest.mark.parametrize(
    ("count", "last", "wanted"),
    [
        (54, (26, 53), [27, 27]),
        (107, (26, 53), [27, 27, 53]),
        (3, (26, 53), [3]),
        (3, (), [3]),
        (3, (1, 0, 1), [1, 1, 1]),
        (1, (0,), [1]),
    ],
)
def test_split_at(count: int, last: tuple[int, ...], wanted: list[int]) -> None:
    assert split_at(count, last) == wanted
