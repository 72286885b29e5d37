"""Names the classes of images with an exported file: python NAME_predict_mindir.py IMAGE ...

Written by mindzoo beside NAME.mindir and NAME.mindir.json, for you to change. It needs numpy, mindspore and pillow from
11.3, and follows the steps in the .json file.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore
import numpy as np

MODEL = Path(__file__).with_name("NAME.mindir")


def load(facts: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """The exported network: the input of one image -> its logits (K,)."""
    # With oneDNN's code for AVX-512 convolutions of MindSpore 2.9 and 2.10 are very slow.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    graph = mindspore.nn.GraphCell(mindspore.load(str(MODEL)))
    batch_size = facts["input"]["shape"][0]

    def run(image: np.ndarray) -> np.ndarray:
        # The file's batch size is fixed: all of the batch are this image.
        return np.asarray(graph(mindspore.Tensor(np.repeat(image, batch_size, axis=0))).asnumpy()[0])

    return run
