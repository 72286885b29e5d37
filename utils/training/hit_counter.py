"""Accuracy over a whole validation set, every image counted once."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindzoo.utils import progress, ranks
from mindzoo.utils.compiling import graphs
from mindzoo.utils.data import listing
from mindzoo.utils.data.loader import EvalData
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.records import EvalResult
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.runtime import World
from mindzoo.utils.scores.by_class import ClassCounts, count_by_class
from mindzoo.utils.scores.calibration import BINS, Calibration, calibrate

MOST_TOP = 5
# Of the sums of losses and of probabilities that ranks tell each other, and the largest such number.
UNIT, LARGEST = 2.0**-20, 2**47


class CountingStep(nn.Cell):
    """Images, labels and mask of a batch (B, …) -> its counts, and what was found of each image.

    The counts are float32 (4,): sum of losses, top-1 hits, top-k hits, images counted. Then the k most probable classes,
    int32 (B, k), and their probabilities, float32 (B, k).
    """

    def __init__(self, network: nn.Cell, num_classes: int, k: int, smoothing: float) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.k = network, k
        self.cross_entropy = SmoothedCrossEntropy(num_classes, smoothing, reduction="none")

    def construct(self, images: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.network(images).astype(ms.float32)
        losses = self.cross_entropy(logits, labels) * mask
        largest, best = ops.topk(logits, self.k)
        best = best.astype(ms.int32)
        hits = (best == labels.reshape(-1, 1)).astype(ms.float32) * mask.reshape(-1, 1)
        counts = ops.stack((losses.sum(), hits[:, 0].sum(), hits.sum(), mask.sum()))
        top = largest[:, :1]
        shares = ops.exp(largest - top) / ops.exp(logits - top).sum(axis=1, keepdims=True)
        return counts, best, shares


class HitCounter:
    """Evaluates one network again and again with one compiled graph. `smoothing` is that of the loss.

    Where the logits are computed elsewhere, the network is the identity.
    """

    def __init__(self, network: nn.Cell, num_classes: int, world: World, smoothing: float = 0.0) -> None:
        self.k = min(MOST_TOP, num_classes)
        self.step, self.compiled = CountingStep(network, num_classes, self.k, smoothing), False
        self.world, self.num_classes = world, num_classes
        self.found: list[tuple[np.ndarray, np.ndarray]] = []  # of each batch of this rank: best, shares
        self.by_class = ClassCounts(*np.zeros((3, num_classes), np.int64))  # of the last `run`, over all ranks

    def run(
        self, data: EvalData, before: Callable[[np.ndarray], np.ndarray] | None = None, *, lines: bool = False
    ) -> EvalResult:
        """Count hits over `data`; ranks add up what they counted once, at the end.

        Args:
            before: what is computed of the images in front of the network, such as the logits for an identity.
            lines: say in lines of the log how far it is, where no line moves; a training has lines of its own.

        Raises:
            UserError: an image cannot be decoded.
            RuntimeError: not every image was counted once.
        """
        self.step.set_train(False)
        loss, counts = 0.0, np.zeros(3, np.int64)
        self.found = []
        with progress.of("evaluate", data.valid, "images", lines=lines) as work:
            for images, labels, mask in data:
                if before:
                    images = Tensor(before(images.asnumpy()))
                batch = (images, labels, Tensor(mask))
                if not self.compiled:
                    graphs.compile_cell(self.step, "the evaluation graph, once per network", batch)
                    self.compiled = True
                sums, best, shares = (part.asnumpy() for part in self.step(*batch))
                self.found.append((best, shares))
                loss += float(sums[0])
                counts += np.rint(sums[1:]).astype(np.int64)
                work.advance(int(mask.sum()))
        return self._result(data, loss, counts)

    def _result(self, data: EvalData, loss: float, counts: np.ndarray) -> EvalResult:
        """What all ranks counted together.

        Args:
            counts: (3,) int64 of this rank: top-1 hits, top-k hits, images.
        """
        best, shares = self._own(data)
        labels, said = data.folders.labels[data.indices[: data.valid]], best[:, 0].astype(np.int32)
        sure = calibrate(shares[:, 0], said == labels)
        mine = count_by_class(labels, said, self.num_classes)
        whole, amounts = self._over_ranks(
            np.concatenate([counts, mine.hits, mine.said, sure.counts, sure.hits]), np.append(sure.sums, loss)
        )
        counts, hits, taken, in_bins, hits_in_bins = np.split(
            whole, np.cumsum([3, self.num_classes, self.num_classes, BINS])
        )
        top1, top5, total = (int(count) for count in counts)
        if total != len(data.folders):
            raise RuntimeError(f"counted {total} images of {len(data.folders)} in {data.folders.root}")
        images = np.bincount(data.folders.labels, minlength=self.num_classes)
        self.by_class = ClassCounts(images, hits, taken)
        return EvalResult(
            top1, top5, total, float(amounts[-1]) / total, self.k, self.by_class.balanced_accuracy,
            self.by_class.macro_f1, Calibration(in_bins, hits_in_bins, amounts[:-1]).error,
        )  # fmt: skip

    def _own(self, data: EvalData) -> list[np.ndarray]:
        """What the last `run` found of each image of this rank, (n, k) each: the most probable classes, their probabilities."""
        return [np.concatenate(parts)[: data.valid] for parts in zip(*self.found, strict=True)]

    def predictions(self, data: EvalData) -> Predictions:
        """What the last `run`, which was over `data`, found of each image; all ranks must call it together."""
        own, total = data.indices[: data.valid], len(data.folders)
        rows = np.zeros((total, 2 * self.k), np.float32)
        for half, part in enumerate(self._own(data)):
            rows[own, half * self.k : (half + 1) * self.k] = part
        # A class is below 2^24, so a float has it; every image is of one rank, and the others add zeros.
        rows = ranks.total(self.world, rows.reshape(-1)).reshape(rows.shape)
        images = data.folders
        best, shares = rows[:, : self.k].astype(np.int32), rows[:, self.k :]
        root = str(listing.absolute(images.root))
        return Predictions(root, images.classes, images.files, images.labels, best, shares)

    def _over_ranks(self, counts: np.ndarray, amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums over the ranks of counts (n,) int64, and of amounts (m,) float64 from 0 on.

        Amounts are sent in units of UNIT, which is exact as counts are, in whatever order they add.
        """
        if not self.world.connected:
            return counts, amounts
        # One that is not a number, or beyond what the digits hold, is that of all.
        units = np.where(np.isfinite(amounts), amounts, np.inf).clip(0, LARGEST * UNIT) / UNIT
        sums = ranks.total_counts(self.world, np.append(counts, np.rint(units).astype(np.int64)))
        amounts = sums[len(counts) :]
        return sums[: len(counts)], np.where(amounts < LARGEST, amounts * UNIT, np.nan)
