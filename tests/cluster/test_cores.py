"""Cores: what a launcher, the system, a container and the processor itself leave to a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.utils.cluster import cores
from mindzoo.utils.cluster.cores import GROUP_OF_PROCESS, GROUPS, SIBLINGS


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_usable", lambda: list(range(8)))
    monkeypatch.delenv(cores.VARIABLE, raising=False)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1600000 100000\n"}, 8),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, 4),
        ({"a/b/cpu.max": "200000 100000\n", "a/cpu.max": "400000 100000\n"}, 2),
        ({"other/cpu.max": "200000 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu.max": "what is this\n"}, 8),
    ],
)
def test_a_quota_is_kept(tmp_path: Path, files: dict[str, str], wanted: int) -> None:
    write(tmp_path / GROUP_OF_PROCESS, "0::/a/b\n")
    for name, text in files.items():
        write(tmp_path / GROUPS / name, text)
    assert cores.all_cores(tmp_path) == wanted


@pytest.mark.parametrize(("share", "wanted"), [("", 4), ("4", 2), ("1", 1), ("3", 2)])
def test_two_threads_of_one_core_compute_as_one(
    tmp_path: Path, share: str, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cores.VARIABLE, share)
    monkeypatch.setattr(cores, "all_cores", lambda: 8)
    for number in range(8):
        write(tmp_path / SIBLINGS.format(number), f"{number % 4},{number % 4 + 4}\n")
    assert cores.computing_threads(tmp_path) == wanted


def test_where_the_system_says_nothing_every_core_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "all_cores", lambda: 8)
    assert cores.computing_threads(tmp_path) == 8
