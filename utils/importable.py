"""Makes `import mindzoo` work in a clone that was never installed.

An entry point runs this file with `runpy` before it imports anything of the package. The folder that holds the
entry point becomes `mindzoo`, whatever it is called and whatever else is installed: a script of a clone runs the
code of that clone.

An entry point that is there to find out what is wrong takes `register` from this file and calls it by itself, with
`checked=False`.
"""

import importlib.util
import io
import sys
from pathlib import Path


def register(root: Path, *, checked: bool = True) -> None:
    """Import the package at `root` under the name `mindzoo`; exit with status 2 where it is `checked` and cannot run.

    From here on a console of any encoding gets every line, with an escape for what it cannot show.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if "mindzoo" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "mindzoo", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["mindzoo"] = package
    if not checked:
        return
    try:
        spec.loader.exec_module(package)
    except ImportError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None


if __name__ in ("importable", "__main__"):
    register(Path(__file__).resolve().parents[1])
