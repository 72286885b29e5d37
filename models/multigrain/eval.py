"""Evaluate MultiGrain: python eval.py --data_dir FOLDER --checkpoint_path CHECKPOINT (--help explains every key)."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

from mindzoo.models.multigrain import SPEC  # noqa: E402
from mindzoo.utils.commands import evaluate  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(evaluate(SPEC))
