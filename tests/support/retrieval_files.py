"""What the tests of retrieval share: a small checkpoint, files of vectors made by hand, and the commands."""

from __future__ import annotations

import gc
import io
import json
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindzoo import cli
from mindzoo.models import create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.errors import LONGEST_LINE, UserError
from mindzoo.utils.retrieval.vectors import facts_path, lines_path

OPTIONS: dict[str, Any] = {"block_config": [1, 1], "growth_rate": 4, "init_features": 8, "flavour": "zoo"}
HOW = Preprocessing((32, 32), 1.0, "square", (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
FACTS: dict[str, Any] = {
    "network": "densenet121",
    "options": OPTIONS,
    "checkpoint": {"file": "x.ckpt", "sha256": "ab" * 32, "weights": "raw"},
    "preprocessing": HOW.to_dict(),
    "images": "/nowhere",
}


def save_tiny_checkpoint(path: Path, seed: int = 1, **meta: Any) -> Path:
    """A DenseNet of a few layers for 32-pixel images, never trained."""
    ms.set_seed(seed)
    network = create_model("densenet121", num_classes=3, **OPTIONS)
    content = {"network": SPEC.name, "options": OPTIONS, "num_classes": 3, "preprocessing": HOW.to_dict(), **meta}
    checkpoint_file.save_checkpoint(path, network.parameters_dict(), content)
    return path


def write_vectors(path: Path, values: Any, names: Sequence[str] | None = None, **facts: Any) -> Path:
    """A file of vectors as `mindzoo embed` writes it, with these values."""
    array = np.asarray(values, np.float32)
    np.save(path, array)
    names = names or [f"{row % 3}/{row:05}.png" for row in range(len(array))]
    lines = [json.dumps({"path": name, "folder": str(Path(name).parent)}) for name in names]
    lines_path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    counts = {"count": len(array), "dimension": array.shape[1], "dtype": "float32", "unreadable": []}
    facts_path(path).write_text(json.dumps({**FACTS, **counts, **facts}), encoding="utf-8")
    return path


def run(*words: object) -> int:
    """The command `mindzoo` with these words; its exit status."""
    gc.collect()  # a cell that is collected after another was compiled makes MindSpore compile it again
    return cli.main([str(word) for word in words])


def refused(work: Callable[[], object], said: str) -> None:
    """Check that it ends with a sentence, and soon."""
    started = time.monotonic()
    with pytest.raises(UserError, match=said) as caught:
        work()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= LONGEST_LINE
    assert time.monotonic() - started < 5


def saved(array: Any) -> bytes:
    """The content of a .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy(shape: str, descr: str = "<f4", content: bytes = b"", head: str = "") -> bytes:
    """A .npy file that may say anything of itself."""
    text = (head or f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}") + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content
