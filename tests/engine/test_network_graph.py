"""Graphs of networks: what they compute with weights put into them, what their names depend on, what becomes of failures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.models import SPECS, get_spec
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.networks import eagerly, unbuildable
from mindzoo.utils.checkpoints.network_plan import NetworkPlan
from mindzoo.utils.engine import graph_maker, network_graph
from mindzoo.utils.engine.network_graph import EMBEDDING, LOGITS, MAPS, NetworkGraph, NoGraphError
from mindzoo.utils.spec import ModelSpec

pytest.importorskip("onnxruntime")


def job(name: str, head: str) -> dict[str, Any]:
    spec = get_spec(name)
    options = {key: value for key, value in spec.small.items() if key in spec.options}
    if "image_size" in spec.options:
        options["image_size"] = (64, 64)
    return {"build": spec.build, "network": name, "classes": 5, "options": options, "size": (64, 64), "head": head}


@pytest.mark.parametrize("head", [LOGITS, EMBEDDING])
@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_graph_computes_the_network_with_weights_it_was_not_made_of(name: str, head: str) -> None:
    with eagerly():
        entry, difference = graph_maker.make(job(name, head))
    graph = NetworkGraph.from_entry(entry)
    assert difference < 2e-5
    assert len(entry) < 600_000  # the weights are not in it
    unused = set(graph.slots) - set(graph.initializers)
    classifier = get_spec(name).classifier
    assert unused == (set() if head == LOGITS else {f"{classifier}.weight", f"{classifier}.bias"})


def test_a_graph_may_end_at_the_last_maps() -> None:
    with eagerly():
        entry, difference = graph_maker.make(job("multigrain", MAPS))
    graph = NetworkGraph.from_entry(entry)
    assert difference < 2e-5
    assert set(graph.slots) - set(graph.initializers) == {"end_point.weight", "end_point.bias", "pool.p"}


def test_a_value_of_the_weights_that_became_a_constant_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    export = graph_maker.stripped

    def forgetful(path: Path, parameters: Any) -> tuple[bytes, tuple[str, ...]]:
        return export(path, {name: one for name, one in parameters.items() if not name.endswith("moving_mean")})

    monkeypatch.setattr(graph_maker, "stripped", forgetful)
    with eagerly():
        _, difference = graph_maker.make(job("densenet121", LOGITS))
    assert difference > 1e-3


def plan(**options: Any) -> NetworkPlan:
    return NetworkPlan(3, {"block_config": (1, 1), "growth_rate": 4, "init_features": 8, **options})


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mindzoo" / "onnx"


def test_a_graph_is_made_by_a_process_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network_graph.graph_of(SPEC, plan(), (32, 32), LOGITS)
    assert len([*own_cache.iterdir()]) == 1
    monkeypatch.setattr(network_graph, "MAKER", "raise SystemExit('not again')")
    assert network_graph.graph_of(SPEC, plan(), (32, 32), LOGITS) == made
    with pytest.raises(NoGraphError, match="not again"):
        network_graph.graph_of(SPEC, plan(), (64, 32), LOGITS)


def test_a_failure_is_kept_as_well(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = dataclasses.replace(SPEC, build=unbuildable)
    with pytest.raises(NoGraphError, match="this network cannot be built"):
        network_graph.graph_of(spec, plan(), (32, 32), LOGITS)
    monkeypatch.setattr(network_graph, "MAKER", "raise SystemExit('tried again')")
    with pytest.raises(NoGraphError, match="this network cannot be built"):
        network_graph.graph_of(spec, plan(), (32, 32), LOGITS)


def test_a_cache_that_cannot_be_written_costs_nothing_else(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache.parent.mkdir(parents=True)
    own_cache.write_text("a file in its place")
    monkeypatch.setattr(network_graph, "_made", lambda job: network_graph.entry_of(b"graph", initializers=[], slots={}))
    assert network_graph.graph_of(SPEC, plan(), (32, 32), LOGITS).content == b"graph"


def test_a_key_changes_with_all_that_a_graph_depends_on(tmp_path: Path) -> None:
    about = {"network": "densenet121", "classes": 3, "options": {}, "size": (32, 32), "head": LOGITS}
    (tmp_path / "models").mkdir()
    source = tmp_path / "models" / "network.py"
    source.write_text("one")
    keys = {network_graph.key_of(about, tmp_path)}
    others: list[dict[str, Any]] = [
        {"network": "b"},
        {"classes": 4},
        {"options": {"a": 1}},
        {"size": (32, 64)},
        {"head": "x"},
    ]
    keys |= {network_graph.key_of({**about, **other}, tmp_path) for other in others}
    source.write_text("two")
    keys.add(network_graph.key_of(about, tmp_path))
    assert len(keys) == 7
    assert network_graph.key_of(json.loads(json.dumps(about)), tmp_path) in keys


def test_the_value_of_a_parameter_is_no_option_of_a_graph(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def made(job: dict[str, Any]) -> bytes:
        asked.append(job["options"])
        return network_graph.entry_of(b"", initializers=[], slots={})

    monkeypatch.setattr(network_graph, "_made", made)
    spec: ModelSpec = get_spec("multigrain")
    for exponent in (3.0, 4.5):
        network_graph.graph_of(spec, NetworkPlan(3, {"gem_p": exponent}), (32, 32), LOGITS)
    assert asked == [{}]


def test_weights_keep_the_size_of_what_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for name, shape in {"a.weight": (8, 4, 3, 3), "b.gamma": (8,), "b.beta": (8,), "pool.p": ()}.items():
        first, second = (graph_maker.weights(random, name, shape) for _ in range(2))
        assert first.shape == shape
        assert first.dtype == np.float32
        assert (first != second).all()


@pytest.mark.parametrize("program", ["import os; os.kill(os.getpid(), 9)", "raise OSError('no space')"])
def test_a_failure_that_may_pass_is_not_kept(own_cache: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_graph, "MAKER", program)
    with pytest.raises(NoGraphError, match=r"no space|ended with -9"):
        network_graph.graph_of(SPEC, plan(), (32, 32), LOGITS)
    assert not own_cache.exists()
