"""Which devices the ranks of a server get, on a host and in a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.tests.support.rank_tables import table, write
from mindzoo.utils.cluster import rank_table
from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import launcher, layout
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.launch.layout import Layout


@pytest.mark.parametrize(
    ("present", "devices", "wanted"),
    [
        ((6, 7), (6, 7), {}),  # all that it has: nothing needs to be said
        ((4, 5, 6, 7), (6, 7), {"ASCEND_RT_VISIBLE_DEVICES": "2,3"}),
        ((4, 5, 6, 7), (2, 3), {"ASCEND_RT_VISIBLE_DEVICES": "2,3"}),  # logical already
        ((4, 5, 6, 7), (6,), {"DEVICE_ID": "2"}),
        ((), (6, 7), {"ASCEND_RT_VISIBLE_DEVICES": "6,7"}),
    ],
)
def test_a_container_counts_devices_by_their_places_among_its_nodes(
    present: tuple[int, ...], devices: tuple[int, ...], wanted: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("ASCEND_RT_VISIBLE_DEVICES", raising=False)
    for number in present:
        (tmp_path / f"davinci{number}").touch()
    placed = Layout(len(devices), tuple(range(len(devices))), devices, 1, 0, "127.0.0.1")
    options = LaunchConfig(device_target="Ascend")
    assert launcher.devices_environment(options, placed, tmp_path, contained=True) == wanted
    first = str(devices[0])
    here = launcher.devices_environment(options, placed, tmp_path, contained=False)
    assert first in (here.get("DEVICE_ID"), here.get("ASCEND_RT_VISIBLE_DEVICES", "").split(",")[0])


def test_a_device_that_the_container_lacks(tmp_path: Path) -> None:
    for number in (4, 5):
        (tmp_path / f"davinci{number}").touch()
    placed = Layout(2, (0, 1), (5, 6), 1, 0, "127.0.0.1")
    with pytest.raises(UserError, match="this container has no device 6; it has 4, 5: hand over"):
        launcher.devices_environment(LaunchConfig(device_target="Ascend"), placed, tmp_path, contained=True)


def test_devices_must_ascend_on_ascend(tmp_path: Path) -> None:
    for devices in ((5, 4), (4, 4)):
        with pytest.raises(UserError, match="wanted each once and ascending, as Ascend takes no others: use 4"):
            layout.lay_out(LaunchConfig(devices=devices))
    assert layout.lay_out(LaunchConfig(devices=(5, 4), device_target="GPU")).devices == (5, 4)
    content = table("10.0.0.5")
    for device, number in zip(content["server_list"][0]["device"], "54", strict=True):
        device["device_id"] = number
    options = LaunchConfig(rank_table=str(write(tmp_path / "t.json", content)), node_rank=0)
    with pytest.raises(UserError, match="the ranks 0, 1 of this server are on devices 5,4 in "):
        layout.lay_out(options)


def test_the_ranks_get_an_older_table_in_the_form_that_hccl_takes(tmp_path: Path) -> None:
    old = {"instance_list": [{"devices": [{"device_id": "0"}, {"device_id": "1"}], "server_id": "10.0.0.5"}]}
    path = write(tmp_path / "jobstart_hccl.json", {"status": "completed", "group_list": [old]})
    placed = layout.lay_out(LaunchConfig(rank_table=str(tmp_path), node_rank=0))
    assert (placed.size, placed.devices) == (2, (0, 1))
    logs = tmp_path / "logs"
    logs.mkdir()
    given = Path(launcher.place_table(placed.table, logs))
    assert given.parent == logs
    assert rank_table.read_table(given).servers == rank_table.read_table(path).servers
    new = rank_table.read_table(given)
    assert launcher.place_table(new, logs) == str(given)
    assert launcher.place_table(None, logs) == ""
