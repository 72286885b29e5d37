"""The table of operators, against the graphs that it is of and against what MindSpore registers."""

from __future__ import annotations

import platform
import shutil
from typing import Any

import mindspore as ms
import pytest

from mindzoo.models import SPECS
from mindzoo.scripts.dev import list_operators, operator_graphs
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.learning.losses import SmoothedCrossEntropy

PAGE = (ROOT / "docs" / "OPERATORS.md").read_text(encoding="utf-8")
ROWS = list_operators.rows_of(PAGE)
SAME_VERSION = list_operators.version_of(PAGE) == ms.__version__
can_ask = pytest.mark.skipif(
    not SAME_VERSION or platform.machine() != "x86_64" or not (shutil.which("cc") and shutil.which("nm")),
    reason="the table is of another MindSpore, or this machine has no compiler for x86-64",
)


def test_every_operator_of_the_table_has_an_entry_on_every_card_that_meets_it() -> None:
    assert len(ROWS) > 90
    lacking = {name: list_operators.where_missing(row[0], row[1], row[-1]) for name, row in ROWS.items()}
    assert {name: cards for name, cards in lacking.items() if cards} == {}


@pytest.mark.parametrize(
    ("entries", "graphs", "cards"),
    [
        (("-", "-"), "every train", "910A and A2"),
        (("-", "yes"), "every train", "910A"),
        (("-", "yes"), "step: thor on A2", ""),
        (("-", "yes"), "step: thor on 910A, step: thor on A2", "910A"),
        (("rewritten", "-"), "every train", ""),
        (("adapter", "-"), "every train", ""),
    ],
)
def test_a_card_without_an_entry_is_named(entries: tuple[str, str], graphs: str, cards: str) -> None:
    assert list_operators.where_missing(*entries, graphs) == cards


def test_an_operator_that_is_not_in_the_table_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ms, "__version__", list_operators.version_of(PAGE))
    places: dict[str, Any] = {name: row[-1].split(", ") for name, row in ROWS.items()}
    assert list(list_operators.differences(places, PAGE)) == []
    del places["Conv2D"]
    found = list(list_operators.differences({**places, "Im2Col": ["every train"]}, PAGE))
    assert [line.partition(";")[0] for line in found] == ["Conv2D is in no graph", "Im2Col is not in the table"]


@pytest.mark.skipif(not SAME_VERSION, reason="the table is of another MindSpore")
def test_the_training_graph_of_a_network_has_operators_of_the_table_only() -> None:
    name, images, labels = "densenet121", *operator_graphs.inputs()[:2]
    with operator_graphs.card("910A"):
        network = SPECS[name].make(operator_graphs.CLASSES, operator_graphs.NETWORKS[name][0])
        step = operator_graphs.training_step(network, SmoothedCrossEntropy(operator_graphs.CLASSES), "momentum", {})
        found = operator_graphs.operators_of(step, images, labels)
    assert {"Conv2D", "Conv2DBackpropFilter", "ApplyMomentum"} < found
    assert found <= ROWS.keys()


@can_ask
@pytest.mark.slow
def test_what_mindspore_registers_is_what_the_table_says() -> None:
    """The inverse of linear algebra has one operator per generation, and unfolding is for the AICPU or not for a 910A."""
    names = [*ROWS, "Im2Col", "Im2ColExt", "NoSuchOperator"]
    registered = list_operators.ask(names)
    assert {name: list_operators.entries(name, registered[name]) for name in ROWS} == {
        name: row[:3] for name, row in ROWS.items()
    }
    assert ROWS["MatrixInverse"][:2] == ("adapter", "-")
    assert ROWS["MatrixInverseExt"][:2] == ("-", "yes")
    assert list_operators.entries("Im2Col", registered["Im2Col"]) == ("adapter", "-", "yes")
    assert list_operators.entries("Im2ColExt", registered["Im2ColExt"]) == ("-", "yes", "-")
    assert not any(registered["NoSuchOperator"].values())
