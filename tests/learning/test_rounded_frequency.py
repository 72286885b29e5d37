"""How often THOR refreshes its factors, so that it is at the same places of every epoch."""

from __future__ import annotations

import pytest

from mindzoo.utils.learning.thor import rounded_frequency


@pytest.mark.parametrize(
    ("frequency", "steps", "wanted"),
    [
        (834, 5004, 834),
        (834, 5338, 314),  # divisors beside it: 314 and 2669
        (834, 333, 333),  # more than an epoch
        (10, 36, 9),
        (11, 36, 12),
        (15, 20, 10),  # as near as 20
        (5, 7, 7),
        (1, 7, 1),
    ],
)
def test_rounded_frequency(frequency: int, steps: int, wanted: int) -> None:
    found, line = rounded_frequency(frequency, steps)
    assert found == wanted
    assert steps % found == 0
    said = f"frequency {frequency} does not divide the {steps} steps of an epoch: using {wanted}"
    assert line == (None if wanted == frequency else said)


def test_a_frequency_or_an_epoch_of_nothing() -> None:
    for numbers in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match=r"^frequency is \d, steps_per_epoch \d; wanted at least 1$"):
            rounded_frequency(*numbers)
