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
        from mindzoo.utils.environment import find_problem

        if missing := find_problem("Python", "PyYAML"):  # what doctor itself is made of
            raise SystemExit(f"problem: {missing}")
        from mindzoo.utils.commands.command import run_command
        from mindzoo.utils.commands.of_machines import DOCTOR

        raise SystemExit(run_command(DOCTOR, None, sys.argv[2:], "mindzoo doctor"))
    register(ROOT)
    from mindzoo.cli import main

    raise SystemExit(main())
