"""Train GENet: python train.py --data_dir FOLDER (--help explains every key)."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

from mindzoo.models.genet_res50 import SPEC  # noqa: E402
from mindzoo.utils.commands import train  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(train(SPEC))
