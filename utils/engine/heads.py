"""What is computed of a network: its logits, or its embedding."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn

from mindzoo.utils.engine.network_graph import EMBEDDING


class Embedding(nn.Cell):
    """(B, 3, H, W) -> (B, D) float32: `embed` of a network as a graph of its own."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images: Tensor) -> Tensor:
        return self.network.embed(images).astype(ms.float32)


def with_head(network: nn.Cell, head: str) -> nn.Cell:
    """The network, set to inference, with one of the heads of `network_graph`."""
    return (Embedding(network) if head == EMBEDDING else network).set_train(False)
