"""Losses on embeddings: copies of one image are to be close, other images far.

They take embeddings (B, C) float32 of length 1 and the instances (B,) int32 that they show: rows with one number are
copies of one image. They give a float32 scalar. Distances are Euclidean, all between the rows of one batch.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from mindzoo.utils.learning.hashed_uniform import HashedUniform

# Added to squared distances, whose root has no gradient at 0.
DISTANCE_EPSILON = 1e-8
# No two vectors of length 1 are farther apart.
FARTHEST = 2.0
# Of Wu et al.: closer negatives are drawn like those at the floor, since their gradients are mostly noise; those at
# the cutoff or beyond give no gradient and are not drawn.
DISTANCE_FLOOR, DISTANCE_CUTOFF = 0.5, 1.4
# Far below every logarithm of a weight.
NEVER = -1e9


class MixedLoss(nn.Cell):
    """weight * cross entropy + (1 - weight) * metric loss.

    Berman et al. 2019, https://arxiv.org/abs/1902.05509. A part of weight 0 is not computed.

    Args:
        cross_entropy: (logits, labels) -> scalar.
        metric_loss: (embeddings, instances) -> scalar; its parameters are called `metric_loss.<name>`.
        weight: of the cross entropy.
        repeats: how many copies of one image follow each other in the batch.

    Raises:
        ValueError: a weight outside of 0..1, or fewer than two copies to compare.
    """

    def __init__(self, cross_entropy: nn.Cell, metric_loss: nn.Cell, weight: float, repeats: int) -> None:
        super().__init__()
        if not 0 <= weight <= 1:
            raise ValueError(f"the weight of the cross entropy is {weight}; wanted a number from 0 to 1")
        if weight < 1 and repeats < 2:
            raise ValueError(f"each image is in a batch {repeats} times; a metric loss wants 2 times or more")
        self.cross_entropy, self.metric_loss, self.weight = cross_entropy, metric_loss, weight
        self.repeats = repeats

    def construct(self, outputs: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        """Logits (B, K) and embeddings (B, C), labels (B,) int32 -> scalar."""
        logits, embeddings = outputs
        if self.weight == 1:
            return self.cross_entropy(logits, labels)
        instances = ops.arange(0, labels.shape[0], 1).astype(ms.int32) // self.repeats
        if self.weight == 0:
            return self.metric_loss(embeddings, instances)
        metric = self.metric_loss(embeddings, instances)
        return self.weight * self.cross_entropy(logits, labels) + (1 - self.weight) * metric


class TripletLoss(nn.Cell):
    """The mean over anchors of max(0, margin + distance to the farthest copy - distance to the closest other image).

    "Batch hard" of Hermans et al. 2017, https://arxiv.org/abs/1703.07737, equation 5. Rows without a copy, or without
    another image, are no anchors; without any anchor the loss is 0.
    """

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = margin

    def construct(self, embeddings: Tensor, instances: Tensor) -> Tensor:
        distance = _distances(embeddings.astype(ms.float32))
        copies, others = _pairs(instances)
        # Tensor.max and Tensor.min give a value and its place where operators run one by one, in a graph the value alone.
        farthest = ops.amax(distance * copies, 1)
        closest = ops.amin(distance * others + 2 * FARTHEST * (1 - others), 1)
        anchors = ops.amax(copies, 1) * ops.amax(others, 1)
        return (ops.relu(self.margin + farthest - closest) * anchors).sum() / ops.maximum(anchors.sum(), 1.0)


class MarginLoss(nn.Cell):
    """Copies are to be closer than beta - alpha, other images farther than beta + alpha.

    Wu et al. 2017, https://arxiv.org/abs/1706.07567, section 4.2: the sum of max(0, alpha + distance - beta) over all
    pairs of an anchor and a copy and of max(0, alpha - distance + beta) over the pairs with an image that was drawn for
    the anchor, divided by the number of pairs that are not 0.

    Args:
        beta: first value of the boundary, the parameter `beta`, which is learnt.
        seed: of the sampling; see DistanceWeightedSampler.
    """

    def __init__(self, alpha: float = 0.2, beta: float = 1.2, seed: int = 1) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = Parameter(Tensor(beta, ms.float32), name="beta")
        self.sampler = DistanceWeightedSampler(seed)

    def construct(self, embeddings: Tensor, instances: Tensor) -> Tensor:
        embeddings = embeddings.astype(ms.float32)
        distance = _distances(embeddings)
        copies, _ = _pairs(instances)
        drawn = self.sampler(embeddings, instances).astype(ms.float32)
        too_far = ops.relu(self.alpha + distance - self.beta) * copies
        too_close = ops.relu(self.alpha - distance + self.beta) * drawn
        active = (too_far > 0).astype(ms.float32).sum() + (too_close > 0).astype(ms.float32).sum()
        return (too_far.sum() + too_close.sum()) / ops.maximum(active, 1.0)


class DistanceWeightedSampler(nn.Cell):
    """Draws, for each anchor, as many other images as it has copies: (B, C), (B,) -> (B, B) bool, anchors in rows.

    Wu et al. 2017, section 4.1: the probability falls with how common a distance is, see `log_weights`. Images from a
    distance of 1.4 on are left out; where all are that far, all are equally likely. No image is drawn twice for an
    anchor: where fewer can be drawn than it has copies, all of them are.

    The largest of the weights' logarithms plus noise of the Gumbel distribution are a sample without replacement (Kool
    et al. 2019, https://arxiv.org/abs/1903.06059). The noise depends on the seed and on `uniform.draws`, so that a
    training that is resumed draws the same images.
    """

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self.uniform = HashedUniform(seed)

    def construct(self, embeddings: Tensor, instances: Tensor) -> Tensor:
        embeddings = ops.stop_gradient(embeddings)
        batch, length = embeddings.shape
        distance = _distances(embeddings)
        copies, others = _pairs(instances)
        near = others * (distance < DISTANCE_CUTOFF).astype(ms.float32)
        candidates = near + others * (1 - ops.amax(near, 1, keepdims=True))
        gumbel = -ops.log(-ops.log(self.uniform(batch * batch).reshape((batch, batch))))
        keys = (log_weights(distance, length) + gumbel) * candidates + NEVER * (1 - candidates)
        ranks = ops.argsort(ops.argsort(keys, axis=1, descending=True), axis=1)
        drawn = ranks.astype(ms.float32) < copies.sum(1, keepdims=True)
        return ops.logical_and(drawn, candidates > 0)


def log_weights(distance: Tensor, length: int) -> Tensor:
    """The logarithm, up to a constant, of the probability to be drawn: any shape float32 -> the same.

    It is -log q(d), where q(d) = d^(C - 2) (1 - d^2 / 4)^((C - 3) / 2) is how common the distance d is between vectors
    of length 1 that have C = `length` numbers and any direction. Distances are limited to 0.5..1.4, so that images
    that are all too far weigh the same.
    """
    distance = ops.clamp(distance, DISTANCE_FLOOR, DISTANCE_CUTOFF)
    return (2 - length) * ops.log(distance) - (length - 3) / 2 * ops.log(1 - distance * distance / 4)


def _distances(embeddings: Tensor) -> Tensor:
    """(B, C) float32 -> (B, B) float32."""
    squares = (embeddings * embeddings).sum(1, keepdims=True)
    squared = squares + squares.T - 2 * ops.matmul(embeddings, embeddings.T)
    return ops.sqrt(ops.relu(squared) + DISTANCE_EPSILON)


def _pairs(instances: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) int32 -> two (B, B) float32 of 0 and 1: another row of the same instance; a row of another instance."""
    batch = instances.shape[0]
    same = ops.equal(instances.reshape((batch, 1)), instances.reshape((1, batch))).astype(ms.float32)
    return same - ops.eye(batch, batch, ms.float32), 1 - same
