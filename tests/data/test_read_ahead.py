"""What is read ahead: how much, in which order, and what becomes of errors."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from mindzoo.utils.data.read_ahead import read_ahead


def test_results_come_in_the_order_of_the_items() -> None:
    def read(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return -number

    found = [(number, reading.result()) for number, reading in read_ahead(range(20), read, threads=4, ahead=8)]
    assert found == [(number, -number) for number in range(20)]


@pytest.mark.parametrize("ahead", [0, 3, 100])
def test_no_more_items_are_taken_than_are_read_ahead(ahead: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    reading = read_ahead(items(), abs, threads=2, ahead=ahead)
    assert not taken
    for used in range(1, 11):
        next(reading)
        assert len(taken) == min(used + ahead, 10)
    assert next(reading, None) is None


def test_the_next_ones_are_read_while_one_is_used() -> None:
    read = [threading.Event() for _ in range(6)]
    reading = read_ahead(range(6), lambda number: read[number].set(), threads=1, ahead=2)
    next(reading)
    assert all(event.wait(10) for event in read[:3])
    assert not any(event.is_set() for event in read[3:])


def test_an_error_is_that_of_its_item() -> None:
    found = dict(read_ahead("12x4", int, threads=2, ahead=2))
    assert [found[text].result() for text in "124"] == [1, 2, 4]
    with pytest.raises(ValueError, match="'x'"):
        found["x"].result()


def test_one_that_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    reading = read_ahead(itertools.count(), abs, threads=3, ahead=5)
    next(reading)
    assert threading.active_count() > before
    del reading
    assert threading.active_count() == before
