"""The digest of a cell: the same for the same structure, another for whatever becomes a constant of its graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils.compiling.fingerprint import fingerprint

IMAGES = Tensor(np.zeros((2, 3, 8, 8), np.float32))


class Small(nn.Cell):
    """A cell with one of each kind of attribute."""

    def __init__(self, factor: float = 2.0, rates: tuple[float, ...] = (0.1, 0.2), kernel: int = 3) -> None:
        super().__init__(auto_prefix=False)
        ms.set_seed(1)  # counts the seeds of operators anew, as each command does
        self.layers = nn.SequentialCell([nn.Conv2d(3, 4, kernel), nn.BatchNorm2d(4), nn.Dropout(p=0.5)])
        self.factor, self.options = factor, {"a": [1, 2]}
        self.rates = Tensor(np.array(rates, np.float32))
        self.scale = Parameter(Tensor(1.0), name="scale")
        self.sum = ops.ReduceSum(keep_dims=True)
        self.apply_to = lambda x: x * factor

    def construct(self, x: Tensor) -> Tensor:
        return self.sum(self.layers(x) * self.factor * self.scale + self.rates[0], 1)


def test_two_cells_of_one_structure_are_the_same_whatever_their_weights() -> None:
    first, second = Small(), Small()
    second.scale.set_data(Tensor(5.0))
    second.layers[0].weight.set_data(Tensor(np.ones((4, 3, 3, 3), np.float32)))
    assert fingerprint(first, IMAGES) == fingerprint(second, IMAGES)


def test_compiling_and_calling_does_not_change_it() -> None:
    cell = Small()
    before = fingerprint(cell, IMAGES)
    cell.compile(IMAGES)
    cell(IMAGES)
    assert fingerprint(cell, IMAGES) == before


def changed(change: Callable[[Small], object]) -> Small:
    cell = Small()
    change(cell)
    return cell


@pytest.mark.parametrize(
    "make",
    [
        lambda: Small(factor=2.5),
        lambda: Small(rates=(0.1, 0.3)),
        lambda: Small(rates=(0.1, 0.2, 0.3)),
        lambda: Small(kernel=1),
        lambda: changed(lambda cell: setattr(cell.scale, "requires_grad", False)),
        lambda: changed(lambda cell: setattr(cell.scale, "name", "another")),
        lambda: changed(lambda cell: cell.options["a"].append(3)),
        lambda: changed(lambda cell: cell.sum.add_prim_attr("group", "x")),
        lambda: changed(lambda cell: setattr(cell, "sum", ops.ReduceSum())),
        lambda: changed(lambda cell: setattr(cell.layers[2], "seed0", 7)),
        lambda: changed(lambda cell: setattr(cell.layers[2], "p", 0.25)),
        lambda: changed(lambda cell: setattr(cell, "apply_to", lambda x: x)),
        lambda: changed(lambda cell: cell.set_train(True)),
        lambda: changed(lambda cell: cell.layers[0].to_float(ms.float16)),
        lambda: changed(lambda cell: cell.layers.append(nn.ReLU())),
    ],
)
def test_what_becomes_a_constant_changes_it(make: Callable[[], Small]) -> None:
    assert fingerprint(make(), IMAGES) != fingerprint(Small(), IMAGES)


def test_inputs_are_part_of_it() -> None:
    cell = Small()
    wider, half = Tensor(np.zeros((2, 3, 8, 16), np.float32)), IMAGES.astype(ms.float16)
    found = [fingerprint(cell, *inputs) for inputs in ((IMAGES,), (wider,), (half,), (IMAGES, True), (IMAGES, False))]
    assert len(set(found)) == len(found)
    assert fingerprint(cell, Tensor(np.ones((2, 3, 8, 8), np.float32))) == found[0]


def test_the_library_of_an_operator_is_part_of_it(tmp_path: Path) -> None:
    library, cell = tmp_path / "kernels.so", Small()
    cell.function = f"{library}:convolve"
    found = set()
    for content in (b"one", b"two"):
        library.write_bytes(content)
        found.add(fingerprint(cell, IMAGES))
    assert len(found) == 2
