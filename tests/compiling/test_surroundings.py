"""The part of a key that is not the network: each thing that may change a graph changes it, and paths do not."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.models.multigrain import SPEC as MULTIGRAIN
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.compiling import surroundings
from mindzoo.utils.compiling.surroundings import WITHOUT_EFFECT_ON_GRAPHS
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.inference.keys import PredictConfig
from mindzoo.utils.retrieval.keys import EmbedConfig, QueryConfig


def test_an_edit_of_any_source_is_another_key(tmp_path: Path) -> None:
    for name in ("models", "utils"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = surroundings.sources(tmp_path)
    assert before == surroundings.sources(tmp_path)
    edited = [*tmp_path.rglob("*.py")]
    assert len(edited) > 200
    seen = {before}
    for path in (*edited[::25], tmp_path / "models/layers.py", tmp_path / "utils/learning/train_step.py"):
        path.write_bytes(path.read_bytes() + b"#")
        seen.add(surroundings.sources(tmp_path))
    assert len(seen) == len(edited[::25]) + 3
    (tmp_path / "utils" / "new.py").touch()
    assert surroundings.sources(tmp_path) not in seen


@pytest.mark.parametrize("package", ["mindspore", "numpy"])
def test_another_version_is_another_key(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    before = surroundings.versions()
    real = surroundings.importlib.metadata.version  # type: ignore[attr-defined]
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9" if name == package else real(name))
    assert surroundings.versions() != before


def test_another_python_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = surroundings.versions()
    monkeypatch.setattr("sys.version", "3.99")
    assert surroundings.versions() != before


def test_another_processor_is_another_key(tmp_path: Path) -> None:
    facts = tmp_path / "cpuinfo"
    found = []
    for flags in ("avx2", "avx2 avx512f"):
        facts.write_text(
            f"processor\t: 0\nmodel name\t: X\ncpu MHz\t: {len(flags)}\nflags\t\t: {flags}\n\nprocessor\t: 1\n"
        )
        found.append(surroundings.machine(facts))
    assert found[0] != found[1]
    facts.write_text(facts.read_text().replace("cpu MHz\t: 12", "cpu MHz\t: 13"))
    assert surroundings.machine(facts) == found[1]


@pytest.mark.parametrize("name", ["MS_DEV_JIT", "ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS", "GRAPH_OP_RUN"])
def test_a_variable_of_the_compiler_is_another_key(name: str) -> None:
    assert surroundings.variables({name: "1"}) != surroundings.variables({name: "2"}) != surroundings.variables({})


def test_other_variables_are_no_part_of_it() -> None:
    assert surroundings.variables({"HOME": "/a", "MS_SUBMODULE_LOG_v": "{}"}) == {}


def other(value: Any) -> Any:
    """A value of the same kind that is another one; what it means does not matter here."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else (*value, 1) if isinstance(value, tuple) else f"{value}x"


@pytest.mark.parametrize("config_class", [SPEC.train_config, MULTIGRAIN.train_config])
def test_every_other_key_of_a_training_counts(config_class: type[TrainConfig]) -> None:
    config = config_class()
    before = surroundings.configuration(config)
    for field in dataclasses.fields(config):
        changed = dataclasses.replace(config)
        object.__setattr__(changed, field.name, other(getattr(config, field.name)))  # past the checks of values
        counts = surroundings.configuration(changed) != before
        assert counts == (field.name not in WITHOUT_EFFECT_ON_GRAPHS), field.name


def test_what_is_without_effect_is_a_key() -> None:
    classes = (SPEC.train_config, SPEC.eval_config, PredictConfig, EmbedConfig, QueryConfig)
    keys = {field.name for config_class in classes for field in dataclasses.fields(config_class)}
    assert keys >= WITHOUT_EFFECT_ON_GRAPHS
