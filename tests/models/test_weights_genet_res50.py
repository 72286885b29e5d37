"""What a checkpoint of Gather-Excite ResNet-50 shows of its network, and which files load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo.models import create_model
from mindzoo.models.genet_res50 import SPEC
from mindzoo.models.genet_res50.network import genet_res50
from mindzoo.models.genet_res50.weights import options_of
from mindzoo.tests.support.reference import FILL, rows, vectors
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.errors import UserError

SMALL: dict[str, Any] = {"layers": (1, 2, 1, 1), "base_width": 4, "image_size": (32, 64)}
VARIANTS = [(mlp, extra) for mlp in (True, False) for extra in (True, False)]


@pytest.mark.parametrize("gather", ["zoo", "paper"])
@pytest.mark.parametrize(("mlp", "extra"), VARIANTS)
def test_options_are_read_off_the_weights(mlp: bool, extra: bool, gather: str) -> None:
    options = {**SMALL, "mlp": mlp, "extra": extra, "gather": gather}
    weights = {parameter.name: parameter.asnumpy() for parameter in genet_res50(5, **options).get_parameters()}
    unseen = {(True, False): {"image_size"}, (False, False): {"image_size", "gather"}}.get((mlp, extra), set())
    assert options_of(weights) == {name: value for name, value in options.items() if name not in unseen}


def test_options_of_the_full_network() -> None:
    assert options_of(vectors("ms_genet_tt").weights) == {
        "mlp": True, "extra": True, "gather": "zoo", "image_size": (224, 224), "layers": (3, 4, 6, 3), "base_width": 64,
    }  # fmt: skip


def test_weights_of_other_networks_show_no_options() -> None:
    assert options_of(vectors("ms_densenet121").weights) is None
    assert options_of({}) is None
    resnet = {f"layer{number}.0.conv1.weight": np.zeros((8, 8, 1, 1)) for number in range(1, 5)}
    assert options_of({"conv1.weight": np.zeros((8, 3, 7, 7)), "end_point.weight": np.zeros((5, 8)), **resnet}) is None


@pytest.mark.parametrize("name", ["conv1.weight", "layer3.0.conv1.conv.weight", "layer4.0.downop.0.weight"])
def test_odd_weights_are_no_failure(name: str) -> None:
    weights = {p.name: p.asnumpy() for p in genet_res50(5, **SMALL).get_parameters()}
    found = options_of({**weights, name: np.array(1.0)})
    assert found is None or found["extra"] is False
    weights.pop(name)
    assert options_of(weights) == found


def original_file(path: Path, weights: dict[str, np.ndarray]) -> Path:
    """A training file as the original zoo writes it, with `network.` before the names and the optimizer's state."""
    trained = {name: value for name, value in weights.items() if not name.endswith(("moving_mean", "moving_variance"))}
    content = {
        **{f"network.{name}": value for name, value in weights.items()},
        **{f"moments.{name}": np.zeros_like(value) for name, value in trained.items()},
        "momentum": np.float32(0.9),
        "learning_rate": np.zeros(5, np.float32),
        "global_step": np.array([5], np.int32),
    }
    ms.save_checkpoint(rows(content), str(path))
    return path


@pytest.mark.parametrize(("mlp", "extra"), VARIANTS)
def test_a_training_file_of_the_original_zoo_loads_without_options(tmp_path: Path, mlp: bool, extra: bool) -> None:
    network = genet_res50(1001, **{**SMALL, "mlp": mlp, "extra": extra})
    weights = {p.name: FILL["fill"](p.name, p.shape) for p in network.get_parameters()}
    found = create_model("genet_res50", checkpoint=original_file(tmp_path / "GENet-150_625.ckpt", weights))
    assert found.end_point.out_channels == 1001
    assert {p.name for p in found.get_parameters()} == set(weights)
    for parameter in found.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name], err_msg=parameter.name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mlp": False}, r"mlp is false, and .*x\.ckpt is of a network with true"),
        ({"extra": False}, r"extra is false, and .*x\.ckpt is of a network with true"),
        ({"gather": "paper"}, r"gather is paper, and .*x\.ckpt is of a network with zoo"),
        ({"image_size": (64, 64)}, r"image_size is 64,64, and .*x\.ckpt is of a network with 32,64"),
    ],
)
def test_options_that_contradict_the_weights(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    ms.save_checkpoint(genet_res50(5, **SMALL), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=message):
        create_model("genet_res50", checkpoint=tmp_path / "x.ckpt", **options)


def test_a_file_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    weights = {p.name: p.asnumpy() for p in genet_res50(5, **SMALL).get_parameters()}
    weights.pop("layer2.1.downop.1.beta")
    ms.save_checkpoint(rows(weights), str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"1 missing \(layer2\.1\.downop\.1\.beta\)$"):
        create_model("genet_res50", checkpoint=tmp_path / "x.ckpt")


def test_an_evaluation_takes_network_and_image_size_from_the_weights(
    colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = genet_res50(3, layers=(1, 1, 1, 1), base_width=4, image_size=(64, 64), mlp=False)
    weights = {p.name: FILL["fill"](p.name, p.shape) for p in network.get_parameters()}
    path = original_file(tmp_path / "GENet-1_2.ckpt", weights)
    flags = ["--checkpoint_path", str(path), "--data_dir", str(colors / "val"), "--batch_size", "13"]
    assert commands.evaluate(SPEC, [*flags, "--device_target", "CPU", "--output_dir", str(tmp_path / "eval")]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("result: ")]
    assert re.fullmatch(rf"result: {{'top_5_accuracy': 1\.0, 'top_1_accuracy': 0\.\d+}} ckpt= {path}", line)
    assert (tmp_path / "eval" / "eval_rank_0.log").read_text().count(line) == 1


def test_a_checkpoint_of_ours_keeps_what_its_weights_do_not_show(tmp_path: Path) -> None:
    options = {**SMALL, "extra": False, "mlp": False, "gather": "paper", "image_size": (75, 41), "bn_momentum": 0.5}
    meta = {"network": "genet_res50", "num_classes": 5, "options": options, "classes": list("abcde")}
    checkpoint_file.save_checkpoint(tmp_path / "x.ckpt", genet_res50(5, **options).parameters_dict(), meta)
    found = create_model("genet_res50", checkpoint=tmp_path / "x.ckpt")
    assert (found.gather, found.image_size, found.bn_momentum) == ("paper", (75, 41), 0.5)
