"""What stands beside an exported file, for its user: a script that names the classes of images with it, without mindzoo,
and how Ascend's chips scale images."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

from mindzoo.utils.config.keys import ExportConfig
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.inference import ascend_model
from mindzoo.utils.log import logger

# They are modules, so that they are checked as all others are; nothing imports them.
TEMPLATE, MINDIR_TEMPLATE = (Path(__file__).with_name(f"{kind}_sample.py") for kind in ("onnx", "mindir"))
# By format: what the name of the script ends in.
ENDINGS = {"ONNX": "_predict.py", "MINDIR": "_predict_mindir.py"}
AIPP_ENDING = "_aipp.cfg"


def facts_path(target: Path) -> Path:
    """NAME.onnx.json beside NAME.onnx."""
    return target.with_name(f"{target.name}.json")


def names(target: Path, file_format: str) -> list[Path]:
    """All that may stand beside the exported file `target`."""
    endings = [ENDINGS.get(file_format, ""), AIPP_ENDING if file_format in ascend_model.FRAMEWORKS else ""]
    return [facts_path(target), *(target.with_name(target.stem + ending) for ending in endings if ending)]


def texts(target: Path, config: ExportConfig, how: Preprocessing) -> dict[Path, str]:
    """What stands beside `target` but for the facts, without what somebody has changed there; that is said."""
    made: dict[Path, str] = {}
    if ending := ENDINGS.get(config.file_format):
        made[target.with_name(target.stem + ending)] = sample_text(target, config.file_format)
    if name := aipp_name(target, config, how):
        made[target.with_name(name)] = ascend_model.aipp_config(how)
    return {path: text for path, text in made.items() if not _is_changed(path, text)}


def aipp_name(target: Path, config: ExportConfig, how: Preprocessing) -> str:
    """The file with AIPP's configuration; empty where there is none: the network scales by itself, or no AIPP could."""
    if config.file_format not in ascend_model.FRAMEWORKS or config.preprocess == "inside":
        return ""
    return target.stem + AIPP_ENDING if ascend_model.can_scale(how) else ""


def sample_text(target: Path, file_format: str) -> str:
    """The script for the exported file `target`."""
    text = TEMPLATE.read_text(encoding="utf-8")
    if file_format == "MINDIR":
        text = _replaced(text, MINDIR_TEMPLATE.read_text(encoding="utf-8"))
    return text.replace(f'"NAME{target.suffix.lower()}"', repr(target.name))


def _replaced(text: str, other: str) -> str:
    """The script with those pieces that another one has too replaced by its own, and with the imports that these need."""
    pieces, own = _pieces(other), _pieces(text)
    imports = {line for line in own["imports"].splitlines() if line and line != "import onnxruntime"}
    pieces["imports"] = _sorted_imports(imports.union(filter(None, pieces["imports"].splitlines())))
    for name, piece in own.items():
        text = text.replace(piece, pieces.get(name, piece))
    return text


def _pieces(text: str) -> dict[str, str]:
    """The docstring, the block of imports, and each constant and function, by name."""
    lines, found = text.splitlines(keepends=True), {}
    body = ast.parse(text).body
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    found["imports"] = "".join(lines[imports[0].lineno - 1 : imports[-1].end_lineno])
    for node in body:
        source = "".join(lines[node.lineno - 1 : node.end_lineno])
        match node:
            case ast.Expr():
                found["docstring"] = source
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.FunctionDef(name=name):
                found[name] = source
    return found


def _sorted_imports(lines: Iterable[str]) -> str:
    """Python's own modules first, as one usually has them."""
    ordered = sorted(lines, key=lambda line: (not line.startswith("import"), line))
    of_python = [line for line in ordered if line.split()[1].partition(".")[0] in sys.stdlib_module_names]
    others = [line for line in ordered if line not in of_python]
    return "\n".join([*of_python, "", *others, ""])


def _is_changed(path: Path, text: str) -> bool:
    """Whether there is a file by that name already which is another: somebody's own, that is kept, and it is said."""
    try:
        changed = path.read_text(encoding="utf-8", errors="replace") != text
    except FileNotFoundError:
        return False
    if changed:
        logger.info("kept %s, which is not as mindzoo writes it; remove it to have it written anew", path)
    return changed
