"""`mindzoo info NETWORK`: what is said of a network, and what is refused."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest

from mindzoo import cli
from mindzoo.models import SPECS, get_spec
from mindzoo.utils.config.reading import show


def small(network: str, *more: str) -> list[str]:
    """The command, with flags that make the network small."""
    options = {name: value for name, value in get_spec(network).small.items() if name in get_spec(network).options}
    flags = [word for name, value in options.items() for word in (f"--{name}", show(value))]
    return ["info", network, *flags, "--num_classes", "3", "--output", "x.json", *more]


def test_a_network_with_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--image_size", "32", "--batch_size", "2", "--layer_table", "--depth", "0", "--parameters"]
    assert cli.main(small("densenet121", *words)) == 0
    text, facts = capsys.readouterr().out, json.loads(Path("x.json").read_text())
    assert facts["options"] == {"block_config": [1, 1], "growth_rate": 4, "init_features": 8}
    assert facts["image_size"] == [32, 32]
    names = {one["name"]: one["size"] for one in facts["parameter_names"]}
    assert facts["parameters"]["trainable"] == sum(names.values()) == sum(one["parameters"] for one in facts["layers"])
    # Each pattern stands for the numbers that it says, and all of them for all.
    for pattern, count in facts["freeze"].items():
        assert sum(names[name] for name in fnmatch.filter(names, pattern)) == count, pattern
    assert sum(facts["freeze"].values()) == sum(names.values())
    # 7x7 and 3x3 with stride 2, a dense layer behind each stride, and pooling between: 7 + 4 + 8 + 4 + 16.
    assert facts["receptive_field"] == {
        "layer": "backbone.features.norm5", "map": [10, 4, 4], "pixels": 39, "stride": 8, "whole_image_by": [],
    }  # fmt: skip
    activations, memory = facts["activations"], facts["memory"]
    assert activations["all"] == sum(one["values"] for one in facts["layers"])
    assert memory["training_mb"] > memory["inference_mb"] > memory["parameters_mb"]
    assert text.splitlines()[0] == "DenseNet-121 (https://arxiv.org/abs/1608.06993)"
    assert "head.fc.weight" in text
    assert "backbone.features.denseblock1.cell_list.0.conv2" in text
    assert "top1 75.13 %, top5 92.57 %, as the original README claims" in text
    assert "imagenet_published: the original README's ImageNet result" in text


def test_the_receptive_field_is_the_same_for_images_of_any_size() -> None:
    """Of the smallest ones the last maps are single pixels."""
    found = []
    for size in ("32", "128"):
        assert cli.main(small("multigrain", "--image_size", size)) == 0
        found.append(json.loads(Path("x.json").read_text())["receptive_field"])
    assert [field.pop("map")[1:] for field in found] == [[1, 1], [4, 4]]
    assert found[0] == found[1]


def test_networks_that_see_the_whole_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(small("genet_res50", "--image_size", "64,96")) == 0
    field = json.loads(Path("x.json").read_text())["receptive_field"]
    assert field["map"][1:] == [2, 3]
    assert len(field["whole_image_by"]) == 4
    assert (
        "the whole image, by layer1.0.downop.0, layer2.0.downop.0 and 2 more; without them" in capsys.readouterr().out
    )


def test_every_recipe_has_a_line() -> None:
    from mindzoo.utils.information.network_info import recipes

    for spec in SPECS.values():
        found = recipes(spec.recipes)
        assert found.keys() == {path.stem for path in spec.recipes.glob("*.yaml")}
        assert all(len(why) > 10 for why in found.values()), found


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], ["nothing is named", "mindzoo info NETWORK", "densenet121", "hrnet_w48"]),
        (["densnet121"], ["densnet121 is no network and no file (did you mean densenet121?)"]),
        (["--layer_table"], ["nothing is named"]),
        (["densenet121", "--flavor", "zoo"], ["unknown flag --flavor", "--flavour"]),
        (["densenet121", "--unit", "zoo"], ["unknown flag --unit"]),
        (["densenet121", "--growth_rate", "100000"], ["would have at least", "info looks at up to 500,000,000"]),
        (["hrnet_w48", "--modules", "1,1,9999999"], ["would have at least"]),
        (["genet_res50", "--layers", "1,1"], ["wanted"]),
        (["multigrain", "--image_size", "4096"], ["up to 2048 pixels per side"]),
        (["densenet121", "--image_size", "8"], ["needs at least 32 pixels"]),
        (["densenet121", "--image_size", "32,32,3"], ["wanted height,width"]),
        (["densenet121", "--num_classes", "0"], ["num_classes"]),
        (["densenet121", "--output", "x.txt"], ["ends in .json"]),
    ],
)
def test_wrong_words_are_refused(capsys: pytest.CaptureFixture[str], words: list[str], wanted: list[str]) -> None:
    assert cli.main(["info", *words]) == 2
    error = capsys.readouterr().err
    assert [text for text in wanted if text not in error] == [], error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "wanted"), [(["--help"], "[FILE ...]"), (["densenet121", "--help"], "--layer_table")]
)
def test_help(capsys: pytest.CaptureFixture[str], words: list[str], wanted: str) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["info", *words])
    assert left.value.code == 0
    assert wanted in capsys.readouterr().out
