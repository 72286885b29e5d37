"""How many threads read images: one for each core of a rank."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.data.workers import worker_count


@pytest.mark.parametrize(("wanted", "cores", "found"), [(0, 4, 4), (0, 64, 32), (3, 4, 3), (9, 4, 4), (40, 64, 40)])
def test_worker_count(monkeypatch: pytest.MonkeyPatch, wanted: int, cores: int, found: int) -> None:
    monkeypatch.delenv("MINDZOO_CORES", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    assert worker_count(wanted) == found


@pytest.mark.parametrize(("share", "wanted", "found"), [("24", 0, 24), ("0", 0, 1), ("3", 5, 5), ("99", 0, 32)])
def test_ranks_of_a_server_share_its_cores(
    monkeypatch: pytest.MonkeyPatch, share: str, wanted: int, found: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 192)
    monkeypatch.setenv("MINDZOO_CORES", share)
    assert worker_count(wanted) == found


def test_the_launcher_says_how_many_cores_a_rank_has(tmp_path: Path) -> None:
    """Before it keeps the rank on its share, so that this is not divided again."""
    code = (
        f"import runpy, os; runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "from mindzoo.utils.launch.job_plan import JobPlan, RankPlan\n"
        "from mindzoo.utils.launch.rank import enter\n"
        f"ranks = [RankPlan(n, {str(tmp_path)!r}, {str(tmp_path / 'log')!r}, '') for n in range(2)]\n"
        f"cores = len(os.sched_getaffinity(0)); plan = JobPlan('', [], 2, ranks, {str(tmp_path)!r}, bind_core=True)\n"
        "enter(plan, ranks[1], 1); assert os.environ['MINDZOO_CORES'] == str(max(cores // 2, 1))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
