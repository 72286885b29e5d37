"""A training by native operators: what it says, what it saves, and how it goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mindzoo.models import create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.retrieval_files import OPTIONS
from mindzoo.tests.support.trainings import KEPT, PLAIN_IMAGES, run_train, training
from mindzoo.utils import commands
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint, read_checkpoint
from mindzoo.utils.config import reading
from mindzoo.utils.learning.freeze import freeze
from mindzoo.utils.native import library
from mindzoo.utils.native.channels_last import convert
from mindzoo.utils.runtime import World
from mindzoo.utils.training import native_road

EXACT = [*PLAIN_IMAGES, "--max_epoch", "2", "--lr", "0.01"]


def last(folder: Path) -> Checkpoint:
    return read_checkpoint(folder / "last.ckpt", SPEC)


def values(found: Checkpoint) -> dict[str, np.ndarray]:
    """Weights, averaged weights, and the state of the optimizer."""
    averaged = {f"ema.{name}": value for name, value in found.averaged.items()}
    return {**found.weights, **averaged, **found.state}


@pytest.fixture(scope="module")
def native(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_train(colors, tmp_path_factory.mktemp("native"), *EXACT, *KEPT, "--native", "on")


def test_weights_are_those_of_mindspores_operators(colors: Path, native: Path, tmp_path: Path) -> None:
    plain = run_train(colors, tmp_path / "out", *EXACT, *KEPT, "--native", "off")
    found, wanted = last(native), last(plain)
    assert values(found).keys() == values(wanted).keys()
    assert found.meta["operators"].startswith("native in ")
    assert wanted.meta["operators"] == "MindSpore's"
    for name, value in values(wanted).items():
        np.testing.assert_allclose(values(found)[name], value, rtol=0.02, atol=0.02, err_msg=name)


def test_a_run_that_goes_on_gives_the_bits_of_one_without_a_break(colors: Path, native: Path, tmp_path: Path) -> None:
    flags = [*EXACT, *KEPT, "--native", "on"]
    stopped = run_train(colors, tmp_path / "out", *flags, "--max_steps", "3")
    on = run_train(colors, tmp_path / "on", *flags, "--resume", str(stopped / "last.ckpt"))
    found, wanted = values(last(on)), values(last(native))
    assert all(np.array_equal(found[name], value) for name, value in wanted.items())


def test_a_run_that_goes_on_by_other_operators_says_so(
    colors: Path, native: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_train(
        colors,
        tmp_path / "out",
        *EXACT,
        *KEPT,
        "--native",
        "off",
        "--max_epoch",
        "3",
        "--resume",
        str(native / "last.ckpt"),
    )
    assert "operators were native in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(["--optimizer", "nesterov", "--amp_level", "O2"], "amp_level is O2")],
)
def test_what_speaks_against_it_is_said(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], reason: str
) -> None:
    assert commands.train(SPEC, training(colors, tmp_path, *flags, "--native", "on")) == 2
    assert f"native is on, and native operators cannot be used: they compute in float32, and {reason}" in (
        "".join(capsys.readouterr())
    )


def test_without_a_compiler_a_training_takes_mindspores_operators(
    colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.delenv("MINDZOO_NATIVE", raising=False)
    library.opened.cache_clear()
    try:
        folder = run_train(colors, tmp_path / "out", *EXACT, "--max_steps", "1")
    finally:
        library.opened.cache_clear()
    assert "computing by MindSpore's own operators: there is no C++ compiler" in capsys.readouterr().out
    assert last(folder).meta["operators"] == "MindSpore's"


def test_a_variable_of_no_meaning_is_refused(
    colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINDZOO_NATIVE", "yes")
    assert commands.train(SPEC, training(colors, tmp_path)) == 2
    assert "MINDZOO_NATIVE is yes; wanted auto, on or off" in "".join(capsys.readouterr())
    flags = training(colors, tmp_path, "--native", "off")
    config = reading.read_config(SPEC.train_config, flags, aliases=SPEC.train_aliases).config
    assert native_road.obstacle(config, World()) == "native is off"


def test_frozen_layers_keep_their_statistics(colors: Path, tmp_path: Path) -> None:
    folder = run_train(colors, tmp_path / "out", *EXACT, "--native", "on", "--freeze", "backbone.features.denseblock1*")
    means = {name: value for name, value in last(folder).weights.items() if name.endswith("moving_mean")}
    frozen = [name for name in means if "denseblock1" in name]
    assert frozen
    assert not any(means[name].any() for name in frozen)
    assert any(means[name].any() for name in means if "denseblock2" in name)


def test_what_was_frozen_goes_the_native_road_as_well() -> None:
    network = create_model("densenet121", num_classes=3, **OPTIONS)
    frozen = freeze(network, ["backbone.features.denseblock1*"])
    convert(network)
    block, norm = network.backbone.features.denseblock1, frozen.norms[0]
    assert (block.by_batch, norm.counts) == (False, False)
    frozen.thaw()
    native_road.renew(network)
    assert (block.by_batch, norm.counts) == (True, True)
