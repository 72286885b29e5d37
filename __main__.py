"""`python -m mindzoo …`, or `python FOLDER_OF_THE_CLONE …` where it is not installed: the mindzoo command.

`doctor` runs also where the package cannot: it is there to say why.
"""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

if __name__ == "__main__":
    register = runpy.run_path(str(ROOT / "utils" / "importable.py"))["register"]
    if sys.argv[1:2] == ["doctor"]:
        register(ROOT, checked=False)
        try:
            from mindzoo.utils.commands import DOCTOR, run_command
        except ModuleNotFoundError as error:
            raise SystemExit(f"problem: {error}; run pip install -e {ROOT}") from None
        raise SystemExit(run_command(DOCTOR, None, sys.argv[2:], "mindzoo doctor"))
    register(ROOT)
    from mindzoo.cli import main

    raise SystemExit(main())
