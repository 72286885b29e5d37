"""mindzoo's network on one batch that is in memory, as `create_model` gives it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

import mindspore as ms  # noqa: E402
import numpy as np  # noqa: E402

from mindzoo.models import create_model, get_spec  # noqa: E402
from mindzoo.scripts.dev.bench.serving import Step, serve  # noqa: E402
from mindzoo.utils import runtime  # noqa: E402


def prepare(settings: dict[str, Any]) -> Step:
    """Build the network and take the first batch."""
    runtime.start("CPU")
    spec = get_spec(settings["network"])
    options = {name: value for name, value in spec.small.items() if settings["small"] and name in spec.options}
    network = create_model(settings["network"], settings["classes"], **options)
    batch, size = settings["batch"], settings["size"]
    images = ms.Tensor(np.random.default_rng(0).standard_normal((batch, 3, size, size)).astype(np.float32))

    def step() -> int:
        assert np.isfinite(network(images).asnumpy()).all()
        return batch

    step()
    return step


if __name__ == "__main__":
    serve(prepare)
