"""`python -m mindzoo …`, or `python FOLDER_OF_THE_CLONE …` where it is not installed: the mindzoo command.

`doctor` runs also where the package cannot: it is there to say why.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    ill = sys.argv[1:2] == ["doctor"]
    importable = Path(__file__).resolve().parent / "utils" / "importable.py"
    runpy.run_path(str(importable), run_name="importable anywhere" if ill else "importable")
    if ill:
        try:
            from mindzoo.utils.doctor.examination import main as doctor
        except ModuleNotFoundError as error:
            raise SystemExit(f"problem: {error}; run pip install -e {importable.parents[1]}") from None
        raise SystemExit(doctor(sys.argv[2:]))
    from mindzoo.cli import main

    raise SystemExit(main())
