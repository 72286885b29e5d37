"""What is said of vectors beside them: checked before anything is done by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.json_file import read_json
from mindzoo.utils.config.values import checked_values
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval.rows import may_be_path

HINT = "wanted a file that mindzoo embed wrote"
MOST_BYTES = 100_000_000  # images that could not be read are listed
LARGEST = (1 << 32) - 1  # what the search keeps the numbers of rows in
MAPPINGS = ("options", "checkpoint", "preprocessing")
COUNTS = ("count", "dimension")
WEIGHTS = ("averaged", "raw")
# Files of before have no word on these.
LATER = ("orientation",)


def read_facts(path: Path) -> dict[str, Any]:
    """The object in a file of facts; `check_facts` looks at it.

    Raises:
        UserError: missing, or no JSON object.
    """
    found = read_json(path, "file", HINT, most=MOST_BYTES, errors="surrogateescape")
    if not isinstance(found, dict):
        raise UserError(f"{path} is damaged: no JSON object; {HINT}")
    return found


def check_facts(path: Path, facts: Any) -> None:
    """Refuse facts that `mindzoo embed` does not write. What a network's options may be, only the network knows.

    Args:
        path: the file that they are in, for the sentence.

    Raises:
        UserError: says what is missing, or of another kind.
    """
    try:
        _check(facts)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}; embed the images again") from None


def is_source(facts: Any) -> bool:
    """Whether these facts can be compared with others."""
    return isinstance(facts, dict) and all(isinstance(facts.get(name), dict) for name in MAPPINGS)


def _check(facts: Any) -> None:
    if not isinstance(facts, dict):
        raise UserError("it says nothing of the vectors")
    for name in MAPPINGS:
        _check_kind(name, facts.get(name), dict)
    for name in COUNTS:
        _check_kind(name, facts.get(name), int)
        if not 1 <= facts[name] <= LARGEST:
            raise UserError(f"{name} is {facts[name]}; wanted a number from 1 to {LARGEST}")
    _check_kind("network", facts.get("network"), str)
    _check_kind("images", facts.get("images", ""), str)  # a whitening has none
    if not may_be_path(facts.get("images", "")):
        raise UserError("images is no path")
    for name in ("sha256", "weights"):
        _check_kind(f"checkpoint's {name}", facts["checkpoint"].get(name), str)
    if facts["checkpoint"]["weights"] not in WEIGHTS:
        raise UserError(f"weights are {facts['checkpoint']['weights']}; wanted {' or '.join(WEIGHTS)}")
    _check_preprocessing(facts["preprocessing"])


def _check_kind(name: str, value: Any, kind: type) -> None:
    if type(value) is not kind:
        wanted = {dict: "an object", int: "a whole number", str: "a text"}[kind]
        raise UserError(f"{name} is {'missing' if value is None else repr(value)[:40]}; wanted {wanted}")


def _check_preprocessing(values: Mapping[str, Any]) -> None:
    missing = [name for name in PreprocessingKeys.__annotations__ if name not in values and name not in LATER]
    if missing:
        raise UserError(f"preprocessing lacks {missing[0]}")
    PreprocessingKeys(**checked_values("preprocessing", values, PreprocessingKeys))
    if len(values["image_size"]) != 2:
        raise UserError("image_size has one number; wanted height and width")
