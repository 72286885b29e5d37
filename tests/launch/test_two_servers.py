"""Two servers: two network namespaces of this machine, joined by a pair of virtual interfaces."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support import launched, rank_tables
from mindzoo.tests.support.launched import LaunchedJob
from mindzoo.tests.support.trainings import tiny

pytestmark = pytest.mark.slow

ADDRESSES = ("10.231.0.1", "10.231.0.2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    """The names of the two namespaces."""
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces")
    if shutil.which("ip") is None:
        pytest.skip("network namespaces are made with ip; on Debian: apt-get install iproute2")
    names = (f"zoo{os.getpid()}a", f"zoo{os.getpid()}b")
    made = []
    try:
        try:
            for name in names:
                ip("netns", "add", name)
                made.append(name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        ip("link", "add", names[0], "netns", names[0], "type", "veth", "peer", "name", names[1], "netns", names[1])
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in made:
            ip("netns", "delete", name)


def start(server: str, cwd: Path, *words: object) -> LaunchedJob:
    """`mindzoo launch densenet121 train …` on one of the servers, with a folder of its own as its disk."""
    cwd.mkdir()
    command = ["ip", "netns", "exec", server, *launched.LAUNCH, "train", *map(str, words)]
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=launched.environment()
    )
    return LaunchedJob(cwd, process)


def test_a_rank_table_of_two_servers_trains_one_model(servers: tuple[str, str], colors: Path, tmp_path: Path) -> None:
    from mindzoo.models import get_spec
    from mindzoo.utils.checkpoints import checkpoint_file

    table = rank_tables.write(tmp_path / "hccl_2s_2p.json", rank_tables.table(*ADDRESSES, count=1))
    flags = [*tiny(), *launched.SMALL, "--data_dir", colors, "--max_epoch", 1, "--is_save_on_master", 0]
    jobs = [start(name, tmp_path / name, "--rank_table", table, "--", *flags) for name in servers]
    for job in jobs:
        status, printed = job.finish(seconds_to_vanish=10)
        assert status == 0, printed[-3000:]
        assert "tot=13," in printed
    files = [
        next(tmp_path.glob(f"{name}/train_parallel{rank}/output/*/{rank}-1_6.ckpt"))
        for rank, name in enumerate(servers)
    ]
    first, second = (checkpoint_file.read_checkpoint(path, get_spec("densenet121")).weights for path in files)
    assert all(np.array_equal(first[name], second[name]) for name in first if "moving_" not in name)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_ends_both_servers(killed: int, servers: tuple[str, str], colors: Path, tmp_path: Path) -> None:
    common = ["--ranks", 2, "--nodes", 2, "--master_addr", ADDRESSES[0]]
    flags = launched.endless(colors)
    jobs = [
        start(name, tmp_path / name, *common, "--node_rank", number, "--", *flags)
        for number, name in enumerate(servers)
    ]
    for job in jobs:
        job.wait_for("epoch[1]")
    began = time.monotonic()
    os.kill(jobs[killed].pid(killed), signal.SIGKILL)
    ended = [job.finish(seconds_to_vanish=10) for job in jobs]
    assert time.monotonic() - began < 60
    assert all(status for status, _ in ended)
    assert f"rank {killed} failed first, ended by SIGKILL" in ended[killed][1]


def test_a_signal_to_one_server_stops_both_at_one_step(servers: tuple[str, str], colors: Path, tmp_path: Path) -> None:
    common = ["--ranks", 2, "--nodes", 2, "--master_addr", ADDRESSES[0]]
    jobs = [
        start(name, tmp_path / name, *common, "--node_rank", number, "--", *launched.endless(colors))
        for number, name in enumerate(servers)
    ]
    for job in jobs:
        job.wait_for("epoch[1]")
    jobs[1].process.send_signal(signal.SIGTERM)
    ended = [job.finish(seconds_to_vanish=10) for job in jobs]
    assert [status for status, _ in ended] == [143, 143]
    stopped = [re.findall(r"stopped at step (\d+): saved", printed) for _, printed in ended]
    assert len(stopped[0]) == 1
    assert stopped[0] == stopped[1]
