"""Dropout whose zeros are a function of the seed and of the batches that were seen, so that a run that goes on draws on.

MindSpore's own keeps a state that no checkpoint holds. The counter of draws is a state of the training, not a weight of
the network: a checkpoint has it beside the optimizer's, and the network that is made of it has none.
"""

from __future__ import annotations

from mindspore import Tensor, nn

from mindzoo.utils.learning.hashed_uniform import HashedUniform

STATE = "dropout_draws"  # what the names of the counters begin with
# Apart from the seeds of the loss, so that both do not draw the same numbers.
OFFSET = 500


class SeededDropout(nn.Dropout):
    """x -> x where it was drawn to stay, divided by the share that stays, else 0; in inference x itself.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, with the scale moved into the training. Made of
    an nn.Dropout by `seeded`.
    """

    def begin(self, seed: int, number: int) -> None:
        self.stays = 1.0 - self.p
        self.uniform = HashedUniform(seed)
        self.uniform.draws.name = f"{STATE}.{number}"

    def construct(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = self.uniform(x.size).reshape(x.shape) < self.stays
        return x * kept.astype(x.dtype) / self.stays


def seeded(network: nn.Cell, seed: int, rank: int) -> int:
    """Let each nn.Dropout of `network` draw by the seed; return how many there are.

    Ranks, which see other images, draw other numbers. A cell keeps its place and gets another class.
    """
    found = [cell for _, cell in network.cells_and_names() if type(cell) is nn.Dropout and cell.p]
    for number, cell in enumerate(found):
        cell.__class__ = SeededDropout
        cell.begin(1000 * seed + OFFSET + rank + number, number)
    return len(found)
