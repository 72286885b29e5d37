"""Launching, short of starting anything: layout of the ranks, ports, folders, flags, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mindzoo import cli
from mindzoo.models import get_spec
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils import log
from mindzoo.utils.cluster import ports
from mindzoo.utils.config import reading
from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import job_plan as plans
from mindzoo.utils.launch import launcher, layout, processes, rank, report, supervisor
from mindzoo.utils.launch.job_plan import JobPlan, RankPlan
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.launch.layout import Layout


@pytest.fixture(autouse=True)
def _no_log() -> Iterator[None]:
    yield
    log.stop()


def launch(*words: str) -> int:
    """`mindzoo launch densenet121 …` in this process; its exit status."""
    return cli.main(["launch", "densenet121", *words])


def write_table(path: Path, *servers: tuple[str, list[int]]) -> str:
    """A rank table of servers (address, device ids)."""
    rank_ids = iter(range(99))
    listed = [
        {"server_id": address, "device": [{"device_id": str(d), "rank_id": str(next(rank_ids))} for d in devices]}
        for address, devices in servers
    ]
    content = {"version": "1.0", "server_count": str(len(listed)), "server_list": listed, "status": "completed"}
    path.write_text(json.dumps(content))
    return str(path)


def test_one_rank_by_default() -> None:
    assert layout.lay_out(LaunchConfig()) == Layout(1, (0,), (0,), 1, 0, "127.0.0.1")


def test_as_many_ranks_as_devices() -> None:
    assert layout.lay_out(LaunchConfig(devices=(4, 5))) == Layout(2, (0, 1), (4, 5), 1, 0, "127.0.0.1")


def test_counts_of_the_second_of_two_servers() -> None:
    options = LaunchConfig(ranks=4, nodes=2, node_rank=1, master_addr="10.0.0.5")
    assert layout.lay_out(options) == Layout(4, (2, 3), (0, 1), 2, 1, "10.0.0.5")


def test_a_table_of_servers_with_unlike_numbers_of_devices(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.json", ("10.0.0.5", [0, 1, 2]), ("10.0.0.6", [6, 7]))
    assert layout.lay_out(LaunchConfig(rank_table=table, node_rank=1)) == Layout(5, (3, 4), (6, 7), 2, 1, "10.0.0.5")


def test_a_table_of_this_machine_alone(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.json", ("127.0.0.1", [0, 1]))
    assert layout.lay_out(LaunchConfig(rank_table=table, ranks=2)) == Layout(2, (0, 1), (0, 1), 1, 0, "127.0.0.1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 3, "nodes": 2}, "3 ranks on 2 servers; wanted a multiple of 2"),
        ({"ranks": 2, "devices": (0, 1, 2)}, "3 devices for 2 ranks on this server; wanted one for each"),
        ({"ranks": 2, "nodes": 2}, "2 servers; wanted --node_rank (from 0) and --master_addr"),
        ({"ranks": 2, "node_rank": 1}, "node_rank is 1 of 1 server; wanted 0 to 0, and --nodes"),
    ],
)
def test_counts_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        layout.lay_out(LaunchConfig(**options))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 8}, "8 ranks were asked for, and the rank table t.json lists 2; ask for as many"),
        ({"nodes": 2}, "2 servers were asked for, and the rank table t.json lists 1"),
        ({"devices": (1, 2)}, "devices has no place beside the rank table t.json, which lists them"),
    ],
)
def test_counts_that_differ_from_the_table(options: dict[str, Any], message: str) -> None:
    table = write_table(Path("t.json"), ("127.0.0.1", [0, 1]))
    with pytest.raises(UserError) as caught:
        layout.lay_out(LaunchConfig(rank_table=table, **options))
    assert message in str(caught.value)


def test_a_free_port_is_found() -> None:
    port = ports.choose_port("127.0.0.1", 0, nodes=1, node_rank=0)
    assert port > 1023
    assert ports.choose_port("127.0.0.1", port, nodes=1, node_rank=0) == port


def test_a_taken_port() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError) as caught:
            ports.choose_port("127.0.0.1", port, nodes=1, node_rank=0)
    assert f"port {port} on 127.0.0.1 cannot be used: Address already in use; choose another" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "nodes", "node_rank", "message"),
    [
        ("127.0.0.1", 2, 0, "master_addr is 127.0.0.1, which other servers cannot reach"),
        ("192.0.2.1", 2, 0, "master_addr 192.0.2.1 is no address of this server, which is server 0"),
    ],
)
def test_addresses_that_cannot_be_met_at(address: str, nodes: int, node_rank: int, message: str) -> None:
    with pytest.raises(UserError) as caught:
        ports.choose_port(address, 0, nodes=nodes, node_rank=node_rank)
    assert message in str(caught.value)


def test_other_servers_need_no_free_port_here() -> None:
    assert ports.choose_port("192.0.2.1", 0, nodes=2, node_rank=1) == ports.SHARED_PORT


def test_relative_paths_are_taken_from_the_callers_folder() -> None:
    spec = get_spec("densenet121")
    Path("my.yaml").write_text("lr: 0.5\n")
    flags = [
        "--data_dir",
        "d",
        "--pretrained=/w.ckpt",
        "--resume",
        "auto",
        "--train_url",
        "obs://b",
        "--output_dir",
        "o",
        "--skip_list",
        "bad.txt",
    ]
    loaded = reading.read_config(spec.train_config, [*flags, "--config_path", "my.yaml"])
    cwd = Path.cwd()
    assert launcher.absolute_paths(loaded, {}) == [
        "--config_path", f"{cwd}/my.yaml", "--data_dir", f"{cwd}/d", "--output_dir", f"{cwd}/o",
        "--skip_list", f"{cwd}/bad.txt",
    ]  # fmt: skip


def test_a_checkpoint_of_an_earlier_job_is_taken_from_where_it_is_now() -> None:
    cwd = Path.cwd()
    flags = ["--pretrained", "train_parallel0/output/a.ckpt", "--output_dir", "train_parallel0/output"]
    loaded = reading.read_config(get_spec("densenet121").train_config, flags)
    moved = {cwd / "train_parallel0": cwd / "earlier_1" / "train_parallel0"}
    assert launcher.absolute_paths(loaded, moved) == [
        "--pretrained", f"{cwd}/earlier_1/train_parallel0/output/a.ckpt",
        "--output_dir", f"{cwd}/train_parallel0/output",
    ]  # fmt: skip


def test_the_name_of_a_recipe_stays_a_name() -> None:
    spec = get_spec("densenet121")
    loaded = reading.read_config(
        spec.train_config, ["--config_path", "digits_cpu.yaml"], recipes=spec.recipes, aliases={}
    )
    assert launcher.absolute_paths(loaded, {}) == []


@pytest.mark.parametrize(
    ("target", "devices", "wanted"),
    [
        ("Ascend", (0, 1), {}),
        ("Ascend", (4, 5), {"ASCEND_RT_VISIBLE_DEVICES": "4,5"}),
        ("", (4, 5), {"ASCEND_RT_VISIBLE_DEVICES": "4,5"}),
        ("GPU", (4, 5), {"CUDA_VISIBLE_DEVICES": "4,5"}),
        ("CPU", (4, 5), {}),
        ("Ascend", (5,), {"DEVICE_ID": "5"}),
    ],
)
def test_devices_that_are_not_the_first_ones(
    target: str, devices: tuple[int, ...], wanted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ASCEND_RT_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    placed = Layout(len(devices), tuple(range(len(devices))), devices, 1, 0, "127.0.0.1")
    assert launcher.devices_environment(LaunchConfig(device_target=target), placed) == wanted


def make_plan(folder: Path, size: int = 2, **more: Any) -> JobPlan:
    ranks = [RankPlan(r, str(folder), str(folder / f"log{r}"), str(folder / "env.log")) for r in range(size)]
    return JobPlan("train.py", ["--lr", "1"], size, ranks, str(folder), **more)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = make_plan(tmp_path, environment={"A": "b"}, done_line="done")
    written.write()
    assert plans.read_plan(written.path) == written


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("RANK_ID", "1", "1"),
        ("MS_NODE_ID", "3", "3"),
        ("PWD", "/work", "/work"),
        ("PATH", "/usr/bin:/bin", "/usr/bin:/bin"),
        ("MS_MASTER_URL", "tcp://me:secret@host:1", "tcp://***@host:1"),
        *(
            (name, "abc", "***")
            for name in [
                "AWS_SECRET_ACCESS_KEY",
                "HTTPS_PROXY",
                "https_proxy",
                "DB_PWD",
                "DB_PASS",
                "GITHUB_PAT",
                "OBS_AK",
                "OBS_SK",
                "DATABASE_URL",
                "HTTP_AUTHORIZATION",
                "SESSION_COOKIE",
                "PIP_INDEX_URL",
                "AWS_ENDPOINT_URL",
                "MS_API_TOKEN",
                "HCCL_PASSWORD",
            ]
        ),
    ],
)
def test_the_log_of_the_environment_shows_what_a_run_depends_on_only(name: str, value: str, wanted: str) -> None:
    assert rank.shown(name, value) == wanted


def test_each_rank_gets_its_share_of_the_cores() -> None:
    code = (
        f"import runpy, os; runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "from mindzoo.utils.launch.rank import bind_core\n"
        "cores = sorted(os.sched_getaffinity(0)); bind_core(1, len(cores)); one = os.sched_getaffinity(0)\n"
        "assert one == ({cores[1]} if len(cores) > 1 else set(cores)), one\n"
        "bind_core(0, 99); assert os.sched_getaffinity(0) == one\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_msrun_is_told_of_table_port_and_servers(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, nodes=2, node_rank=1, master_addr="10.0.0.5", master_port=8118, rank_table="/t.json")
    words = supervisor.command(plan)
    for word in ("--worker_num=2", "--node_rank=1", "--master_addr=10.0.0.5", "--rank_table_file=/t.json"):
        assert word in words
    assert supervisor.environment(plan, "job")["MS_NODE_TIMEOUT"] == "30"
    assert supervisor.environment(dataclasses.replace(plan, nodes=17), "job")["MS_NODE_TIMEOUT"] == "60"
    assert "MS_NODE_TIMEOUT" not in supervisor.environment(make_plan(tmp_path), "job")


@pytest.mark.parametrize(
    ("ended", "signals", "status"),
    [
        ({0: 0, 1: 0}, [], (None, 0)),
        ({1: 2, 0: 137}, [], (1, 2)),
        ({0: 143, 1: 143}, [], (None, 143)),
        ({0: 143, 1: 143}, [signal.SIGINT], (None, 130)),
        ({0: 0, 1: 2}, [signal.SIGTERM], (1, 2)),
        ({0: 0}, [], (None, 1)),
        ({0: 137, 1: 137}, [], (1, 139)),
        ({0: 137, 1: 137}, [signal.SIGTERM], (None, 143)),
    ],
)
def test_the_status_of_the_job_is_that_of_its_ranks(
    tmp_path: Path, ended: dict[int | None, int], signals: list[int], status: tuple[int | None, int]
) -> None:
    saw = "" if signals else "Worker process 12 exit with exception. Error code: -11."
    (tmp_path / "msrun.log").write_text(saw)
    job = supervisor.Job(make_plan(tmp_path), signals=signals)
    job.watch.pids = {0: 11, 1: 12}
    job.watch.ended = ended
    job.cause = job.watch.failed()
    cause, found = job.outcome(1)
    assert (cause and cause.rank, found) == status


def test_what_an_earlier_job_exported_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MS_ROLE", "MS_SCHED")
    monkeypatch.setenv("HCCL_IF_IP", "10.0.0.5")
    environment = supervisor.environment(make_plan(tmp_path, environment={"DEVICE_ID": "5"}), "job")
    assert "MS_ROLE" not in environment
    assert (environment["HCCL_IF_IP"], environment["DEVICE_ID"]) == ("10.0.0.5", "5")


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\n".join(b"line %d" % n for n in range(50)) + b"\r\xff progress\n\n")
    assert report.last_lines(path, 2) == ["line 49", "\ufffd progress"]
    assert report.last_lines(tmp_path / "none") == []


def test_a_follower_shows_what_is_new(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    follower = report.Follower(str(path))
    with open(path, "a") as file:
        file.write("new\n")
    follower.show()
    follower.show()
    assert capsysbinary.readouterr().out == b"new\n"


@pytest.mark.parametrize("level", ["1", "3"])
def test_a_follower_leaves_out_what_the_framework_says_at_the_end(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Unless it was asked for; warnings stay, and so do lines that come in pieces."""
    monkeypatch.setenv("GLOG_v", level)
    path = tmp_path / "log"
    path.write_text("")
    follower = report.Follower(str(path))
    where = "DISTRIBUTED(7,7f63,python):2026-11-27-23:08:14.457.474 [mindspore/ccsrc/tcp_client.cc:367] Start]"
    end = f"[INFO] {where} Event base dispatch success!\n"
    others = (
        f"saved a.ckpt\n[WARNING] {where} Lost.\n[INFO] {where} Lost.\n[ERROR] {where} Event base dispatch success!\n"
    )
    for piece in (others[:40], others[40:] + end[:30], end[30:], "step 3", " done"):
        with open(path, "a") as file:
            file.write(piece)
        follower.show()
    wanted = others + (end if level == "1" else "") + "step 3 done"
    assert capsysbinary.readouterr().out.decode() == wanted


def test_the_processes_of_a_job_are_known_by_its_name() -> None:
    job = f"test{os.getpid()}"
    with subprocess.Popen(["sleep", "60"], env={**os.environ, processes.JOB_VARIABLE: job}) as process:
        assert processes.wait_until(lambda: processes.of_job(job) == [process.pid], 10)
        processes.send([process.pid], signal.SIGKILL)
        assert processes.wait_until(lambda: not processes.is_alive(process.pid), 10)
        assert processes.of_job(job) == []


def test_a_process_ends_with_the_one_that_started_it() -> None:
    code = (
        "import subprocess, os, sys\n"
        "from mindzoo.utils.launch import processes\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=processes.end_with_parent)\n"
        "print(child.pid, flush=True); os._exit(0)\n"
    )
    start = f"import runpy; runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=True, timeout=60)
    assert processes.wait_until(lambda: not processes.is_alive(int(done.stdout)), 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("trian", "--ranks", "2"),
            "launch densenet121 trian: wanted mindzoo launch densenet121 train, finetune, eval, predict or embed",
        ),
        (("train", "--rank", "2"), "unknown flag --rank (did you mean --ranks?)"),
        (
            ("train", "--data_dir", "x"),
            "unknown flag --data_dir; mindzoo launch densenet121 --help lists them all; the flags of the command itself",
        ),
        (("train", "--ranks", "2", "--", "--max_epohc", "3"), "unknown flag --max_epohc (did you mean --max_epoch?)"),
        (("train", "--device_target", "Ascend", "--"), "device_target is Ascend, and MindSpore finds none here"),
        (("eval", "--rank_table", "none.json", "--"), "there is no rank table none.json"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch(*words) == 2
    assert message in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []


def test_the_flags_are_explained() -> None:
    """In a process: what starts a job says this without a job."""
    command = [sys.executable, str(ROOT), "launch", "densenet121", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert "--rank_table" in done.stdout
