"""`python -m mindzoo …`, or `python FOLDER_OF_THE_CLONE …` where it is not installed: the mindzoo command."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent / "utils" / "importable.py"), run_name="importable")
    from mindzoo.utils.cli import main

    raise SystemExit(main())
