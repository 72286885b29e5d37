"""Writes the rank table of this server: python3 scripts/hccl_tools.py --device_num "[0,8)"; --help explains the flags."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "utils" / "importable.py"), run_name="importable anywhere")

from mindzoo.utils.cluster import hccl_tools  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(hccl_tools.hccl_tools())
