"""The cost model of the pages is the script's, and the script's is the formula."""

from __future__ import annotations

import pytest

from mindzoo.models import SPECS
from mindzoo.scripts.dev import cluster_costs
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.spec import PublishedStep


def test_the_tables_of_the_pages_are_the_scripts() -> None:
    rows = list(cluster_costs.all_rows())
    published = [name for name, spec in SPECS.items() if spec.published_step]
    assert len(rows) == len(cluster_costs.CARDS) * len(published)
    for name, heads in cluster_costs.PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        wanted = cluster_costs.table(heads, rows)
        assert wanted in text, f"{name} is out of date: run scripts/dev/cluster_costs.py"


def test_a_ring_sends_nearly_twice_the_gradients_whatever_the_number_of_cards() -> None:
    """Simulated: each of N cards sends its parts on N - 1 times to add them, and N - 1 times to hand them out."""
    for cards in cluster_costs.CARDS:
        parts = [100 / cards] * 2 * (cards - 1)
        assert cluster_costs.sent_bytes(100, cards) == pytest.approx(sum(parts))


def test_a_row_follows_the_formula() -> None:
    step = PublishedStep(150.0, 32, 8, "a table")
    # 213 images/s per card; 7/4 of 100 MB within 100 ms.
    assert cluster_costs.row("net", step, 100_000_000, 8) == (
        "`net`", "150.0", "32", "8", "1,707", "1,707", "100", "175", "1.8",
    )  # fmt: skip
    assert cluster_costs.row("net", step, 100_000_000, 64)[4:6] == ("13,653", "1,707")
    assert cluster_costs.row("net", step, 100_000_000, 1)[-2:] == ("0", "0.0")


def test_published_steps_say_where_they_stand() -> None:
    for spec in SPECS.values():
        assert spec.published_step is None or len(spec.published_step.source) > 20
