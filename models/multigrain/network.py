"""MultiGrain: one embedding that serves classification and the retrieval of instances.

Paper: Berman et al., "MultiGrain: a unified image embedding for classes and instances", 2019,
https://arxiv.org/abs/1902.05509
Input: (B, 3, H, W) float32, normalised, of any size.  Output: (B, num_classes) float32 logits.

A ResNet's last feature map is pooled by a generalised mean (GeM), which a linear classifier sees as it is and which
is compared between images after division by its length. Training on small images and using larger ones with a higher
exponent p is part of the method, so p is a parameter: a file of weights holds it, and it may be learnt.

The backbones and their two flavours, "zoo" and "paper", are described in `resnet.py`, whitening in
`whitening.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.models.layers import TruncatedNormal, classifier, dropout
from mindzoo.models.multigrain.resnet import ResNet
from mindzoo.models.multigrain.whitening_layer import WhiteningLayer, normalised

GEM_FLOOR = 1e-6


class GeM(nn.Cell):
    """Generalised-mean pooling: (B, C, H, W) -> (B, C) float32, (mean of max(x, 1e-6)^p)^(1/p) over the map.

    Radenovic et al. 2018, https://arxiv.org/abs/1711.02512. p = 1 that is not learnt is the plain mean. A high p
    comes close to the maximum.

    Args:
        p: the exponent, kept as the parameter `p`, a scalar.
        learnt: whether p gets a gradient.

    Raises:
        ValueError: p is not positive.
    """

    def __init__(self, p: float, *, learnt: bool) -> None:
        super().__init__()
        if not p > 0:
            raise ValueError(f"gem_p is {p}; wanted a positive number")
        self.learnt = learnt
        self.p = Parameter(Tensor(p, ms.float32), name="p", requires_grad=learnt)
        self.one = Tensor(1.0, ms.float32)

    def construct(self, x: Tensor) -> Tensor:
        x = x.astype(ms.float32)
        positive = ops.maximum(x, GEM_FLOOR)
        # Any constant factor may be taken out of a generalised mean; with the largest value no power runs over, and
        # none of the map's largest values runs to zero.
        top = ops.stop_gradient(ops.amax(positive, (2, 3), True))
        mean = ops.pow(positive / top, self.p).mean((2, 3), keep_dims=True)
        pooled = (top * ops.pow(mean, ops.div(self.one, self.p))).reshape((-1, x.shape[1]))
        if self.learnt:  # also at 1, where the plain mean would give p no gradient
            return pooled
        return ops.select(ops.equal(self.p, self.one), x.mean((2, 3)), pooled)


class MultiGrain(ResNet):
    """A ResNet with GeM pooling and a classifier; see `multigrain` for the arguments."""

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: str,
        gem_p: float,
        learn_p: bool,
        flavour: str,
        layers: Sequence[int] | None,
        base_width: int,
        whitening: bool,
        zero_gamma: bool,
        in_channels: int,
        drop_rate: float,
    ) -> None:
        super().__init__(
            backbone=backbone, flavour=flavour, layers=layers, base_width=base_width, zero_gamma=zero_gamma,
            in_channels=in_channels,
        )  # fmt: skip
        self.pool = GeM(gem_p, learnt=learn_p)
        self.whitening = WhiteningLayer(self.channels) if whitening else nn.Identity()
        length = self.channels + 1 if whitening else self.channels
        self.dropout = dropout(drop_rate)
        self.end_point = classifier(length, num_classes, TruncatedNormal(0.01))

    def pooled(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C) float32: the embedding before it is normalised, what the classifier sees."""
        return self.whitening(self.pool(self.features(x)))

    def embed(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C) float32: the embedding, of length 1; C is 32 base_width, and one more if whitened."""
        return normalised(self.pooled(x))

    def logits_and_embedding(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> (B, num_classes) and (B, C) float32: what the network and `embed` give, in one pass."""
        pooled = self.pooled(x)
        return self.end_point(self.dropout(pooled)), normalised(pooled)

    def classify(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes) float32: the logits of `features`, which do not depend on the exponent."""
        return self.end_point(self.dropout(self.whitening(self.pool(features))))

    def construct(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


class LogitsAndEmbedding(nn.Cell):
    """The network for a training on both: (B, 3, H, W) -> logits and normalised embedding.

    Its parameters are the network's, by the network's names.
    """

    def __init__(self, network: MultiGrain) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.logits_and_embedding(x)


def multigrain(
    num_classes: int = 1000,
    *,
    backbone: str = "resnet50",
    gem_p: float = 3.0,
    learn_p: bool = False,
    flavour: str = "zoo",
    layers: Sequence[int] | None = None,
    base_width: int = 64,
    whitening: bool = False,
    zero_gamma: bool = False,
    in_channels: int = 3,
    drop_rate: float = 0.0,
) -> MultiGrain:
    """MultiGrain: with 1001 classes 25,559,081 trainable parameters on a ResNet-50, and one more if p is learnt.

    Args:
        num_classes: outputs of the classifier; 0 for none, so that the network gives what a classifier would see.
        backbone: "resnet50", "resnet101" or "se_resnet50".
        gem_p: first value of the exponent of the pooling; weights that are loaded may bring another.
        learn_p: train the exponent too.
        flavour: "zoo" or "paper": padding and epsilon, see `resnet.py`.
        layers: blocks of layer1 to layer4; None or empty for the backbone's own.
        base_width: channels after the stem; layer1 to layer4 have 4, 8, 16 and 32 times as many.
        whitening: whiten the embedding before the classifier; see `whitening.whitened`, which makes the weights.
        zero_gamma: the last batch norm of each block begins at 0 instead of 1, so that a new block does nothing
            (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1).
        in_channels: of the images.
        drop_rate: the share of the classifier's inputs that is 0 in training; the embedding has none of it.

    Raises:
        ValueError: an unknown backbone or flavour, not four layers, an unfit width, or a p that is not positive.
    """
    return MultiGrain(
        num_classes,
        backbone=backbone,
        gem_p=gem_p,
        learn_p=learn_p,
        flavour=flavour,
        layers=layers,
        base_width=base_width,
        whitening=whitening,
        zero_gamma=zero_gamma,
        in_channels=in_channels,
        drop_rate=drop_rate,
    )
