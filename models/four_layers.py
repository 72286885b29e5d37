"""What networks of a stem and four layers share: the way of an image through them."""

from __future__ import annotations

from mindspore import Tensor, nn

from mindzoo.models.layers import FromLayout, ToLayout


class FourLayers(nn.Cell):
    """A network with `conv1`, `bn1`, `maxpool` and `layer1` to `layer4`, of which all but `layer1` halve the map."""

    map_channels: tuple[int, ...]  # of the stem's map and of those behind the layers

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = ToLayout(), FromLayout()

    def stem(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> the map of stride 2, in the order of axes that the network computes in."""
        return self.bn1(self.conv1(self.enter(x)))

    def features(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, C, H/32, W/32), sides rounded up: the last feature map, after the ReLU."""
        x = self.maxpool(self.stem(x))
        return self.leave(self.layer4(self.layer3(self.layer2(self.layer1(x)))))

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, in_channels, H, W) -> the maps of the strides 2, 4, 8, 16 and 32: of the stem, and behind each layer."""
        stem = self.stem(x)
        first = self.layer1(self.maxpool(stem))
        second = self.layer2(first)
        third = self.layer3(second)
        fourth = self.layer4(third)
        return self.leave(stem), self.leave(first), self.leave(second), self.leave(third), self.leave(fourth)
