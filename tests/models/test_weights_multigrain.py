"""Which files MultiGrain's weights may come from, and what becomes of the exponent, which most of them lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from safetensors.numpy import save_file

from mindzoo.models import create_model
from mindzoo.models.multigrain import SPEC
from mindzoo.models.multigrain.network import multigrain
from mindzoo.tests.support.reference import FILL, rows
from mindzoo.tests.support.trainings import tiny
from mindzoo.utils import commands, log
from mindzoo.utils.checkpoints import checkpoint_file, network_plan

SMALL: dict[str, Any] = {"layers": (1, 2, 1, 1), "base_width": 4}
Weights = dict[str, np.ndarray]


def small_weights(num_classes: int = 1001, **options: Any) -> Weights:
    network = multigrain(num_classes, **{**SMALL, **options})
    return {p.name: FILL["fill"](p.name, p.shape) for p in network.get_parameters() if p.name != "pool.p"}


def original_file(path: Path, weights: Weights, prefix: str = "") -> Path:
    """A training file as the original zoo's THOR writes it: beside the weights the matrices of each layer."""
    content: Weights = {f"{prefix}{name}": value for name, value in weights.items()}
    layers = [name for name, value in weights.items() if name.endswith(".weight") and value.ndim > 1]
    for number, name in enumerate(layers):
        layer, size = prefix + name.removesuffix(".weight"), weights[name].shape[0]
        matrix, one = np.eye(size, dtype=np.float32), np.ones((), np.float32)
        if weights[name].ndim == 4:
            content |= {f"{layer}.matrix_a_cov": matrix, f"{layer}.matrix_g_cov": matrix}
            content |= {f"{layer}.a_normalizer": one, f"{layer}.g_normalizer": one}
        else:
            content |= {f"{layer}.matrix_a": matrix, f"{layer}.matrix_g": matrix}
        content |= {f"matrix_a_inv_{number}": matrix, f"matrix_g_inv_{number}": matrix}
        content |= {f"matrix_max{number}": one, f"moments.{name}": np.zeros_like(weights[name])}
    content |= {"cov_step": np.array([5], np.int32), "global_step": np.array([5], np.int32)}
    content |= {"damping": np.zeros(5, np.float32), "learning_rate": np.zeros(5, np.float32)}
    content |= {name: np.ones((), np.int32) for name in ("momentum", "epoch_num", "step_num")}
    ms.save_checkpoint(rows(content), str(path))
    return path


def assert_weights(network: nn.Cell, wanted: Weights, p: float) -> None:
    found = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    assert found.pop("pool.p") == np.float32(p)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("prefix", ["", "network."])
@pytest.mark.parametrize("backbone", ["resnet50", "se_resnet50"])
def test_a_training_file_of_the_original_zoos_thor_loads(
    tmp_path: Path, backbone: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = small_weights(backbone=backbone)
    path = original_file(tmp_path / "resnet-42_5004.ckpt", weights, prefix)
    log.start()
    network = create_model("multigrain", checkpoint=path)
    assert (network.backbone, network.flavour, network.end_point.out_channels) == (backbone, "zoo", 1001)
    assert_weights(network, weights, 3)
    total = len(weights) + 1
    assert (
        f"load model {path} success: {total - 1} of {total} parameters loaded, 0 missing, 0 unexpected, 0 mismatched; "
        "1 of pool.p as they are; weights of origin zoo, flavour zoo" in capsys.readouterr().out
    )
    state = checkpoint_file.read_checkpoint(path, SPEC).state
    layer = f"{prefix}layer1.0.conv1"
    assert {f"{layer}.matrix_a_cov", f"{layer}.g_normalizer", f"{prefix}end_point.matrix_g"} <= state.keys()
    assert {"matrix_a_inv_3", "matrix_g_inv_0", "matrix_max3", "cov_step", "damping", "global_step"} <= state.keys()


def torch_names(weights: Weights, trunk: str, classifier: str) -> Weights:
    """PyTorch's names, written out here independently of the code under test."""
    words = {".gamma": ".weight", ".beta": ".bias", ".moving_mean": ".running_mean", ".moving_variance": ".running_var"}
    content = {}
    for name, value in weights.items():
        for ours, theirs in words.items():
            name = name.replace(ours, theirs)
        name = name.replace("down_sample_layer", "downsample")
        content[name.replace("end_point", classifier) if "end_point" in name else trunk + name] = value
    content[f"{trunk}bn1.num_batches_tracked"] = np.array(7)
    return content


def test_a_resnet_of_torchvision_or_timm_keeps_the_exponent_that_is_configured(tmp_path: Path) -> None:
    weights, path = small_weights(1000), tmp_path / "x.safetensors"
    save_file(torch_names(weights, "", "fc"), path)
    network = create_model("multigrain", checkpoint=path)
    assert network.flavour == "paper"
    assert_weights(network, weights, 3)
    assert_weights(create_model("multigrain", checkpoint=path, gem_p=1.0), weights, 1)


@pytest.mark.parametrize("whitening", [False, True])
def test_a_file_of_the_authors_brings_its_exponent_unless_another_is_given(tmp_path: Path, whitening: bool) -> None:
    weights, path = small_weights(1000, whitening=whitening), tmp_path / "x.safetensors"
    content = torch_names({n: v for n, v in weights.items() if "whitening" not in n}, "features.", "classifier")
    content["pool.p"] = np.array(2.5, np.float32)
    if whitening:
        content |= {"whitening.pca.pca_P": weights["whitening.projection"]}
        content |= {"whitening.pca.pca_m": weights["whitening.mean"]}
    save_file(content, path)
    assert_weights(create_model("multigrain", checkpoint=path), weights, 2.5)
    assert_weights(create_model("multigrain", checkpoint=path, gem_p=4.0), weights, 4)


def test_a_training_from_weights_takes_their_exponent_unless_another_is_given(colors: Path, tmp_path: Path) -> None:
    """Checkpoints say which one it was. The new classifier and the exponent are both not the file's."""
    path = original_file(tmp_path / "x.ckpt", small_weights(1001, layers=(1, 1, 1, 1)))
    flags = [*tiny("multigrain"), "--learn_p", "0", "--optimizer", "momentum", "--max_steps", "1", "--lr", "0"]
    first = [*flags, "--pretrained", str(path), "--replace_head", "--gem_p", "2", "--freeze", "conv1.*,bn1.*,layer*"]
    plain = ["--classification_weight", "1", "--batch_size", "18", "--data_dir", str(colors / "train")]
    assert commands.train(SPEC, [*first, *plain, "--output_dir", str(tmp_path / "out")]) == 0
    saved = tmp_path / "out" / "resnet-1_1.ckpt"
    found = checkpoint_file.read_checkpoint(saved, SPEC)
    assert (found.meta["num_classes"], found.meta["options"]["gem_p"], float(found.weights["pool.p"])) == (3, 2, 2)
    np.testing.assert_array_equal(found.weights["conv1.weight"], small_weights()["conv1.weight"])
    assert network_plan.plan_network(SPEC, found).options["gem_p"] == 2
    given = network_plan.plan_network(SPEC, found, options={"gem_p": 5.0})
    assert (given.options["gem_p"], given.kept) == (5, ("pool.p",))
    assert network_plan.plan_network(SPEC, found, num_classes=9, replace_head=True).kept == ("end_point",)
    assert float(create_model("multigrain", checkpoint=saved).pool.p) == 2
    assert float(create_model("multigrain", checkpoint=saved, gem_p=5.0).pool.p) == 5
