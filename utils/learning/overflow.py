"""Whether a number got too large on a card that saturates: there no finite test can tell, and the card's registers do.

The first generation of Ascend 910 makes the largest number of one that is too large, and 0 of NaN, and sets float status
registers. MindSpore's own loss scaling (`mindspore.amp.all_finite`, `TrainOneStepWithLossScaleCell`) reads them there.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.ops.operations.math_ops import NPUClearFloatStatusV2, NPUGetFloatStatusV2

REGISTERS = 8


class StatusRegisters(nn.Cell):
    """Results (a tuple of tensors) -> whether anything has overflowed since `cleared`, a bool scalar."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.clear, self.read = NPUClearFloatStatusV2(), NPUGetFloatStatusV2()
        self.zeros = Tensor([0] * REGISTERS, ms.int32)

    def cleared(self, value: Tensor) -> Tensor:
        """`value`, for what is computed after the registers were cleared."""
        return ops.depend(value, self.clear(self.zeros))

    def construct(self, results: tuple[Tensor, ...]) -> Tensor:
        return (self.read(ops.depend(self.zeros, results)) != 0).any()
