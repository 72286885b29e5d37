"""Joins the rank tables of servers into one: python3 scripts/merge_hccl.py SERVER_0.json SERVER_1.json ..."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable anywhere")

from mindzoo.utils.cluster import hccl_tools  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(hccl_tools.merge_hccl())
