"""What is computed of a network: its logits, its embedding, or its last maps."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn

from mindzoo.utils.engine.network_graph import EMBEDDING, LOGITS, MAPS

METHODS = {EMBEDDING: "embed", MAPS: "features"}  # of every network


class Method(nn.Cell):
    """A method of a network as a graph of its own; what it gives is float32."""

    def __init__(self, network: nn.Cell, name: str) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.method = network, getattr(network, name)

    def construct(self, x: Tensor) -> Tensor:
        return self.method(x).astype(ms.float32)


def with_head(network: nn.Cell, head: str) -> nn.Cell:
    """The network, set to inference, with one of the heads of `network_graph`."""
    return (network if head == LOGITS else Method(network, METHODS[head])).set_train(False)
