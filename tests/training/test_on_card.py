"""What a training does on an Ascend card, by answers of a card that is not there."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.models import SPECS
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.cluster.card import Card
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.training import on_card, setup

FIRST, SECOND, THIRD = Card("ascend910"), Card("Ascend910B3"), Card("ascend910_93")
DYNAMIC = TrainConfig(is_dynamic_loss_scale=True)
# What the original training scripts computed in on Ascend.
ORIGINALS = {"densenet121": "O3", "genet_res50": "O3", "glore_res50": "O0", "hrnet_w48": "O3", "multigrain": "O3"}


@pytest.mark.parametrize("name", SPECS)
def test_precision_on_ascend_is_that_of_the_original(name: str) -> None:
    spec = SPECS[name]
    config = spec.train_config()
    assert on_card.precision(spec, config, "Ascend") == ORIGINALS[name]
    assert on_card.precision(spec, config, "CPU") == "O0"
    assert on_card.precision(spec, dataclasses.replace(config, amp_level="O2"), "Ascend") == "O2"


def test_registers_are_read_where_overflow_saturates() -> None:
    told_to = Card("ascend910b", saturation_asked=True)
    for card, wanted in ((FIRST, True), (told_to, True), (SECOND, False), (THIRD, False)):
        assert (on_card.registers(DYNAMIC, "Ascend", card, second_order=False) is not None) == wanted
    assert on_card.registers(DYNAMIC, "CPU", Card(), second_order=False) is None
    assert on_card.registers(TrainConfig(), "Ascend", FIRST, second_order=True) is None


@pytest.mark.parametrize(
    ("card", "second_order", "said"),
    [
        (FIRST, True, "Ascend 910A (ascend910) saturates: an overflow in the second-order factors would not be seen"),
        (
            Card("Ascend310P3"),
            False,
            "how Ascend of an unknown generation (Ascend310P3) shows an overflow is not known",
        ),
    ],
)
def test_a_dynamic_scale_that_could_not_be_right_is_refused(card: Card, second_order: bool, said: str) -> None:
    with pytest.raises(UserError) as caught:
        on_card.registers(DYNAMIC, "Ascend", card, second_order=second_order)
    assert said in str(caught.value)
    assert "--is_dynamic_loss_scale false" in str(caught.value)


def test_the_dynamic_scale_is_named_where_one_overflow_spoils_the_weights() -> None:
    def said(card: Card, level: str, *, dynamic: bool) -> str:
        return "\n".join(on_card.notes(TrainConfig(is_dynamic_loss_scale=dynamic), level, "Ascend", card))

    assert "one overflow of float16 makes the weights NaN" in said(SECOND, "O2", dynamic=False)
    assert (
        said(SECOND, "O0", dynamic=False) == said(SECOND, "O2", dynamic=True) == "computing on Ascend A2 (Ascend910B3)"
    )
    assert "--is_dynamic_loss_scale true skips" in said(FIRST, "O3", dynamic=False)
    assert said(FIRST, "O3", dynamic=True).endswith("a loss that is not finite is never seen")
    assert list(on_card.notes(DYNAMIC, "O0", "CPU", Card())) == []


def test_a_level_that_the_card_does_not_know_is_refused_and_elsewhere_it_is_said() -> None:
    config = TrainConfig(jit_level="O2")
    with pytest.raises(UserError, match=r"jit_level is O2, and this is Ascend A2 \(Ascend910B3\); wanted O0 or O1"):
        on_card.set_jit_level(config, "Ascend", SECOND)
    on_card.set_jit_level(config, "CPU", Card())
    loaded = Loaded(dataclasses.replace(config, deterministic=True), frozenset({"jit_level", "deterministic"}))
    lines = setup.ineffective(loaded, "CPU", level="O0", evaluated=True)
    assert lines == [
        f"{name} has no effect: it is for Ascend, and this is CPU" for name in ("jit_level", "deterministic")
    ]
    assert setup.ineffective(loaded, "Ascend", level="O2", evaluated=True) == []


def test_gradients_travel_in_the_originals_parts_or_by_size() -> None:
    by_size = {"mode": "size", "config": 32}
    assert on_card.fusion_of(SPECS["hrnet_w48"], 1000) == by_size
    assert on_card.fusion_of(SPECS["genet_res50"], 200) == {"mode": "index", "config": [85, 160]}
    assert on_card.fusion_of(SPECS["genet_res50"], 160) == by_size


DETERMINISTIC = """
import os
from mindzoo.utils import runtime
for device in ("CPU", "Ascend"):
    runtime.ask_for_same_bits(device)
    print(os.environ.get("HCCL_DETERMINISTIC"))
"""


FUSION = """
import mindspore as ms
from mindspore import nn
from mindzoo.models import SPECS
from mindzoo.utils.runtime import World
from mindzoo.utils.training import on_card
for device, size in (("CPU", 2), ("Ascend", 1), ("Ascend", 2)):
    on_card.fuse_gradients(SPECS["hrnet_w48"], nn.Dense(2, 2), device, World(0, size, True))
    print(ms.get_auto_parallel_context("comm_fusion"))
"""


def test_mindspore_is_told_on_several_ranks_of_ascend_only(tmp_path: Path) -> None:
    """In a process of its own: the setting stays."""
    lines = printed(FUSION, tmp_path)
    assert lines[0] == lines[1] != lines[2]
    assert "32" in lines[2]


def test_operators_with_the_same_bits_are_asked_for_on_ascend(tmp_path: Path) -> None:
    """The variable is what MindSpore's own `set_deterministic` sets for the card's communication."""
    assert printed(DETERMINISTIC, tmp_path) == ["None", "true"]


def printed(code: str, tmp_path: Path) -> list[str]:
    """Lines that the code prints in a process of its own."""
    (tmp_path / "mindzoo").symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_registers_are_cleared_before_the_forward_pass_and_read_after_the_backward_one(tmp_path: Path) -> None:
    """In MindSpore's graph before it looks for kernels, which the CPU does not have."""
    (tmp_path / "mindzoo").symlink_to(ROOT)
    code = (
        "import mindspore as ms; from mindspore import Tensor\n"
        "from mindzoo.tests.learning.test_train_step import batches, dense_network, make_step\n"
        "from mindzoo.utils.learning.overflow import StatusRegisters\n"
        f"ms.set_context(mode=ms.GRAPH_MODE, save_graphs=2, save_graphs_path={str(tmp_path / 'graphs')!r})\n"
        "step = make_step(dense_network(), registers=StatusRegisters(), dynamic_loss_scale=True)\n"
        "step(*map(Tensor, batches(1)[0]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "GLOG_v": "4"}
    subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    (graph,) = (tmp_path / "graphs").glob("*_validate_*.ir")
    text = graph.read_text()
    order = ["NPUClearFloatStatusV2", "MatMul(", "LogSoftmaxGrad(", "NPUGetFloatStatusV2", "Assign(%para", "Switch("]
    places = [text.index(f"PrimFunc_{name}" if name != "Switch(" else f"= {name}") for name in order]
    assert places == sorted(places)
    number, waiting = text[: places[0]].rsplit("%", 1)[1].split("(")[0], text[places[0] :]
    assert f"Depend(%para1_images, %{number})" in waiting
