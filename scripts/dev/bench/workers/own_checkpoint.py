"""Writes a checkpoint of a mindzoo network with drawn weights."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import get_spec  # noqa: E402
from mindzoo.utils import runtime  # noqa: E402
from mindzoo.utils.checkpoints.checkpoint_file import save_checkpoint  # noqa: E402
from mindzoo.utils.data.transforms import Preprocessing  # noqa: E402


def main() -> int:
    settings = json.loads(sys.argv[1])
    spec = get_spec(settings["network"])
    runtime.start("CPU", seed=settings["seed"])
    config = spec.train_config(image_size=(settings["size"],), **(spec.small if settings["small"] else {}))
    options = spec.network_options(config)
    network = spec.make(settings["classes"], options)
    meta = {
        "network": spec.name,
        "options": options,
        "num_classes": settings["classes"],
        "classes": settings["names"],
        "preprocessing": Preprocessing.from_config(config).to_dict(),
    }
    save_checkpoint(Path(settings["output"]), network.parameters_dict(), meta)
    return 0


if __name__ == "__main__":
    sys.exit(main())
