"""scripts/hccl_tools.py and scripts/merge_hccl.py, run as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.rank_tables import table, write
from mindzoo.utils.cluster import rank_table
from mindzoo.utils.cluster.hccl_tools import merge

CONF = "".join(f"address_{n}=192.168.100.{n + 1}\nnetmask_{n}=255.255.255.0\n" for n in range(16))
# Like the real one: the first line of the answer for device 4 is ipaddr:192.168.200.4.
HCCN_TOOL = """#!/bin/sh
[ "$1 $3 $4" = "-i -ip -g" ] || exit 3
echo "$2" >> "$0.asked"
[ "$2" -lt 8 ] || { echo "no such device"; exit 1; }
echo "ipaddr:192.168.200.$2"
echo "netmask:255.255.255.0"
"""


def run(script: str, *words: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script in the current folder with a bare interpreter: without site-packages, so without MindSpore."""
    tools = os.pathsep.join(filter(None, (str(path or ""), "/usr/bin", "/bin")))
    return subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "scripts" / script), *map(str, words)],
        env={"PATH": tools},
        capture_output=True,
        text=True,
        check=False,
    )


def make(*words: str, conf: str | None = CONF, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run hccl_tools.py with a file of addresses of its own, or none."""
    place = Path("hccn.conf")
    if conf is not None:
        write(place, conf)
    return run("hccl_tools.py", "--hccn_conf", place, *words, path=path)


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A folder with a program called hccn_tool."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write(folder / "hccn_tool", HCCN_TOOL).chmod(0o755)
    return folder


def devices(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(name).read_text(encoding="utf-8"))["server_list"][0]["device"]
    return found


def test_a_table_of_two_devices_to_the_letter() -> None:
    done = make("--device_num", "[0,2)", "--server_ip", "10.0.0.5")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"start {ROOT / 'scripts' / 'hccl_tools.py'}",
        "visible_devices:['0', '1', '2', '3', '4', '5', '6', '7']",
        "server_id:10.0.0.5",
        "device_num_list: [0, 1]",
        "rank_id:0, device_id:0, device_ip:192.168.100.1",
        "rank_id:1, device_id:1, device_ip:192.168.100.2",
        f"Completed: hccl file was save in : {Path.cwd() / 'hccl_2p_01_10.0.0.5.json'}",
    ]
    assert (
        Path("hccl_2p_01_10.0.0.5.json").read_text(encoding="utf-8")
        == """{
    "version": "1.0",
    "server_count": "1",
    "server_list": [
        {
            "server_id": "10.0.0.5",
            "device": [
                {
                    "device_id": "0",
                    "device_ip": "192.168.100.1",
                    "rank_id": "0"
                },
                {
                    "device_id": "1",
                    "device_ip": "192.168.100.2",
                    "rank_id": "1"
                }
            ],
            "host_nic_ip": "reserve"
        }
    ],
    "status": "completed"
}"""
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), "hccl_8p_01234567_10.0.0.5.json"),
        (("--device_num", " [ 4 , 8 ) "), "hccl_4p_4567_10.0.0.5.json"),
        (("--device_num", "[0,16)"), "hccl_16p_0123456789101112131415_10.0.0.5.json"),
    ],
)
def test_the_file_is_named_after_its_devices(words: tuple[str, ...], name: str) -> None:
    done = make("--server_ip", "10.0.0.5", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(name).is_file()
    assert rank_table.faults_of(json.loads(Path(name).read_text(encoding="utf-8"))) == []


def test_physical_devices_are_asked_for_where_logical_ones_differ(tool: Path) -> None:
    words = ("--device_num", "[0,4)", "--visible_devices", "4,5,6,7", "--server_ip", "10.0.0.5")
    done = make(*words, conf=None, path=tool)
    assert (done.returncode, done.stderr) == (0, "")
    found = devices("hccl_4p_0123_10.0.0.5.json")
    assert [(d["rank_id"], d["device_id"], d["device_ip"]) for d in found] == [
        (str(n), str(4 + n), f"192.168.200.{4 + n}") for n in range(4)
    ]
    assert (tool / "hccn_tool.asked").read_text(encoding="utf-8").split() == ["4", "5", "6", "7"]


def test_the_file_of_addresses_is_read_where_the_tool_fails(tool: Path) -> None:
    done = make("--device_num", "[6,10)", "--server_ip", "10.0.0.5", path=tool)
    assert done.returncode == 0
    found = devices("hccl_4p_6789_10.0.0.5.json")
    assert [d["device_ip"] for d in found] == [f"192.168.100.{n}" for n in (7, 8, 9, 10)]


def test_the_address_of_the_host_name_is_the_servers() -> None:
    if not shutil.which("hostname"):
        pytest.skip("no command hostname")
    done = make("--device_num", "[0,1)")
    said = [line for line in done.stdout.splitlines() if line.startswith("server_id:")]
    assert done.returncode == 0
    assert Path(f"hccl_1p_0_{said[0].removeprefix('server_id:')}.json").is_file()


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (("--device_num", "[2,6)", "--server_ip", "10.0.0.5"), "joins devices 0 to 3, and 4 to 7"),
        (("--device_num", "[0,2)", "--server_ip", "127.0.0.1"), "127.0.0.1 is for this server alone"),
    ],
)
def test_what_may_be_a_mistake_is_noted(words: tuple[str, ...], note: str) -> None:
    done = make(*words)
    assert done.returncode == 0
    assert done.stderr.startswith("note: ")
    assert note in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device_num", "8"), 'device_num is 8; wanted a range of devices such as "[0,8)", in quotes'),
        (("--device_num", "[0,17)"), 'device_num is [0,17); wanted "[FIRST,END)" with 0 <= FIRST < END <= 16'),
        (("--device_num", "[-1,4)"), "device_num is [-1,4); wanted"),
        (("--device_num", "[4,4)"), "device_num is [4,4); wanted"),
        (("--visible_devices", "0,x"), "visible_devices is 0,x; wanted numbers of devices such as 4,5,6,7"),
        (("--visible_devices", "0,0"), "visible_devices is 0,0; wanted each device once"),
        (("--visible_devices", "0,1"), "device_num asks for device 7 of those in visible_devices, counted from 0"),
        (("--server_ip", "server"), "server_ip is server; wanted an IP address such as 10.0.0.5"),
    ],
)
def test_wrong_words_are_refused_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    done = make("--server_ip", "10.0.0.5", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1
    assert list(Path.cwd().glob("hccl_*")) == []


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        (None, "hccn_tool is not in PATH, and hccn.conf is not there or cannot be read"),
        (
            "address_0=1.2.3.4\naddress_2=none\n",
            "of device 1, 2, 3: hccn_tool is not in PATH, and hccn.conf has no address_1",
        ),
    ],
)
def test_devices_without_an_address(conf: str | None, said: str) -> None:
    done = make("--device_num", "[0,4)", "--server_ip", "10.0.0.5", conf=conf)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(Path.cwd().glob("hccl_*")) == []


def test_what_the_tool_says_instead_of_an_address_is_repeated(tool: Path) -> None:
    done = make("--device_num", "[8,9)", "--server_ip", "10.0.0.5", conf=None, path=tool)
    assert done.returncode == 2
    assert "hccn_tool -i 8 -ip -g says no such device" in done.stderr


def test_tables_are_merged_in_the_order_given() -> None:
    for network, address in enumerate(("10.0.0.7", "10.0.0.5")):
        content = table(address, count=4)
        for number, device in enumerate(content["server_list"][0]["device"]):
            device["device_ip"] = f"192.168.{network}.{number}"
        write(Path(f"{address}.json"), content)
    done = run("merge_hccl.py", "10.0.0.7.json", "10.0.0.5.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Completed: hccl file was save in : {Path.cwd() / 'hccl_2s_8p.json'}\n"
    merged = json.loads(Path("hccl_2s_8p.json").read_text(encoding="utf-8"))
    assert [*merged] == ["version", "server_count", "server_list", "status"]
    assert merged["server_count"] == "2"
    found = rank_table.read_table("hccl_2s_8p.json")
    assert [server.server_id for server in found.servers] == ["10.0.0.7", "10.0.0.5"]
    assert [found.ranks_of(0), found.ranks_of(1)] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert found.servers[1].devices[0] == rank_table.Device(4, 0, "192.168.1.0")


def test_a_merged_table_can_be_merged_again() -> None:
    write(Path("two.json"), table("10.0.0.5", "10.0.0.6"))
    one = table("10.0.0.7", count=1)
    one["server_list"][0]["device"][0]["device_ip"] = "192.168.9.9"
    write(Path("one.json"), one)
    assert run("merge_hccl.py", "two.json", "one.json").returncode == 0
    assert rank_table.read_table("hccl_3s_5p.json").ranks_of(2) == (4,)


def test_a_single_table_is_written_as_it_is() -> None:
    write(Path("one.json"), table("10.0.0.5"))
    assert run("merge_hccl.py", "one.json").returncode == 0
    assert json.loads(Path("hccl_1s_2p.json").read_text(encoding="utf-8")) == table("10.0.0.5")


def test_tables_that_do_not_go_together() -> None:
    write(Path("a.json"), table("10.0.0.5", count=1))
    write(Path("b.json"), table("10.0.0.5", count=1))
    done = run("merge_hccl.py", "a.json", "b.json")
    assert done.returncode == 2
    assert [line.split(", as ")[0].strip() for line in done.stderr.splitlines()] == [
        "error: the table of a.json, b.json together would have faults:",
        "server_list[1].server_id is 10.0.0.5",
        "server_list[1].device[0].device_ip is 192.168.0.1",
    ]
    assert not Path("hccl_2s_2p.json").exists()


def test_a_file_with_a_fault_is_not_merged() -> None:
    write(Path("a.json"), {"group_list": []})
    done = run("merge_hccl.py", "a.json")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: the rank table a.json has a fault:\n  group_list has no groups with an instance_list"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("[" * 100_000, "nests more than 50 levels deep"),
        ('{"server_list": ' + "9" * 5000 + "}", "holds a number of 5,000 characters"),
    ],
)
def test_what_is_no_table_is_not_merged(text: str, said: str) -> None:
    write(Path("good.json"), table("10.0.0.5"))
    write(Path("bad.json"), text)
    done = run("merge_hccl.py", "good.json", "bad.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: the rank table bad.json {said}; make a table with scripts/hccl_tools.py")
    assert len(done.stderr.splitlines()) == 1


def test_a_table_is_read_once_so_that_it_may_come_through_a_pipe() -> None:
    write(Path("one.json"), table("10.0.0.5"))
    with subprocess.Popen(["cat", "one.json"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = merge([Path(f"/dev/fd/{process.stdout.fileno()}")])
    assert found == table("10.0.0.5")


def test_of_many_faults_of_tables_together_ten_are_listed() -> None:
    for number, name in enumerate(("a.json", "b.json")):
        write(Path(name), table(f"10.0.0.{number}", count=16))
    lines = run("merge_hccl.py", "a.json", "b.json").stderr.splitlines()
    assert [len(lines), lines[-1]] == [12, "  and 6 more"]


@pytest.mark.parametrize("script", ["hccl_tools.py", "merge_hccl.py"])
def test_the_scripts_explain_themselves(script: str) -> None:
    done = run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "rank table" in done.stdout
