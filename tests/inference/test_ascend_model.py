"""AIPP's arithmetic, as CANN documents it, is our normalisation; the command line names the files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mindzoo.models import SPECS
from mindzoo.utils.config.keys import ExportConfig
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.inference import ascend_model, export_beside

# The documented types of AIPP's values are float16, and so may be what it gives.
HALF = 2e-3


def preprocessing(mean: tuple[float, ...], std: tuple[float, ...]) -> Preprocessing:
    return Preprocessing((50, 37), 0.875, "shorter", mean, std)


def values_of(text: str) -> dict[str, str]:
    """The keys of the one aipp_op, in the form of a protobuf's text."""
    (inside,) = re.findall(r"^aipp_op \{\n(.*?)^\}$", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip() for line in inside.splitlines() if not line.strip().startswith("#")]
    return dict(line.split(": ") for line in lines)


def aipp(pixels: np.ndarray, values: dict[str, str], kind: type[np.floating]) -> np.ndarray:
    """(H, W, 3) uint8 -> (3, H, W): pixel_out = (pixel_in - mean_chn - min_chn) * var_reci_chn, by channel."""
    planes = []
    for channel in range(3):
        low, factor = (kind(values[f"{name}_{channel}"]) for name in ("min_chn", "var_reci_chn"))
        planes.append((pixels[..., channel].astype(kind) - low) * factor)
    return np.stack(planes)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        *{(tuple(spec.eval_config().mean), tuple(spec.eval_config().std)) for spec in SPECS.values()},
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ((0.0, 0.25, 1.0), (1.0, 0.1, 0.3)),
    ],
)
def test_what_aipp_computes_is_our_normalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    wanted = ((pixels / 255 - mean) / std).transpose(2, 0, 1)
    values = values_of(ascend_model.aipp_config(preprocessing(mean, std)))
    np.testing.assert_allclose(aipp(pixels, values, np.float64), wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose(aipp(pixels, values, np.float16), wanted, rtol=HALF, atol=HALF)


def test_the_input_is_an_image_of_the_networks_size_in_rgb() -> None:
    values = values_of(ascend_model.aipp_config(preprocessing((0.5,) * 3, (0.2,) * 3)))
    assert (values["src_image_size_h"], values["src_image_size_w"]) == ("50", "37")
    wanted = {"aipp_mode": "static", "input_format": "RGB888_U8", "rbuv_swap_switch": "false", "crop": "false"}
    assert {name: values[name] for name in wanted} == wanted


def test_means_that_aipp_cannot_subtract_get_no_configuration() -> None:
    assert ascend_model.can_scale(preprocessing((0.0, 0.5, 1.0), (0.2,) * 3))
    assert not ascend_model.can_scale(preprocessing((-0.1, 0.5, 0.5), (0.2,) * 3))


@pytest.mark.parametrize(
    ("file_format", "name", "shape", "config", "wanted"),
    [
        (
            "ONNX",
            "net.onnx",
            ["any", 3, 224, 224],
            "net_aipp.cfg",
            'atc --model=net.onnx --framework=5 --output=net --input_shape="images:1,3,224,224" '
            "--insert_op_conf=net_aipp.cfg --soc_version=SOC_VERSION",
        ),
        ("AIR", "my net.air", [4, 3, 32, 32], "", 'atc --model="my net.air" --framework=1 --output="my net" --soc_version=SOC_VERSION'),
    ],
)  # fmt: skip
def test_the_command_line(file_format: str, name: str, shape: list[object], config: str, wanted: str) -> None:
    assert ascend_model.atc_command(file_format, name, shape, config) == wanted


@pytest.mark.parametrize(
    ("file_format", "preprocess", "mean", "beside"),
    [
        ("AIR", "outside", 0.5, ["net_aipp.cfg"]),
        ("AIR", "inside", 0.5, []),
        ("AIR", "outside", -0.5, []),
        ("ONNX", "outside", 0.5, ["net_aipp.cfg", "net_predict.py"]),
        ("ONNX", "inside", 0.5, ["net_predict.py"]),
        ("MINDIR", "outside", 0.5, ["net_predict_mindir.py"]),
    ],
)
def test_what_stands_beside_a_file(
    file_format: str, preprocess: str, mean: float, beside: list[str], tmp_path: Path
) -> None:
    target = tmp_path / f"net.{file_format.lower()}"
    config = ExportConfig(file_format=file_format, preprocess=preprocess)
    found = export_beside.texts(target, config, preprocessing((mean,) * 3, (0.2,) * 3))
    assert sorted(path.name for path in found) == beside
    assert found.keys() <= set(export_beside.names(target, file_format))
