"""How many images per second a training step takes, against what the original README claims for one card."""

from __future__ import annotations

import time

from mindzoo.utils import runtime
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.selftest import first_losses
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import LeftOut, NotRight
from mindzoo.utils.training import on_card

WARM_UP, STEPS = 3, 20
# The claim is of another MindSpore, with images from a disk, and with other cards: less than this share is a fault.
LEAST_SHARE = 0.5


def measure(job: Job) -> Found:
    """The bare step, at the published batch size, in the precision of the original; no images are read.

    Raises:
        LeftOut: nothing is published, or nothing that can be believed.
        NotRight: it is slower than half of the claim.
    """
    (spec,) = job.specs
    claim = spec.published_step
    if claim is None:
        raise LeftOut("the original README gives no figure")
    if claim.doubt:
        raise LeftOut(f"the published {claim.milliseconds:g} ms per step cannot be compared with: {claim.doubt}")
    runtime.start(job.device)
    config = first_losses.configuration(spec, small=job.small, batch_size=claim.batch_size)
    level = on_card.precision(spec, config, job.device)
    num_classes = first_losses.classes(job.small)
    found = images_per_second(
        first_losses.build(spec, config, level, num_classes, WARM_UP + STEPS), config, num_classes
    )
    share = found / claim.images_per_second
    numbers = {
        "images_per_second": round(found, 1),
        "published": round(claim.images_per_second, 1),
        "source": claim.source,
        "batch_size": claim.batch_size,
        "amp_level": level,
    }
    said = f"{found:.0f} images/s; published {claim.images_per_second:.0f} per card of {claim.cards} ({claim.source})"
    if share < LEAST_SHARE:
        raise NotRight(f"{said}: {share:.0%} of it; wanted at least {LEAST_SHARE:.0%}")
    return said, numbers


def images_per_second(step: TrainStep, config: TrainConfig, num_classes: int) -> float:
    """Of steps behind the first ones, until the device has finished the last."""
    images, labels = first_losses.batch(config, num_classes)
    for _ in range(WARM_UP):
        step(images, labels).asnumpy()
    started = time.perf_counter()
    for _ in range(STEPS):
        loss = step(images, labels)
    loss.asnumpy()
    return STEPS * config.batch_size / (time.perf_counter() - started)
