"""Two CPU ranks under MindSpore's launcher: one model, every image evaluated once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.conftest import ROOT, tiny


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_two_ranks_train_one_model_and_count_every_image(colors: Path, tmp_path: Path) -> None:
    from mindzoo.models import get_spec
    from mindzoo.utils import checkpoint

    command = [
        str(Path(sys.executable).parent / "msrun"), "--worker_num=2", "--local_worker_num=2", "--join=True",
        f"--master_port={free_port()}", f"--log_dir={tmp_path / 'logs'}", "--cluster_time_out=120",
        str(ROOT / "models" / "densenet121" / "train.py"), *tiny(), "--is_distributed", "1", "--data_dir", str(colors),
        "--batch_size", "3", "--max_epoch", "1", "--is_save_on_master", "0", "--output_dir", str(tmp_path / "out"),
    ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert done.stdout.count("tot=13,") >= 2
    files = [next((tmp_path / "out").glob(f"*/{rank}-1_6.ckpt")) for rank in (0, 1)]
    first, second = (checkpoint.read(path, get_spec("densenet121")).weights for path in files)
    trained = [name for name in first if "moving_" not in name]
    assert len(trained) > 10
    assert all(np.array_equal(first[name], second[name]) for name in trained)
