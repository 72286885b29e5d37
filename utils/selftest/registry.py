"""The steps of the protocol, in their order.

What a step needs is imported when it is taken: the process that watches over the steps never loads MindSpore, which may
hang or crash on a machine where something is wrong.
"""

from __future__ import annotations

from mindzoo.utils.selftest.job import Found, Job, Step

NEEDS_CARD = "only an Ascend card writes AIR files"
NO_FIGURE = "no figure is published for the CPU"


def _versions(job: Job) -> Found:
    from mindzoo.utils.selftest import versions

    return versions.check(job)


def _kernel(job: Job) -> Found:
    from mindzoo.utils.selftest import kernel

    return kernel.multiply(job)


def _train(job: Job) -> Found:
    from mindzoo.utils.selftest import first_losses

    return first_losses.compare(job)


def _overflow(job: Job) -> Found:
    from mindzoo.utils.selftest import overflow_drill

    return overflow_drill.drill(job)


def _sink(job: Job) -> Found:
    from mindzoo.utils.selftest import sink

    return sink.compare(job)


def _ranks(job: Job) -> Found:
    from mindzoo.utils.selftest import two_ranks

    return two_ranks.add(job)


def _mindir(job: Job) -> Found:
    from mindzoo.utils.selftest import exports

    return exports.write_and_compare(job, "MINDIR")


def _air(job: Job) -> Found:
    from mindzoo.utils.selftest import exports

    return exports.write_and_compare(job, "AIR")


def _speed(job: Job) -> Found:
    from mindzoo.utils.selftest import speed

    return speed.measure(job)


def _no_air(device: str, small: bool) -> str:
    return "" if device == "Ascend" else NEEDS_CARD


def _no_speed(device: str, small: bool) -> str:
    if device != "Ascend":
        return NO_FIGURE
    return "small networks have no published figure" if small else ""


STEPS = (
    Step("versions", "MindSpore, CANN and driver fit together, and the device is there", 150, _versions),
    Step("kernel", "two kernels compute what NumPy computes", 90, _kernel),
    Step("train", "a training step has the loss that was recorded on a CPU", 240, _train, of_each_network=True),
    Step("overflow", "a gradient that overflows is seen, its step skipped, the loss scale halved", 90, _overflow),
    Step("sink", "a data sink gives the loss of single steps", 150, _sink),
    Step("ranks", "two ranks add what each of them has", 120, _ranks),
    Step("mindir", "an exported file gives the network's logits", 240, _mindir, of_each_network=True),
    Step("air", "an AIR file can be written", 240, _air, of_each_network=True, why_not=_no_air),
    Step(
        "speed", "images per second, against the published figure", 180, _speed, of_each_network=True, why_not=_no_speed
    ),
)
