"""Numbers of images as the source of MindSpore's pipeline."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.paths import ROOT
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


WAITING = """
import sys, time
import runpy
runpy.run_path(sys.argv[1] + "/utils/importable.py", run_name="importable")
import numpy as np
from mindzoo.utils.data import numbers
data = numbers.source(np.arange(3), np.arange(3))
print("ready", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_has_left_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [sys.executable, "-c", WAITING, str(ROOT)]
    with subprocess.Popen(
        words, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        (path,) = tmp_path.glob("mindzoo-*")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        numbers._remove_left.__wrapped__()
        assert path.exists()  # it lives
        other.kill()
    numbers._remove_left.__wrapped__()
    assert not path.exists()
