"""The runner sees what it looks for, and each reader passes some hundred damaged files."""

from __future__ import annotations

import itertools
import math
import runpy
from pathlib import Path

import pytest

from mindzoo.tests.fuzz import runner
from mindzoo.tests.fuzz.target import ALLOWED, Bench, Verdict

FILES = 150

SMALL = """
import os, time
from mindzoo.tests.fuzz.target import Target
from mindzoo.utils.errors import UserError

def read(content):
    if content == b"good":
        return 1
    {what}

TARGET = Target(lambda: [b"good"], read, memory=64 << 20)
"""


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("return 2", Verdict.SILENT),
        ("raise UserError('it is bad')", Verdict.REFUSED),
        ("raise UserError('it', 'is bad')", Verdict.WORDS),
        ("raise KeyError(1)", Verdict.TRACEBACK),
        ("return bytes(1 << 30)", Verdict.TRACEBACK),
        ("os.kill(os.getpid(), 11)", Verdict.DEATH),
        ("time.sleep(60)", Verdict.HANG),
        ("while True: pass", Verdict.HANG),
    ],
)
def test_the_runner_sees(tmp_path: Path, what: str, wanted: Verdict) -> None:
    target = tmp_path / "target_small.py"
    target.write_text(SMALL.format(what=what))
    worker = runner.Worker(target, tmp_path, longest=0.5)
    bad = next(n for n in itertools.count() if Bench(runpy.run_path(str(target))["TARGET"]).damaged(1, n)[1] != b"good")
    try:
        assert [worker.judge(1, bad).verdict for _ in range(2)] == [wanted, wanted]
    finally:
        worker.close()


def test_a_target_that_cannot_read_its_own_files_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "target_bad.py").write_text(SMALL.format(what="raise KeyError(1)").replace('== b"good"', '== b""'))
    with pytest.raises(RuntimeError, match=r"target_bad\.py cannot read its own good files: .*KeyError"):
        runner.run(tmp_path / "target_bad.py", 1, runner.numbers(0, 5), math.inf, 1)


@pytest.mark.parametrize("name", runner.targets())
def test_no_damage_ends_the_process_or_goes_unseen(name: str) -> None:
    count = runner.run(runner.targets()[name], 1, runner.numbers(0, FILES), math.inf, 1)
    assert count.failed == []
    assert count.verdicts.total() == FILES
    assert count.verdicts.keys() <= ALLOWED
    assert len(count.verdicts) > 1
