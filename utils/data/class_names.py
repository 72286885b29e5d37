"""A file of class names, in the order of the outputs of a network: one a line, or a JSON list of them."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.config.json_file import parse_json, read_text
from mindzoo.utils.errors import UserError


def read_class_names(path: Path, outputs: int) -> list[str]:
    """The names in the file `path`, one for each of so many outputs.

    Raises:
        UserError: missing, not UTF-8, another number of names, an empty one, or two that are the same.
    """
    if not path.is_file():
        raise UserError(f"classes is {path}, which is {'a folder' if path.is_dir() else 'missing'}; wanted a file")
    wanted = f"wanted {outputs} names, one for each output of the network"
    text = read_text(path, "file of class names", wanted)
    kind, names = ("entry", _listed(path, text)) if path.suffix == ".json" else ("line", text.rstrip().split("\n"))
    place: dict[str, int] = {}
    for number, name in enumerate(map(str.strip, names), 1):
        if not name:
            raise UserError(f"{kind} {number} of {path} is empty; wanted a class name in each")
        if name in place:
            raise UserError(f"{path} has the name {name} twice, {kind} {place[name]} and {number}; make them different")
        place[name] = number
    if len(place) != outputs:
        raise UserError(f"{path} has {len(place)} names; {wanted}")
    return list(place)


def _listed(path: Path, text: str) -> list[str]:
    wanted = 'wanted JSON such as ["cat", "dog"]'
    try:
        found = parse_json(text)
    except ValueError as error:
        raise UserError(f"{path} {error}; {wanted}") from None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise UserError(f"{path} holds no list of texts; {wanted}")
    return found
