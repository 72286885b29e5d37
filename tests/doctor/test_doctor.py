"""`mindzoo doctor` on this machine, and with faults that are made real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from mindzoo import cli
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.rank_tables import table, write
from mindzoo.utils import environment
from mindzoo.utils.doctor import ascend, host_name, leftovers, machine, table_check
from mindzoo.utils.doctor.ascend import Seen

SUBJECTS = (
    "Python",
    "platform",
    "NumPy",
    "PyYAML",
    "Pillow",
    "MindSpore",
    "devices",
    "driver",
    "CANN",
    "CPU",
    "operators",
    "decoder",
    "engine",
    "rank table",
    "host name",
    "port",
    "disk",
)
AFTER = ("graphs", "lock files", "processes", "variables")


@pytest.fixture(autouse=True)
def _no_variables_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*leftovers.VARIABLES, "ASCEND_HOME_PATH", "ONEDNN_MAX_CPU_ISA", "HCCL_IF_BASE_PORT"):
        monkeypatch.delenv(name, raising=False)


def doctor(*words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run it as in a clone; returns the exit status, and level and text by subject."""
    done = subprocess.run(
        [sys.executable, str(ROOT), "doctor", *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines()[:-1] if not line.startswith("  ")]
    return done.returncode, {line[9:22].strip(): (line[:9].strip(), line[22:]) for line in lines}


@contextmanager
def listening() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen(1)
        yield server.getsockname()[1]


def test_this_machine_is_checked_with_a_line_for_each_thing() -> None:
    status, found = doctor()
    assert [name for name in found if name != "HCCL ports"] == [*SUBJECTS, *AFTER]
    assert {found[name][0] for name in SUBJECTS[:4]} == {"ok"}
    assert found["Python"][1] == ".".join(map(str, sys.version_info[:3]))
    assert status == any(level == "problem" for level, _ in found.values())


@pytest.mark.parametrize(
    ("name", "servers", "level"),
    [
        ("localhost", 2, "warning"),
        ("localhost.localdomain", 2, "warning"),
        ("", 2, "warning"),
        ("Ubuntu", 8, "warning"),
        ("train-03", 2, "ok"),
        ("localhost", 1, "ok"),
    ],
)
def test_a_host_name_that_others_may_have_is_doubted_with_several_servers(name: str, servers: int, level: str) -> None:
    assert host_name.check_host_name(servers, name).level == level


def test_several_real_faults_at_once(tmp_path: Path) -> None:
    content = table("127.0.0.1")
    content["server_list"][0]["device"][1]["rank_id"] = "0"
    broken = write(tmp_path / "broken.json", content)
    with listening() as port:
        words = ("--port", str(port), "--rank_table", str(broken), "--free_gb", "1e9", "--devices", "99")
        status, found = doctor(*words)
    assert status == 1
    assert found["port"] == (
        "problem",
        f"{port} is taken (ss -ltnp 'sport = :{port}' names the process); "
        "end that process, or take another port on all servers with --master_port",
    )
    assert found["rank table"] == ("problem", f"the rank table {broken} has a fault:")
    assert found["disk"][0] == "problem"
    assert "wanted 1e+09" in found["disk"][1]
    assert found["devices"][0] == "problem"
    assert "Ascend devices; wanted 99" in found["devices"][1]


def test_the_command_takes_it_and_refuses_other_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--prot", "1"]) == 2
    assert "unknown flag --prot (did you mean --port?)" in capsys.readouterr().err
    assert cli.main(["--help"]) == 0
    assert "doctor" in capsys.readouterr().out


def bare_python(folder: Path, *packages: Path) -> Path:
    """An interpreter that has no more than the standard library and these packages."""
    site = folder / "site"
    site.mkdir()
    for package in packages:
        (site / package.name).symlink_to(package)
    script = f'#!/bin/sh\nPYTHONPATH="{site}" exec "{sys.executable}" -S "$@"\n'
    path = write(folder / "python", script)
    path.chmod(0o755)
    return path


def test_it_runs_where_mindspore_and_numpy_are_missing(tmp_path: Path) -> None:
    installed = Path(str(yaml.__file__)).parent
    python = bare_python(tmp_path, installed, *installed.parent.glob("[Pp]y[Yy][Aa][Mm][Ll]-*.dist-info"))
    done = subprocess.run([python, ROOT, "doctor"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "problem  NumPy        mindzoo needs numpy" in done.stdout
    assert "problem  Pillow       mindzoo needs pillow>=11.3; it is not installed" in done.stdout
    assert "problem  MindSpore    mindzoo needs MindSpore 2.8 to 2.10, which is not installed" in done.stdout
    assert "problem  devices      MindSpore cannot be imported: it is not installed" in done.stdout
    assert "ok       disk" in done.stdout


def test_it_says_so_where_even_its_own_flags_cannot_be_read(tmp_path: Path) -> None:
    done = subprocess.run([bare_python(tmp_path), ROOT, "doctor"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    said = "problem: mindzoo needs numpy, pyyaml, pillow and mindspore, which are not installed: run pip install "
    assert done.stderr.startswith(said)


def test_a_mindspore_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(bare_python(tmp_path)))
    found = next(iter(ascend.check_ascend(0, tmp_path)))
    assert found.level == "problem"
    assert "MindSpore cannot be imported: ModuleNotFoundError: No module named 'mindspore'; mend" in found.text


def test_a_newer_mindspore_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_version_text", lambda name: "2.11.0" if name == "mindspore" else "1.26.4")
    found = {finding.subject: finding for finding in machine.check_versions()}
    assert found["MindSpore"].level == "warning"
    assert "tested up to MindSpore 2.10; found 2.11.0" in found["MindSpore"].text


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A folder like /dev with the nodes of devices 0, 1 and 10."""
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in ("davinci0", "davinci10", "davinci1", "davinci_manager"):
        (folder / name).touch()
    return folder


def test_nodes_of_devices(nodes: Path) -> None:
    assert environment.device_numbers(nodes) == [0, 1, 10]


@pytest.mark.parametrize(
    ("seen", "wanted", "level", "text"),
    [
        (Seen(ascend=3), 0, "ok", "MindSpore sees 3 Ascend devices"),
        (Seen(), 0, "problem", "there are 3 Ascend devices (.*davinci0, ...), and MindSpore sees none; source set_env"),
        (Seen(ascend=3), 8, "problem", "MindSpore sees 3 Ascend devices; wanted 8"),
    ],
)
def test_devices_that_mindspore_sees(nodes: Path, seen: Seen, wanted: int, level: str, text: str) -> None:
    found = ascend.check_devices(seen, environment.device_numbers(nodes), wanted, nodes)
    assert found.level == level
    assert found.text.replace(str(nodes), "").startswith(text.replace(".*", "/"))


def test_devices_that_may_not_be_opened(nodes: Path) -> None:
    (nodes / "davinci1").chmod(0)
    if os.access(nodes / "davinci1", os.R_OK):
        pytest.skip("root may open everything")
    assert "may not open" in ascend.check_devices(Seen(ascend=3), [0, 1, 10], 0, nodes).text


def npu_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    folder.mkdir()
    write(folder / "npu-smi", f"#!/bin/sh\n{body}\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_driver_and_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "driver"
    driver.mkdir()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert ascend.check_driver([], driver).level == "ok"
    assert "version.info is missing" in ascend.check_driver([0], driver).text
    write(driver / "version.info", "Version=25.3.rc1\nascendhal_version=7.35.23\n")
    assert "25.3.rc1 is installed, and there is no node of a device" in ascend.check_driver([], driver).text
    assert "npu-smi is not in PATH" in ascend.check_driver([0], driver).text
    npu_smi(tmp_path / "good", monkeypatch, '[ "$1" = info ]')
    assert ascend.check_driver([0], driver).text == "25.3.rc1, and npu-smi answers"
    npu_smi(tmp_path / "bad", monkeypatch, "echo dcmi module initialize failed. ret is -8005; exit 13")
    found = ascend.check_driver([0], driver)
    assert found.level == "problem"
    assert "npu-smi info fails: dcmi module initialize failed. ret is -8005" in found.text


def test_cann_and_what_mindspore_asks_for(tmp_path: Path) -> None:
    info = tmp_path / "compiler" / "version.info"
    info.parent.mkdir()
    seen = Seen(ascend=8, cann=("8.3", "8.5"))
    assert ascend.check_cann(seen, [], "").level == "ok"
    assert "ASCEND_HOME_PATH is not set; source set_env.sh" in ascend.check_cann(seen, [0], "").text
    assert "names no version" in ascend.check_cann(seen, [0], str(tmp_path)).text
    write(info, "Version=8.5.0.1\n")
    assert ascend.check_cann(seen, [0], str(tmp_path)).text == f"8.5.0.1 at {tmp_path}"
    write(info, "Version=7.0.0\n")
    found = ascend.check_cann(seen, [0], str(tmp_path))
    assert (found.level, found.text[:56]) == ("warning", "7.0.0; this MindSpore asks for one of 8.3, 8.5: install ")


def test_mindspore_says_which_cann_it_asks_for() -> None:
    seen = ascend.ask_mindspore()
    assert seen.cann
    assert all(version.replace(".", "").isdecimal() for version in seen.cann)


@pytest.mark.parametrize(
    ("flags", "limit", "level", "text"),
    [
        ("fma avx2", "", "ok", "cores"),
        ("avx2 avx512f", "", "ok", "AVX-512; ONEDNN_MAX_CPU_ISA=AVX2 will be set"),
        ("avx2 avx512f", "AVX2", "ok", "ONEDNN_MAX_CPU_ISA=AVX2 is set"),
        ("avx2 avx512f", "avx512_core", "warning", "ONEDNN_MAX_CPU_ISA is avx512_core, with which 3x3"),
        ("avx2 avx512f", "DEFAULT", "warning", "ONEDNN_MAX_CPU_ISA is DEFAULT"),
    ],
)
def test_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, limit: str, level: str, text: str
) -> None:
    monkeypatch.setattr(environment, "_version_text", lambda _: "2.10.0")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    found = machine.check_cpu(write(tmp_path / "cpuinfo", f"processor : 0\nflags : {flags}\n"))
    assert found.level == level
    assert text in found.text


def test_ports() -> None:
    with listening() as port:
        assert machine.check_port(port, needed=True).level == "problem"
        assert machine.check_port(port, needed=False).level == "warning"
        found = machine.check_hccl_ports(range(port, port + 1))
        assert (found.level, found.text.split(" are taken")[0]) == ("warning", f"of {port} to {port} {port}")
    assert machine.check_port(port, needed=True).text == f"{port} is free"


def test_hccl_ports_begin_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCCL_IF_BASE_PORT", "41000")
    assert "41000 to 41015" in machine.check_hccl_ports().text
    monkeypatch.setenv("HCCL_IF_BASE_PORT", "65530")
    assert machine.check_hccl_ports().text == "HCCL_IF_BASE_PORT is 65530; wanted 1024 to 65520"


def test_the_disk(tmp_path: Path) -> None:
    assert machine.check_disk(str(tmp_path / "not" / "yet"), 0).text.endswith(f"free in {tmp_path}")
    file = write(tmp_path / "file", "")
    assert machine.check_disk(str(file), 0).text.startswith(f"{file} is a file")
    (tmp_path / "closed").mkdir(mode=0o500)
    if not os.access(tmp_path / "closed", os.W_OK):
        assert "may not write to" in machine.check_disk(str(tmp_path / "closed"), 0).text


def checked(path: Path, nodes: Path, conf: str = "") -> table_check.Checked:
    return table_check.check_table(str(path), 0, nodes, write(path.with_name("hccn.conf"), conf))


def test_a_rank_table_of_this_machine(nodes: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", table("10.0.0.5", "10.0.0.6"))
    found = checked(path, nodes, "address_0=192.168.0.1\naddress_1=192.168.0.2\n")
    assert (found.servers, found.finding.level) == (2, "ok")
    assert found.finding.text == "4 ranks on 2 servers; this is server 0, with ranks 0, 1"


def test_a_rank_table_that_is_not_of_this_machine(nodes: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", table("10.0.0.5", count=4))
    found = checked(path, nodes).finding
    assert (found.level, found.text.split(",")[0]) == ("problem", "this server has no device 2")
    moved = checked(path, nodes, "address_1=192.168.7.7\n").finding
    assert moved.level == "problem"
    assert "device 1 is at 192.168.0.2 in" in moved.text
    assert "and at 192.168.7.7 in hccn.conf; make a table" in moved.text
    cpu = checked(path, tmp_path / "none").finding
    assert (cpu.level, cpu.text.split("; ")[-1]) == (
        "warning",
        "it has no Ascend device, and the ranks can run on its CPU only",
    )


def test_the_rank_table_of_the_variable_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert table_check.check_table("").finding.level == "ok"
    monkeypatch.setenv("RANK_TABLE_FILE", str(tmp_path / "gone.json"))
    found = table_check.check_table("").finding
    assert found.level == "problem"
    assert found.text.startswith(f"there is no rank table {tmp_path / 'gone.json'}")


def test_lock_files(tmp_path: Path) -> None:
    assert leftovers.check_locks(tmp_path).level == "ok"
    (tmp_path / "copy_sync.lock3").touch()
    found = leftovers.check_locks(tmp_path)
    assert (found.level, found.text.split()[0]) == ("warning", str(tmp_path / "copy_sync.lock3"))
    assert leftovers.check_locks().text.endswith("/tmp") or "copy_sync" in leftovers.check_locks().text


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leftovers.check_variables().level == "ok"
    monkeypatch.setenv("SERVER_ID", "1")
    assert leftovers.check_variables().text == "SERVER_ID=1; where they are of an earlier job: unset SERVER_ID"
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    found = leftovers.check_variables()
    assert (found.level, found.text.split(",")[0]) == ("problem", "MS_ROLE is set")


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")


def ended(pid: int) -> bool:
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"):
            return True
        time.sleep(0.05)
    return False


@needs_proc
def test_a_rank_that_lost_its_launcher_is_named() -> None:
    """A shell starts a rank with a child of its own, and ends: the rank is handed to the system's first process."""
    rank = "sh -c 'sleep 60 & echo $$ $!; wait'"
    started = subprocess.Popen(
        ["sh", "-c", f"{rank} & read -r line"],
        env={**os.environ, "MS_ROLE": "MS_WORKER"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdin is not None
    assert started.stdout is not None
    rank_pid, child_pid = map(int, started.stdout.readline().split())
    try:
        held = leftovers.check_processes()
        assert str(rank_pid) not in held.text.split()
        started.stdin.close()
        started.wait(20)
        found = leftovers.check_processes()
        assert found.level == "problem"
        assert str(rank_pid) in found.text.split()
        assert str(child_pid) not in found.text.split()
    finally:
        started.stdout.close()
        for pid in (child_pid, rank_pid):
            os.kill(pid, signal.SIGKILL)
    assert ended(rank_pid)
    assert str(rank_pid) not in leftovers.check_processes().text.split()


@needs_proc
def test_a_job_that_runs_is_said(tmp_path: Path) -> None:
    script = write(tmp_path / "msrun", "import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    job = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert job.stdout is not None
        assert job.stdout.readline() == "up\n"
        found = leftovers.check_processes()
        assert found.level in ("warning", "problem")  # a problem where other ranks run on
        assert found.level == "problem" or "msrun" in found.text
    finally:
        job.kill()
        job.communicate()
