"""Writes the rank table of this server: python3 scripts/hccl_tools.py --device_num "[0,8)"; --help explains the flags."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# It needs the standard library alone, so nothing is checked first.
runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"](ROOT, checked=False)

from mindzoo.utils.cluster import hccl_tools  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(hccl_tools.hccl_tools())
