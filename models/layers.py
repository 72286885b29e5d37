"""What two or more networks share: blocks and first weights."""

from __future__ import annotations

from mindspore.common.initializer import TruncatedNormal


def truncated_normal(sigma: float) -> TruncatedNormal:
    """A normal distribution of standard deviation `sigma` before it is cut at two of them on both sides.

    MindSpore's own bounds are absolute, -2 and 2, and cut nothing off at the sigmas that networks use.
    """
    return TruncatedNormal(sigma, 0.0, -2 * sigma, 2 * sigma)
