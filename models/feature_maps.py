"""A network as a backbone: images -> its maps of several strides, as `features_only` of timm gives them."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn

FIRST_STRIDE = 2  # of the map with index 0; each further one has twice the stride of the one before
Maps = tuple[Tensor, ...]


class FeatureInfo:
    """What the maps of a backbone are, in the order in which it gives them."""

    def __init__(self, map_channels: Sequence[int], out_indices: Sequence[int]) -> None:
        self.out_indices = tuple(out_indices)
        self._channels = [map_channels[index] for index in out_indices]

    def channels(self) -> list[int]:
        """Of each map."""
        return list(self._channels)

    def reduction(self) -> list[int]:
        """Of each map, by how many times it is smaller than the image."""
        return [FIRST_STRIDE << index for index in self.out_indices]


class FeatureMaps(nn.Cell):
    """Images (B, in_channels, H, W) -> a tuple of maps (B, C, H/stride, W/stride) float32, from large to small.

    Its parameters are the network's, by the network's names.

    Args:
        network: has `maps`, which gives all its maps, and `map_channels`.
        out_indices: which maps; 0 is that of stride 2, and -1 the last one. None: all but that of stride 2.

    Raises:
        ValueError: the network has no such maps, or they are not in order.
    """

    def __init__(self, network: nn.Cell, out_indices: Sequence[int] | None = None) -> None:
        super().__init__(auto_prefix=False)
        count = len(network.map_channels)
        self.network, self.indices = network, _settled(range(1, count) if out_indices is None else out_indices, count)
        self.feature_info = FeatureInfo(network.map_channels, self.indices)

    def construct(self, x: Tensor) -> Maps:
        maps = self.network.maps(x)
        found: Maps = ()
        for index in self.indices:
            found = (*found, maps[index])
        return found


def _settled(wanted: Sequence[int], count: int) -> tuple[int, ...]:
    """The indices, counted from 0."""
    found = tuple(index + count if index < 0 else index for index in wanted)
    if not found or list(found) != sorted(set(found)) or found[0] < 0 or found[-1] >= count:
        raise ValueError(f"out_indices is {tuple(wanted)}; wanted some of 0 to {count - 1}, in that order")
    return found
