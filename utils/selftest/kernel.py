"""One kernel on the device, against NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from mindzoo.utils import runtime
from mindzoo.utils.selftest.job import Found, Job
from mindzoo.utils.selftest.outcome import NotRight

SIDE = 128
# Of the largest product. A 910A multiplies matrices of float32 in float16, whose numbers have 11 bits.
TOLERANCE = {"CPU": 1e-5, "Ascend": 4e-3}


def multiply(job: Job) -> Found:
    """The product of two matrices.

    Raises:
        NotRight: it is another one.
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
    return f"a product of matrices differs from NumPy's by {difference:.1e} of the largest", numbers
