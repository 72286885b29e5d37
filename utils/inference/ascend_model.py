"""What Ascend's compiler ATC needs beside an AIR or ONNX file: how the chip scales images (AIPP), and the command line.

By the documents of CANN; none of it was run by us.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.inference.export_graph import INPUT

SOURCES = (
    # The formula, and which keys there are.
    "https://www.hiascend.com/document/detail/en/canncommercial/800/devaids/atc/atlasatc_16_0022.html",
    "https://www.hiascend.com/document/detail/zh/canncommercial/850/devaids/atctool/atlasatc_16_0025.html",
    # The command line.
    "https://www.hiascend.com/document/detail/en/canncommercial/850/graph/graphdevg/atlasag_25_0083.html",
)
# As ATC numbers the kinds of files.
FRAMEWORKS = {"AIR": 1, "ONNX": 5}
SOC = "SOC_VERSION"  # stands for the chip, which nobody knows when the file is written
LARGEST = 255.0  # of what AIPP can subtract


def can_scale(how: Preprocessing) -> bool:
    """Whether AIPP can subtract these means: of pixels, from 0 to 255."""
    return all(0 <= 255 * mean <= LARGEST for mean in how.mean)


def aipp_config(how: Preprocessing) -> str:
    """The text of `aipp.cfg`: static, for uint8 pixels (H, W, 3), RGB, of the size of the network's input.

    AIPP computes (pixel - min_chn) * var_reci_chn, which is (pixel / 255 - mean) / std. It keeps both in float16.
    """
    height, width = how.image_size
    lines = [
        "# How the chip scales the pixels, by mindzoo, for atc --insert_op_conf. Not run by us: see the .json file.",
        "# The model then takes uint8, batch x height x width x 3, RGB, resized and cropped.",
        "aipp_op {",
        "    aipp_mode: static",
        "    related_input_rank: 0",
        "    input_format: RGB888_U8",
        f"    src_image_size_w: {width}",
        f"    src_image_size_h: {height}",
        "    crop: false",
        "    csc_switch: false",
        "    # true where the pixels come as BGR; red and blue change places before the values below are used.",
        "    rbuv_swap_switch: false",
        *(f"    min_chn_{channel}: {255 * mean:.6f}" for channel, mean in enumerate(how.mean)),
        *(f"    var_reci_chn_{channel}: {1 / (255 * std):.9f}" for channel, std in enumerate(how.std)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def atc_command(file_format: str, name: str, shape: Sequence[Any], config: str = "") -> str:
    """The command line that makes NAME.om of the file NAME, with SOC_VERSION for the chip.

    Args:
        shape: of the input, as the facts have it; a batch size that is open becomes 1.
        config: the file with AIPP's configuration.
    """
    stem = name.rpartition(".")[0]
    words = [f"atc --model={_quoted(name)}", f"--framework={FRAMEWORKS[file_format]}", f"--output={_quoted(stem)}"]
    if file_format == "ONNX":
        numbers = [1 if size == "any" else size for size in shape]
        words.append(f'--input_shape="{INPUT}:{",".join(map(str, numbers))}"')
    if config:
        words.append(f"--insert_op_conf={_quoted(config)}")
    return " ".join([*words, f"--soc_version={SOC}"])


def facts(file_format: str, name: str, shape: Sequence[Any], config: str) -> dict[str, Any]:
    """For the facts beside the file."""
    return {
        "aipp": config or None,
        "atc": atc_command(file_format, name, shape, config),
        "soc_version": "the chip: Ascend and the name that npu-smi info shows, such as Ascend310P3",
        "run_by_us": False,
        "sources": list(SOURCES),
    }


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
