"""Rank tables as they are published or written by platforms, with other values, are read or refused rightly.

In `tables/`: of the zoo's hccl_tools.py; HCCL's documents, template 1 and the older template 2; MindSpore's first
tutorials; ModelArts (jobstart_hccl.json, pods out of order); CANN's documents on super pods; the operator for Kubernetes;
an inference platform's groups; the later version 2.0; and an example copied with its comments.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.support.rank_tables import table, write
from mindzoo.utils.cluster import hccl_tools, old_table, rank_table, table_file
from mindzoo.utils.errors import UserError

TABLES = Path(__file__).with_name("tables")
# The address of each server, and its (rank, device)s.
READ: dict[str, list[tuple[str, list[tuple[int, int]]]]] = {
    "zoo_hccl_tools": [("10.20.0.4", [(0, 0), (1, 1)])],
    "hccl_template_1": [("node_0", [(0, 0), (1, 1)]), ("node_1", [(2, 0), (3, 1)])],
    "hccl_template_2": [("10.30.7.1", [(0, 0)]), ("10.30.7.2", [(1, 0)])],
    "mindspore_tutorial": [("10.40.1.140", [(0, 0), (1, 1)])],
    "modelarts": [("10.50.0.8", [(0, 0), (1, 1)]), ("10.50.0.9", [(2, 6), (3, 7)])],
    "cann_super_pods": [("10.60.0.100", [(0, 0), (1, 1)]), ("10.60.0.101", [(2, 0), (3, 1)])],
    "kubernetes_operator": [("172.20.47.11", [(0, 3), (1, 4)])],
}
REFUSED = {
    "inference_groups": "server_list is missing; is this another kind of file?",
    "later_rank_list": 'version is "2.0"; wanted 1.0 or 1.2',
    "documented_with_comments": "is not JSON",
}
OLD = {"hccl_template_2", "mindspore_tutorial", "modelarts"}


def content_of(name: str) -> Any:
    return json.loads((TABLES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", READ)
def test_a_table_of_each_origin_is_read(name: str) -> None:
    found = rank_table.read_table(TABLES / f"{name}.json")
    servers = [(server.address, [(d.rank_id, d.device_id) for d in server.devices]) for server in found.servers]
    assert servers == READ[name]
    assert found.converted == (name in OLD)
    assert rank_table.faults_of(found.content) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_for_a_training_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="rank table") as caught:
        rank_table.read_table(TABLES / f"{name}.json")
    assert REFUSED[name] in str(caught.value)


def test_every_table_is_looked_at() -> None:
    assert {path.stem for path in TABLES.iterdir()} == {*READ, *REFUSED}


OLD_FAULTS = [
    (lambda g: g.clear(), "group_list has no groups with an instance_list"),
    (lambda g: g.append(g[0]), "group_list has 2 groups with an instance_list"),
    (lambda g: g[0].update(instance_list=7), "group_list[0].instance_list is a number"),
    (lambda g: g[0].update(instance_count="3"), 'group_list[0].instance_count is "3", and instance_list has 2'),
    (lambda g: g[0]["instance_list"][1].pop("devices"), "group_list[0].instance_list[1].devices is no list"),
    (lambda g: g[0]["instance_list"][1].pop("server_id"), "group_list[0].instance_list[1].server_id is missing"),
    (lambda g: g[0]["instance_list"][1].update(rank_id="0"), "instance_list has instances with rank_id and without"),
    (lambda g: [i.update(rank_id="0") for i in g[0]["instance_list"]], "instance_list[0] has one rank_id for several"),
]


@pytest.mark.parametrize(("spoil", "said"), OLD_FAULTS, ids=[said[:50] for _, said in OLD_FAULTS])
def test_faults_of_the_older_form(spoil: Any, said: str) -> None:
    content = content_of("modelarts")
    spoil(content["group_list"])
    (fault,) = rank_table.faults_of(content)
    assert fault.startswith(said)


def test_groups_without_instances_and_pods_without_numbers_are_no_fault() -> None:
    content = content_of("modelarts")
    content["group_list"].insert(0, {"group_name": "job-notebook", "device_count": "0", "instance_list": []})
    for instance in content["group_list"][1]["instance_list"]:
        instance["pod_name"] = "trainer"
    plain, faults = old_table.converted(content)
    assert faults == []
    assert [server["server_id"] for server in plain["server_list"]] == ["10.50.0.9", "10.50.0.8"]


def test_a_folder_stands_for_the_table_in_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder and has no file that ends in \.json; wanted one rank table"):
        rank_table.read_table(tmp_path)
    shutil.copy(TABLES / "zoo_hccl_tools.json", tmp_path / "mine.json")
    assert rank_table.read_table(tmp_path).path == tmp_path / "mine.json"
    shutil.copy(TABLES / "modelarts.json", tmp_path / "other.json")
    with pytest.raises(UserError, match=r"is a folder and has mine\.json, other\.json"):
        rank_table.read_table(tmp_path)
    shutil.copy(TABLES / "modelarts.json", tmp_path / "jobstart_hccl.json")
    assert rank_table.read_table(tmp_path).world_size == 4


@pytest.mark.parametrize("content", [{"status": "initializing"}, {**table("10.0.0.5"), "status": "initializing"}])
def test_a_table_that_is_being_written_is_called_so(content: Any) -> None:
    (fault,) = rank_table.faults_of(content)
    assert fault.startswith('status is "initializing"; wanted completed; whatever writes this file has not finished')


@pytest.mark.parametrize("before", [None, {"status": "initializing"}])
def test_a_table_is_waited_for(tmp_path: Path, before: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "POLL_SECONDS", 0.05)
    if before:
        write(tmp_path / "hccl.json", before)
    new = write(tmp_path / "new", table("10.0.0.5"))
    writer = threading.Timer(0.2, lambda: new.rename(tmp_path / "hccl.json"))
    writer.start()
    assert rank_table.read_table(tmp_path, wait=30).world_size == 2
    writer.join()


def test_the_wait_has_an_end_and_is_not_for_a_file_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "POLL_SECONDS", 0.05)
    path = write(tmp_path / "t.json", {"status": "initializing"})
    with pytest.raises(UserError, match='status is "initializing"'):
        rank_table.read_table(path, wait=0.2)
    started = time.monotonic()
    with pytest.raises(UserError, match="there is no rank table"):
        rank_table.read_table(tmp_path / "none.json", wait=60)
    assert time.monotonic() - started < 30


def pod(first: int, pod_id: str) -> dict[str, Any]:
    """The table of one server of a super pod."""
    content = {**table(f"10.0.0.{first}"), "version": "1.2"}
    content["super_pod_list"] = [{"super_pod_id": pod_id, "server_list": [{"server_id": f"10.0.0.{first}"}]}]
    for number, device in enumerate(content["server_list"][0]["device"]):
        device.update(super_device_id=str(10 * first + number), device_ip=f"192.168.{first}.{number + 1}")
    return content


@pytest.mark.parametrize(
    ("ids", "pods"), [(("0", "1"), [["10.0.0.1"], ["10.0.0.2"]]), (("0", "0"), [["10.0.0.1", "10.0.0.2"]])]
)
def test_super_pods_are_kept_whole(tmp_path: Path, ids: tuple[str, str], pods: list[list[str]]) -> None:
    files = [write(tmp_path / f"{n}.json", pod(n, name)) for n, name in enumerate(ids, 1)]
    merged = hccl_tools.merge(files)
    assert merged["version"] == "1.2"
    assert [[server["server_id"] for server in each["server_list"]] for each in merged["super_pod_list"]] == pods
    devices = [device for server in merged["server_list"] for device in server["device"]]
    assert [(d["rank_id"], d["super_device_id"]) for d in devices] == [
        ("0", "10"),
        ("1", "11"),
        ("2", "20"),
        ("3", "21"),
    ]
    alone = hccl_tools.merge([TABLES / "cann_super_pods.json"])
    assert alone == content_of("cann_super_pods")


def test_tables_of_different_kinds_are_not_merged(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.json", pod(1, "0")), write(tmp_path / "b.json", table("10.0.0.7"))]
    with pytest.raises(
        UserError, match=r"a\.json is of version 1\.2 with super_pod_list, .*b\.json of version 1\.0 without"
    ):
        hccl_tools.merge(files)


POD_FAULTS = [
    (lambda t: t.update(super_pod_list=[{}]), "super_pod_list is of another form"),
    (lambda t: t["super_pod_list"].pop(), "super_pod_list lacks the server node_1"),
    (lambda t: t["super_pod_list"].append(t["super_pod_list"][0]), "super_pod_list[2] names the server node_0 again"),
    (
        lambda t: t["super_pod_list"][0]["server_list"].append({"server_id": "node_7"}),
        "super_pod_list[0] names the server node_7, which server_list lacks",
    ),
    (
        lambda t: t["server_list"][0]["device"][1].pop("super_device_id"),
        "server_list[0].device[1].super_device_id is missing",
    ),
    (
        lambda t: t["server_list"][0]["device"][1].update(super_device_id="0"),
        "server_list[0].device[1].super_device_id is 0, as server_list[0].device[0].super_device_id is",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), POD_FAULTS, ids=[said[:50] for _, said in POD_FAULTS])
def test_faults_of_super_pods(spoil: Any, said: str) -> None:
    content = content_of("cann_super_pods")
    spoil(content)
    (fault,) = rank_table.faults_of(content)
    assert fault.startswith(said)
