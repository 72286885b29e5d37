"""Blocks of steps: what a device does with no word of the host's, and how many steps of it at one call."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Steps of a block where nobody says otherwise: some seconds, at 20 to 100 ms for a step.
SIZE = 50
# A smaller block that divides the epoch is not worth what its reports cost.
SMALLEST = 10


@dataclass(frozen=True)
class Blocks:
    """Where the blocks of a run end: every `size` steps of an epoch, at its end, and after `last_step`.

    A call of the device does `per_call` steps, and every block is a multiple of them.
    """

    size: int
    steps_per_epoch: int
    last_step: int
    per_call: int = 1

    def next(self, step: int) -> int:
        """Steps of the block that begins after `step` steps."""
        done = step % self.steps_per_epoch
        return min(self.size - done % self.size, self.steps_per_epoch - done, self.last_step - step)


def plan(sink_size: int, steps_per_epoch: int, *, step: int, last_step: int, loops: bool) -> Blocks:
    """The blocks of a run that goes on after `step` steps.

    Args:
        sink_size: steps of a block; 0: about SIZE.
        loops: the device does several steps at a call, of which the number is compiled into its graph: one that all
            blocks are multiples of. Where the size is free, one is taken that divides the epoch, if there is any.
    """
    size = min(sink_size or SIZE, steps_per_epoch)
    if not sink_size and loops:
        size = next((fits for fits in range(size, SMALLEST - 1, -1) if steps_per_epoch % fits == 0), size)
    per_call = math.gcd(size, steps_per_epoch, step, last_step) if loops else 1
    return Blocks(size, steps_per_epoch, last_step, per_call)
