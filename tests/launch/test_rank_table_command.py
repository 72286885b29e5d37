"""`mindzoo rank-table check|merge|make`, run as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mindzoo import cli
from mindzoo.tests.support.rank_tables import table, write
from mindzoo.utils.cluster import rank_table


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SERVER_ID", raising=False)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.main(["rank-table", *words])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_check_says_who_computes_where(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("t.json"), table("10.0.0.5", "10.0.0.6"))
    status, text = said(capsys, "check", "t.json")
    assert status == 0
    assert text.splitlines()[:3] == [
        "t.json: 4 ranks on 2 servers (server_list)",
        "server 0 at 10.0.0.5: ranks 0 on device 0, 1 on device 1",
        "server 1 at 10.0.0.6: ranks 2 on device 0, 3 on device 1",
    ]
    assert "which is no server of the rank table" in text
    assert said(capsys, "check", "t.json", "--node_rank", "1")[1].endswith("this is server 1\n")
    assert said(capsys, "check", "t.json", "--node_rank", "2")[0] == 2


def test_merge_and_make_write_what_the_scripts_write(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("hccn.conf"), "address_0=192.168.1.1\naddress_1=192.168.1.2\n")
    words = ("make", "--device_num", "[0,2)", "--server_ip", "10.0.0.5", "--hccn_conf", "hccn.conf")
    assert said(capsys, *words)[0] == 0
    made = Path("hccl_2p_01_10.0.0.5.json")
    assert rank_table.read_table(made).world_size == 2
    write(
        Path("other.json"),
        {**table("10.0.0.6"), "server_list": [table("0", "10.0.0.6")["server_list"][1]], "server_count": 1},
    )
    content = json.loads(Path("other.json").read_text())
    for rank, device in enumerate(content["server_list"][0]["device"]):
        device.update(rank_id=str(rank), device_ip=f"192.168.2.{rank + 1}")
    write(Path("other.json"), content)
    assert said(capsys, "merge", str(made), "other.json")[0] == 0
    assert rank_table.read_table("hccl_2s_4p.json").world_size == 4


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "rank-table: wanted check, merge or make, and files"),
        (("chekc", "t.json"), "rank-table chekc: wanted check, merge or make"),
        (("check",), "rank-table check got no file; wanted one table"),
        (("check", "a", "b"), "rank-table check got a, b; wanted one table"),
        (("merge",), "rank-table merge got no file; wanted the tables of the servers"),
        (("make", "a"), "rank-table make takes no file, and a was given"),
        (("check", "none.json"), "there is no rank table none.json"),
    ],
)
def test_wrong_words_are_refused_in_a_line(
    words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = said(capsys, *words)
    assert status == 2
    assert found.startswith(f"error: {text}")
    assert len(found.splitlines()) == 1
