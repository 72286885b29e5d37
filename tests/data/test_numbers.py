"""Numbers of images as the source of MindSpore's pipeline."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mindzoo.utils.data import numbers


@pytest.mark.parametrize("writable", [True, False])
def test_numbers_come_in_their_order_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    place = tmp_path / "tmp"
    if writable:
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    given = np.random.RandomState(1).randint(0, 2**31 - 1, (2, 5000))
    data = numbers.source(*given)
    columns = data.batch(5000).create_tuple_iterator(num_epochs=1, output_numpy=True)
    assert list(place.glob("*")) if writable else not place.exists()
    for found, wanted in zip(next(columns), given, strict=True):
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, wanted)
    del data, columns
    gc.collect()
    assert not list(place.glob("*"))
