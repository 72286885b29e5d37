"""Two kernels on the device, against NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from mindzoo.utils import runtime
from mindzoo.utils.learning.hashed_uniform import MIX_FACTORS
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import NotRight

SIDE = 128
# Of the largest product. A 910A multiplies matrices of float32 in float16, whose numbers have 11 bits.
TOLERANCE = {"CPU": 1e-5, "Ascend": 4e-3}


def multiply(job: Job) -> Found:
    """The product of two matrices, and products of integers that do not fit into their 32 bits.

    Raises:
        NotRight: one is another one.
    """
    runtime.start(job.device)
    draw = np.random.RandomState(1)
    a, b = (draw.standard_normal((SIDE, SIDE)).astype(np.float32) for _ in range(2))
    wanted = a.astype(np.float64) @ b
    found = ops.matmul(Tensor(a, ms.float32), Tensor(b, ms.float32)).asnumpy()
    difference = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    numbers = {"largest_relative_difference": difference, "tolerance": TOLERANCE[job.device]}
    if not difference <= TOLERANCE[job.device]:
        raise NotRight(
            f"a product differs by {difference:.1e} of the largest; wanted at most {TOLERANCE[job.device]:g}"
        )
    check_products(draw.randint(-(2**31), 2**31, SIDE, np.int32))
    return (
        f"products of matrices differ from NumPy's by {difference:.1e} of the largest, those of integers do not",
        numbers,
    )


def check_products(values: np.ndarray) -> None:
    """Multiply int32 by the factors of `HashedUniform`, whose draws need the lowest 32 bits of a product.

    Raises:
        NotRight: the device keeps others.
    """
    for factor in np.array(MIX_FACTORS, np.uint32).view(np.int32):
        wanted = (values.view(np.uint32) * factor.view(np.uint32)).view(np.int32)
        found = ops.mul(Tensor(values), Tensor(factor)).asnumpy()
        if wrong := int(np.count_nonzero(found != wanted)):
            raise NotRight(
                f"{wrong} of {len(values)} products of integers do not keep their lowest 32 bits: what a "
                "training draws here is not what it draws elsewhere"
            )
