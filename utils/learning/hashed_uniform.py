"""Random numbers that can be drawn again: functions of a seed and of a counter that a checkpoint holds.

MindSpore's own random operators keep a state that neither a seed nor a checkpoint reaches, so that a resumed training
would draw other numbers.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindzoo.utils.learning.step_state import counter

# The finaliser of MurmurHash3 (Appleby): a change of any bit changes every bit of the result with probability 1/2.
MIX_SHIFTS = (16, 13, 16)
MIX_FACTORS = (0x85EBCA6B, 0xC2B2AE35)
GOLDEN_RATIO = 0x9E3779B9  # of 2^32: its multiples are far from each other
# So many bits and a half still fit into a float32 without being rounded to 0 or 1.
BITS = 23


class HashedNumbers(nn.Cell):
    """Number of a draw (() int32), count -> (count,) float32, uniform in (0, 1), other ones for each draw.

    Args:
        seed: another one gives other numbers; ranks, which count alike, need different ones.

    All is constant.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.start = _int32(seed * GOLDEN_RATIO)
        self.factors = [_int32(factor) for factor in MIX_FACTORS]
        self.shifts = [_int32(shift) for shift in MIX_SHIFTS]
        self.masks = [_int32((1 << (32 - shift)) - 1) for shift in MIX_SHIFTS]
        self.drop, self.kept = _int32(32 - BITS), _int32((1 << BITS) - 1)

    def construct(self, draw: Tensor, count: int) -> Tensor:
        key = self.mixed(draw + self.start)
        # Twice: after one round two draws would differ in the order of their numbers only, where their keys are close.
        bits = self.mixed(self.mixed(ops.bitwise_xor(ops.arange(0, count, 1).astype(ms.int32), key)) + key)
        bits = ops.bitwise_and(ops.bitwise_right_shift(bits, self.drop), self.kept)
        return (bits.astype(ms.float32) + 0.5) * (1.0 / (1 << BITS))

    def mixed(self, bits: Tensor) -> Tensor:
        bits = self.folded(bits, 0) * self.factors[0]
        bits = self.folded(bits, 1) * self.factors[1]
        return self.folded(bits, 2)

    def folded(self, bits: Tensor, step: int) -> Tensor:
        """bits ^ (bits >> shift), with zeros shifted in: on a negative number the shift itself brings ones."""
        shifted = ops.bitwise_and(ops.bitwise_right_shift(bits, self.shifts[step]), self.masks[step])
        return ops.bitwise_xor(bits, shifted)


class HashedUniform(nn.Cell):
    """count -> (count,) float32, uniform in (0, 1), other ones at each call.

    Args:
        seed: see `HashedNumbers`.

    The parameter `draws`, int32, counts the calls; all else is constant.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draws = counter("draws")
        self.numbers, self.one = HashedNumbers(seed), Tensor(1, ms.int32)

    def construct(self, count: int) -> Tensor:
        return self.numbers(ops.assign_add(self.draws, self.one) - self.one, count)


def _int32(value: int) -> Tensor:
    """The lowest 32 bits."""
    return Tensor(np.array(value & 0xFFFFFFFF, np.uint32).view(np.int32))
