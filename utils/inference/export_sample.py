"""The script beside an ONNX file that names the classes of images with it, without mindzoo."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.log import logger

# It is a module, so that it is checked as all others are; nothing imports it.
TEMPLATE = Path(__file__).with_name("onnx_sample.py")
ENDING = "_predict.py"


def sample_path(target: Path) -> Path:
    """Beside the exported file `target`: NAME_predict.py beside NAME.onnx."""
    return target.with_name(target.stem + ENDING)


def sample_text(target: Path) -> str:
    """The script for the exported file `target`."""
    return TEMPLATE.read_text(encoding="utf-8").replace('"NAME.onnx"', repr(target.name))


def is_changed(target: Path) -> bool:
    """Whether there is a script by that name already which is another: somebody's own, that is kept, and it is said."""
    path = sample_path(target)
    try:
        changed = path.read_text(encoding="utf-8", errors="replace") != sample_text(target)
    except FileNotFoundError:
        return False
    if changed:
        logger.info("kept %s, which is not as mindzoo writes it; remove it to have it written anew", path)
    return changed
