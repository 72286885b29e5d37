"""The configuration keys of losses for classes of very different sizes."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class BalanceKeys:
    """Loss on classes of very different sizes"""

    effective_beta: float = key(
        0.999,
        "how fast further images of a class count less in its effective number; 0: classes weigh the same; near 1: as balanced",
        minimum=0,
        maximum=0.999999,
        only_with=("class_weights", ("effective",)),
    )
    loss: str = key(
        "cross_entropy",
        "loss on the classes; focal: the cross entropy, where what the network is sure of counts little",
        choices=("cross_entropy", "focal"),
    )
    focal_gamma: float = key(
        2.0,
        "power of the doubt that multiplies the focal loss; 0: the cross entropy",
        minimum=0,
        maximum=20,
        only_with=("loss", ("focal",)),
    )
    logit_adjustment: float = key(
        0.0,
        "how many times the logarithm of a class's share of the training images is added to its logit in the loss, so that rare classes are learnt as well; 1 is usual; 0: nothing is added",
        minimum=0,
        maximum=20,
    )
