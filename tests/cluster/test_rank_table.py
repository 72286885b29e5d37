"""What a rank table says, and what is said of one that has faults."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.rank_tables import table, write
from mindzoo.utils.cluster import rank_table
from mindzoo.utils.errors import LONGEST_LINE, UserError

TWO = ("10.0.0.5", "10.0.0.6")
Content = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_server_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVER_ID", raising=False)


def device(content: Content, server: int, number: int) -> Content:
    found: Content = content["server_list"][server]["device"][number]
    return found


def test_servers_devices_and_ranks_of_two_servers(tmp_path: Path) -> None:
    found = rank_table.read_table(write(tmp_path / "t.json", table(*TWO, count=4)))
    assert found.world_size == 8
    assert found.rank_ids == tuple(range(8))
    assert [found.ranks_of(server) for server in (0, 1)] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert [server.server_id for server in found.servers] == [*TWO]
    assert found.servers[1].devices[2] == rank_table.Device(rank_id=6, device_id=2, device_ip="192.168.1.3")


def test_devices_are_sorted_by_rank_where_the_file_is_not(tmp_path: Path) -> None:
    content = table("10.0.0.5", count=3)
    content["server_list"][0]["device"].reverse()
    found = rank_table.read_table(write(tmp_path / "t.json", content))
    assert [(d.rank_id, d.device_id) for d in found.devices_of(0)] == [(0, 0), (1, 1), (2, 2)]


def test_numbers_may_be_numbers_and_device_addresses_absent(tmp_path: Path) -> None:
    devices = [{"device_id": 4, "rank_id": 1}, {"device_id": 5, "rank_id": 0}]
    content = {"server_count": 1, "server_list": [{"server_id": "10.0.0.5", "device": devices}]}
    found = rank_table.read_table(write(tmp_path / "t.json", content))
    assert [d.device_id for d in found.devices_of(0)] == [5, 4]
    assert {d.device_ip for d in found.devices_of(0)} == {""}


def test_a_scheduler_of_clusters_may_name_servers_and_give_addresses_beside(tmp_path: Path) -> None:
    content = {**table("node_0", "node_1"), "version": "1.2"}
    content["server_list"][1]["host_ip"] = "10.0.0.6"
    found = rank_table.read_table(write(tmp_path / "t.json", content))
    assert [server.address for server in found.servers] == ["node_0", "10.0.0.6"]


def put(content: Content, server: int, number: int, **values: Any) -> None:
    device(content, server, number).update(values)


def interleave(content: Content) -> None:
    put(content, 0, 1, rank_id=2)
    put(content, 1, 0, rank_id=1)


FAULTS: list[tuple[Callable[[Content], object], str]] = [
    (lambda t: t.update(server_count="3"), 'server_count is "3", and server_list has 2; wanted the same number'),
    (lambda t: t.update(status="initializing"), 'status is "initializing"; wanted completed'),
    (lambda t: t.update(version="0.1"), 'version is "0.1"; wanted 1.0 or 1.2'),
    (lambda t: t.update(server_list={}), "server_list is an object; wanted a list with an object for each server"),
    (lambda t: t.update(server_list=[]), "server_list is empty; wanted a list"),
    (lambda t: t.pop("server_list"), "server_list is missing"),
    (lambda t: t.update(group_list=t.pop("server_list")), "group_list has no groups with an instance_list; wanted one"),
    (interleave, "server_list[0] has the ranks 0, 2, and others have those between; HCCL wants"),
    (
        lambda t: t["server_list"][0].update(server_id="10.*.*.*"),
        'server_list[0].server_id is "10.*.*.*", a placeholder',
    ),
    (lambda t: t["server_list"].append("10.0.0.7"), "server_list[2] is a text; wanted the object of a server"),
    (lambda t: t["server_list"][1].pop("server_id"), "server_list[1].server_id is missing; wanted the address"),
    (
        lambda t: t["server_list"][1].update(server_id="10.0.0.5"),
        "server_list[1].server_id is 10.0.0.5, as server_list[0].server_id is; wanted each server once",
    ),
    (
        lambda t: t["server_list"][1].update(server_id="127.0.0.1"),
        "server_list[1].server_id is 127.0.0.1, which the other servers cannot reach",
    ),
    (lambda t: t["server_list"][1].pop("device"), "server_list[1].device is missing; wanted a list"),
    (lambda t: t["server_list"][1].update(device=[]), "server_list[1].device is empty; wanted a list"),
    (
        lambda t: device(t, 1, 1).pop("rank_id"),
        "server_list[1].device[1].rank_id is missing; wanted a whole number from 0",
    ),
    (lambda t: put(t, 1, 1, rank_id="-1"), 'server_list[1].device[1].rank_id is "-1"; wanted a whole number'),
    (lambda t: put(t, 1, 1, rank_id=True), "server_list[1].device[1].rank_id is true; wanted a whole number"),
    (lambda t: put(t, 1, 1, rank_id=1.5), "server_list[1].device[1].rank_id is 1.5; wanted a whole number"),
    (
        lambda t: put(t, 1, 1, rank_id="0"),
        "server_list[1].device[1].rank_id is 0, as server_list[0].device[0].rank_id is; wanted each of 0 to 3 once",
    ),
    (
        lambda t: put(t, 1, 1, rank_id="4"),
        "server_list[1].device[1].rank_id is 4, and the table lists 4 devices; wanted each of 0 to 3 once",
    ),
    (
        lambda t: put(t, 1, 1, device_id="0"),
        "server_list[1].device[1].device_id is 0, as server_list[1].device[0].device_id is",
    ),
    (
        lambda t: put(t, 1, 1, device_ip="192.168.0.1"),
        "server_list[1].device[1].device_ip is 192.168.0.1, as server_list[0].device[0].device_ip is",
    ),
    (
        lambda t: put(t, 1, 1, device_ip="192.168.0.300"),
        'server_list[1].device[1].device_ip is "192.168.0.300", which is no IP address',
    ),
    (
        lambda t: device(t, 1, 1).pop("device_ip"),
        "server_list[1].device[1].device_ip is missing, and others have one; wanted it for all devices or for none",
    ),
]


@pytest.mark.parametrize(("spoil", "start"), FAULTS, ids=[start[:60] for _, start in FAULTS])
def test_a_fault_is_a_sentence_with_its_place(tmp_path: Path, spoil: Callable[[Content], object], start: str) -> None:
    content = table(*TWO)
    assert rank_table.faults_of(content) == []
    spoil(content)
    faults = rank_table.faults_of(content)
    assert len(faults) == 1
    assert faults[0].startswith(start)
    with pytest.raises(UserError) as caught:
        rank_table.read_table(write(tmp_path / "t.json", content))
    assert str(caught.value) == f"the rank table {tmp_path / 't.json'} has a fault:\n  {faults[0]}"


@pytest.mark.parametrize("content", [[], "text", 3, None, True])
def test_json_of_another_kind(content: Any) -> None:
    assert [fault.split(";")[1] for fault in rank_table.faults_of(content)] == [" wanted an object with server_list"]


def test_many_faults_are_counted_and_ten_are_listed(tmp_path: Path) -> None:
    content = table(*TWO, count=8)
    for number in range(8):
        put(content, 0, number, rank_id="x")
        put(content, 1, number, device_id=None)
    with pytest.raises(UserError) as caught:
        rank_table.read_table(write(tmp_path / "t.json", content))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("has 16 faults:")
    assert [len(lines), lines[-1]] == [12, "  and 6 more"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": "1.0",}', "is not JSON: "),
        ("", "is empty; make a table with scripts/hccl_tools.py"),
        (" \n", "is empty; make a table with scripts/hccl_tools.py"),
        ('{"version": "1.0" // as ever', "is not JSON: Expecting ',' delimiter at line 1, column 19; "),
        ('{"status": "completed", "status": "initializing"}', 'holds the key "status" twice; '),
    ],
)
def test_a_file_that_is_not_json(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        rank_table.read_table(write(tmp_path / "t.json", text))
    assert f"the rank table {tmp_path / 't.json'} {said}" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(b"\xff\xfe\x00\x81")
    for path, said in (
        (tmp_path / "none.json", "there is no rank table"),
        (tmp_path / "none", "there is no rank table"),
        (tmp_path / "t.json", "is not text in UTF-8"),
    ):
        with pytest.raises(UserError, match=said):
            rank_table.read_table(path)


def loaded(tmp_path: Path, *addresses: str) -> rank_table.RankTable:
    return rank_table.read_table(write(tmp_path / "t.json", table(*addresses)))


def own_address() -> str:
    """An address of this machine that others can reach, or one of its loopback addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def test_this_machine_is_found_by_its_address(tmp_path: Path) -> None:
    address = own_address()
    assert rank_table.local_server(loaded(tmp_path, address)) == 0
    if address != "127.0.0.1":
        assert rank_table.local_server(loaded(tmp_path, "10.255.0.5", address)) == 1


def test_this_machine_is_found_by_the_addresses_of_its_devices(tmp_path: Path) -> None:
    conf = write(tmp_path / "hccn.conf", "address_0=192.168.1.1\n")
    assert rank_table.local_server(loaded(tmp_path, "10.255.0.5", "10.255.0.6"), hccn_conf=conf) == 1


def test_a_table_of_one_server_without_an_address_is_this_machine(tmp_path: Path) -> None:
    assert rank_table.local_server(loaded(tmp_path, "node_0")) == 0


@pytest.mark.parametrize("server_id", ["1", "10.255.0.6"])
def test_server_id_says_which_server_this_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_id: str) -> None:
    monkeypatch.setenv("SERVER_ID", server_id)
    found = loaded(tmp_path, "10.255.0.5", "10.255.0.6")
    assert rank_table.local_server(found) == 1
    assert rank_table.local_server(found, node_rank=0) == 0


@pytest.mark.parametrize(
    ("server_id", "said"),
    [
        ("2", "SERVER_ID is 2, and the rank table .* has 2 servers; wanted 0 to 1"),
        ("10.0.0.9", r"SERVER_ID is 10.0.0.9, which is no server of the rank table .* \(10.255.0.5, 10.255.0.6\)"),
        ("", "this machine is .*, which is no server of the rank table .* say which one it is with SERVER_ID"),
    ],
)
def test_this_machine_is_not_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_id: str, said: str
) -> None:
    monkeypatch.setenv("SERVER_ID", server_id)
    with pytest.raises(UserError, match=said):
        rank_table.local_server(loaded(tmp_path, "10.255.0.5", "10.255.0.6"))


def test_node_rank_beyond_the_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"node_rank is 1, and the rank table .* has 1 server; wanted 0"):
        rank_table.local_server(loaded(tmp_path, "10.255.0.5"), node_rank=1)


def test_reading_a_table_does_not_load_mindspore() -> None:
    code = (
        f"import runpy; runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "import sys, mindzoo.utils.cluster.rank_table\n"
        "print([name for name in ('mindspore', 'numpy', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def one_server(**values: Any) -> str:
    server = {"server_id": "10.0.0.5", "device": [{"device_id": 0, "rank_id": 0}], **values}
    return json.dumps({"server_list": [server]})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[" * 100_000, "nests more than 50 levels deep"),
        ('{"a": ' * 900 + "1" + "}" * 900, "nests more than 50 levels deep"),
        ('{"version": ' + "9" * 5000 + "}", "holds a number of 5,000 characters"),
        ('{"version": 1e999}', "holds the number 1e999, which is too large"),
        (one_server(device=[{"device_id": "9" * 5000, "rank_id": 0}]), "device_id is \"9999"),
        (one_server(device=[{"device_id": 10**99, "rank_id": 0}]), "device_id is 1000"),
        (one_server(device=[{"device_id": 0, "rank_id": 2**70}]), "rank_id is 1180"),
        (one_server(device=[{"device_id": 0, "rank_id": 0}] * 257), "lists 257 devices; wanted 256 at most"),
        (one_server(device={"0": [[]]}), "device is an object; wanted a list"),
        (one_server(device=[{"device_id": [0], "rank_id": {}}]), "device_id is [0]; wanted a whole number"),
        (one_server(device=[{"device_id": 0, "rank_id": 0, "device_ip": ["10.0.0.5"]}]), "which is no IP address"),
        (one_server(device=[{"device_id": 0, "rank_id": 0, "device_ip": "::1%" + "x" * 99}]), "which is no IP address"),
        (one_server(device=[{"device_id": 0, "rank_id": 0, "device_ip": "::1%a\nb"}]), "which is no IP address"),
        (one_server(server_id="a" * 256), "server_id is"),
        (one_server(server_id=["10.0.0.5"]), "server_id is [\"10.0.0.5\"]; wanted the address"),
        (json.dumps({"server_list": [{}] * 20_001}), "server_list has 20,001 servers; wanted 20,000 at most"),
        (json.dumps({"server_list": [0], "version": [[["1.0"]]], "status": {}}), "has 3 faults"),
        (" " * 10_000_001, "has more than 10,000,000 bytes"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_in_short_lines(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        rank_table.read_table(path)
    assert part in str(caught.value)
    assert max(map(len, str(caught.value).splitlines())) <= LONGEST_LINE + 2
    assert time.monotonic() - started < 2


def test_a_table_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert rank_table.read_table(write(tmp_path / "t.json", "\ufeff" + json.dumps(table(*TWO)))).world_size == 4


def test_names_of_servers_are_looked_up_for_some_seconds_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_table, "SECONDS_FOR_NAMES", 0.0)
    found = loaded(tmp_path, *(f"server-{number}.invalid" for number in range(200)))
    started = time.monotonic()
    with pytest.raises(UserError, match=r"which is no server of the rank table .* and 195 more\)") as caught:
        rank_table.local_server(found)
    assert len(str(caught.value)) <= LONGEST_LINE
    assert time.monotonic() - started < 10
