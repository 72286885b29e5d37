"""Which Ascend card this is, from what a driver, MindSpore, CANN and a container leave to be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.utils import compat, environment
from mindzoo.utils.cluster import card
from mindzoo.utils.cluster.card import Card

CHIPS = {
    "910A": ("Ascend910A", "Ascend910B", "Ascend910PremiumA", "Ascend910ProA", "Ascend910ProB", "ascend910"),
    "A2": ("Ascend910B1", "Ascend910B2", "Ascend910B2C", "Ascend910B3", "Ascend910B4", "Ascend910B4-1", "ascend910b"),
    "A3": ("Ascend910_9391", "Ascend910_9381", "Ascend910_9362", "ascend910_93", "910_9392"),
    "": ("", "Ascend310P3", "ascend310b", "Ascend910X", "Ascend9100", "cpu"),
}


@pytest.mark.parametrize(("generation", "soc"), [(known, soc) for known, names in CHIPS.items() for soc in names])
def test_the_generation_goes_by_the_name_of_the_chip(generation: str, soc: str) -> None:
    assert card.generation_of(soc) == generation


@pytest.mark.parametrize(
    ("soc", "mode", "saturates"),
    [
        ("ascend910", "", True),
        ("ascend910", "INFNAN_MODE", True),
        ("ascend910b", "", False),
        ("ascend910b", "SATURATION_MODE", True),
        ("ascend910_93", "", False),
        ("", "SATURATION_MODE", False),
    ],
)
def test_overflow_saturates_on_the_first_generation_and_where_that_is_asked_for(
    soc: str, mode: str, saturates: bool
) -> None:
    assert card.find(lambda: soc, {"MS_ASCEND_CHECK_OVERFLOW_MODE": mode}).saturates == saturates


def test_a_card_says_what_it_is(tmp_path: Path) -> None:
    info = tmp_path / "compiler" / "version.info"
    info.parent.mkdir()
    info.write_text("package_name=CANN-compiler\nVersion=8.5.0\n")
    found = card.find(lambda: "Ascend910B3", {"ASCEND_HOME_PATH": str(tmp_path)})
    assert str(found) == "Ascend A2 (Ascend910B3) CANN 8.5.0"
    assert str(Card()) == "Ascend of an unknown generation (no name)"


def test_mindspore_names_no_card_on_this_machine() -> None:
    assert card.find(compat.soc_version, {}) == card.NONE


@pytest.mark.parametrize(
    ("path", "text", "environ"),
    [
        (".dockerenv", "", {}),
        ("run/.containerenv", "", {}),
        ("proc/1/cgroup", "12:devices:/kubepods/besteffort/pod0\n", {}),
        ("proc/1/cgroup", "0::/docker/0123456789ab\n", {}),
        ("proc/1/cgroup", "0::/\n", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}),
        ("proc/1/cgroup", "0::/\n", {"container": "podman"}),
    ],
)
def test_containers_are_known(tmp_path: Path, path: str, text: str, environ: dict[str, str]) -> None:
    place = tmp_path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    assert card.in_container(tmp_path, environ)


@pytest.mark.parametrize("text", ["0::/init.scope\n", None])
def test_a_host_is_no_container(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "proc/1").mkdir(parents=True)
        (tmp_path / "proc/1/cgroup").write_text(text)
    assert not card.in_container(tmp_path, {})


def test_devices_are_counted_by_their_nodes(tmp_path: Path) -> None:
    for name in ("davinci10", "davinci0", "davinci1", "davinci_manager", "davinci"):
        (tmp_path / name).touch()
    assert environment.device_numbers(tmp_path) == [0, 1, 10]


def test_no_version_where_none_is_written(tmp_path: Path) -> None:
    assert card.cann_version({}) == ""
    assert card.cann_version({"ASCEND_HOME_PATH": str(tmp_path)}) == ""
    (tmp_path / "version.info").write_text("driver_name=x\n")
    assert card.version_in(tmp_path / "version.info") == ""
