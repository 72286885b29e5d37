"""The page of the networks beside each other is what its script writes, and its numbers are those of their sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mindzoo.models import SPECS
from mindzoo.scripts.dev import compare_networks
from mindzoo.tests.support.paths import ROOT


def test_the_tables_are_what_the_script_writes() -> None:
    assert compare_networks.outdated() == {}, "python scripts/dev/compare_networks.py"


def test_a_table_has_the_claims_and_the_measurements() -> None:
    lines = {line.split("](")[0].removeprefix("| ["): line for line in compare_networks.table("README.md")[2:]}
    assert sorted(lines) == sorted(SPECS)
    for name, line in lines.items():
        assert f"| {SPECS[name].published['top1']:.2f} % |" in line
    page = (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8")
    for kind in ("train", "evaluate"):
        for name, (speed, _) in compare_networks.measured(kind).items():
            assert f"| `{kind}:{name}` | mindzoo | images/s | {speed:.3g} |" in page
            assert f"{speed:.3g}" in lines[name]


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "README.md").write_text("nothing")
    monkeypatch.setattr(compare_networks, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="has 0 places"):
        compare_networks.outdated()


def test_every_network_is_counted() -> None:
    costs = json.loads(compare_networks.COSTS.read_text(encoding="utf-8"))
    assert costs.keys() == SPECS.keys()


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    compare_networks.draw(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
