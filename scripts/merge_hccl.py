"""Joins the rank tables of servers into one: python3 scripts/merge_hccl.py SERVER_0.json SERVER_1.json ..."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# It needs the standard library alone, so nothing is checked first.
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

from mindzoo.utils.cluster import hccl_tools  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(hccl_tools.merge_hccl())
