"""How often ranks talk to each other beside the training step, counted on two CPU ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.training.test_data_parallel import free_port
from mindzoo.tests.training.test_hit_counter import data_of, network_of
from mindzoo.utils import ranks
from mindzoo.utils.runtime import World
from mindzoo.utils.training.hit_counter import HitCounter

# Each rank takes 400 short steps, or long ones, and rank 1 is asked to stop before one of them; then both evaluate.
SCRIPT = """
import json, sys, time
from pathlib import Path
import numpy as np
from mindspore import nn
from mindzoo.tests.training.test_hit_counter import data_of, network_of
from mindzoo.utils import ranks, runtime
from mindzoo.utils.errors import UserError
from mindzoo.utils.training.hit_counter import HitCounter

colors, out = map(Path, sys.argv[1:])
runtime.start("CPU")
world = runtime.join(True, 0, 1)
sums, plain = [0], ranks._sum()
def counted(values):
    sums[0] += 1
    return plain(values)
ranks._sum = lambda: counted
said = {}
for name, seconds, steps, asked in (("short", 0.002, 400, 330), ("long", 1.2, 4, 2)):
    request = runtime.StopRequest()
    stop, sums[0], since = ranks.Stop(world, request), 0, 0.0
    for step in range(1, steps + 1):
        time.sleep(seconds)
        if step == asked and world.rank == 1:
            request.signal = 15
        if stop.after_step():
            break
    said[name] = {"votes": sums[0], "stopped": step}
ranks.wait_for_all(world)
data, sums[0] = data_of(colors / "val", 2, world), 0
counter = HitCounter(network_of(3), 3, world)
result = counter.run(data)
said["evaluation"] = {"batches": data.batches, "sums": sums[0], "result": vars(result)}
by_class = counter.by_class
said["evaluation"]["by_class"] = [by_class.images.tolist(), by_class.hits.tolist(), by_class.said.tolist()]
found = counter.predictions(data)
said["predictions"] = {"hits": int(found.hits.sum()), "shares": found.shares.sum(1).round(4).tolist()}
ranks.check_hosts(world, f"server{world.rank}", world.rank)
ranks.check_hosts(world, "alone", 0)
try:
    ranks.check_hosts(world, "localhost", world.rank)
except UserError as error:
    said["hosts"] = str(error)
large = np.array([2**47 + 1, 3, 0, 2**24 + 1], np.int64)
said["counts"] = ranks.total_counts(world, large + world.rank).tolist()
(out / f"{world.rank}.json").write_text(json.dumps(said))
"""


@pytest.mark.slow
def test_ranks_vote_once_in_a_while_stop_at_one_step_and_add_up_once(colors: Path, tmp_path: Path) -> None:
    (tmp_path / "mindzoo").symlink_to(ROOT)
    script = tmp_path / "talk.py"
    script.write_text(SCRIPT)
    python = Path(sys.executable)
    command = [
        str(python.parent / "msrun"), "--worker_num=2", "--local_worker_num=2", "--join=True", "--cluster_time_out=120",
        f"--master_port={free_port()}", f"--log_dir={tmp_path / 'logs'}", str(script), str(colors), str(tmp_path),
    ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second
    # With a vote after each step these were 332 and 4.
    assert first["short"]["votes"] <= 332 / 10
    assert 330 < first["short"]["stopped"] <= 330 + ranks.MOST_STEPS + 1
    assert first["long"]["stopped"] == 3
    assert first["evaluation"]["batches"] == 4  # a sum for each, before
    assert first["evaluation"]["sums"] == 1
    assert first["evaluation"]["result"]["total"] == 13
    alone = HitCounter(network_of(3), 3, World())
    assert first["evaluation"]["result"] == pytest.approx(vars(alone.run(data_of(colors / "val", 2))), abs=1e-6)
    assert first["evaluation"]["by_class"] == [
        getattr(alone.by_class, of).tolist() for of in ("images", "hits", "said")
    ]
    assert first["predictions"] == {"hits": first["evaluation"]["result"]["top1"], "shares": [1.0] * 13}
    assert first["hosts"].startswith(
        "servers 0 and 1 have one host name (this one is localhost), by which ranks are told"
    )
    assert first["counts"] == [2**48 + 3, 7, 1, 2**25 + 3]


def test_counts_of_one_rank_are_its_own() -> None:
    counts = np.array([2**40, 0, 5], np.int64)
    assert ranks.total_counts(World(), counts) is counts
