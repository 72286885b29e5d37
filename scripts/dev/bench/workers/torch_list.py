"""The list of timm's networks."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

from mindzoo.scripts.dev.bench.workers import torch_models  # noqa: E402

if __name__ == "__main__":
    print("\n".join(torch_models.names()))
