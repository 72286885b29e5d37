"""The lists of public weights: each fact has its form, each name one address, and what is not published is said so."""

from __future__ import annotations

import json
import re

import pytest

from mindzoo import cli
from mindzoo.models import SPECS
from mindzoo.utils.weights import public
from mindzoo.utils.weights.public import PublicWeights

ALL = [weights for spec in SPECS.values() for weights in public.of_network(spec)]
HOW = {"image_size", "resize_size", "crop_pct", "interpolation", "mean", "std"}


def test_there_are_weights_of_the_networks_that_came_first() -> None:
    first = {"densenet121", "genet_res50", "glore_res50", "hrnet_w48", "multigrain"}
    assert {weights.network for weights in ALL} >= first
    assert len({weights.name for weights in ALL}) == len({weights.url for weights in ALL}) == len(ALL)


@pytest.mark.parametrize("weights", ALL, ids=lambda weights: weights.name)
def test_facts_have_their_form(weights: PublicWeights) -> None:
    assert re.fullmatch(r"[a-z]+/[\w.-]+", weights.name)
    assert weights.address.url == weights.url
    assert weights.url.startswith("https://")
    assert re.fullmatch(r"([0-9a-f]{64})?", weights.sha256)
    assert weights.preprocessing.keys() <= HOW
    assert weights.accuracy.keys() <= HOW | {"top1", "top5"}
    assert 70 < weights.accuracy["top1"] < 90
    assert weights.accuracy["top1"] < weights.accuracy.get("top5", 99) < 100
    assert weights.sources
    assert not weights.name.startswith("multigrain/") or weights.licence == "CC BY-NC 4.0"


def test_the_table_says_what_is_not_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list-weights"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["network", "name", "top-1", "top-5", "measured", "on", "licence", "SHA-256"]
    [row] = [line for line in lines if "hrnet/w48_c_ssld" in line]
    assert row.split()[:3] == ["hrnet_w48", "hrnet/w48_c_ssld", "83.6"]
    assert row.count("not published") == 4
    assert not any("https://" in line for line in lines)


def test_of_a_network_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list-weights", "multigrain", "densenet121"]) == 0
    out = capsys.readouterr().out
    assert "hrnet" not in out
    for weights in ALL:
        assert (f"{weights.name}: {weights.url}" in out) == (weights.network in ("multigrain", "densenet121"))
    assert "not for commercial use" in out


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list-weights", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert len(found) == len(ALL)
    entry = found["torchvision/densenet121.imagenet1k_v1"]
    assert (entry["sha256"], entry["licence"], entry["accuracy"]["top1"]) == ("a639ec97", None, 74.434)


def test_another_word_is_no_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list-weights", "hrnet"]) == 2
    assert "there is no network hrnet (did you mean hrnet_w48?)" in capsys.readouterr().err
