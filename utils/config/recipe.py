"""A recipe as a file: YAML of plain values, whose meaning `reading` knows. Whoever wrote it, reading it ends soon."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from mindzoo.utils.errors import UserError

MOST_BYTES = 100_000
DEEPEST = 8  # nested values; the deepest of the original recipes needs 5
MOST_VALUES = 5000  # the longest of the original recipes needs 400
LONGEST_NUMBER = 100  # characters
LONGEST_REPEATED = 1000  # characters of a text
YAML_ORG = "tag:yaml.org,2002:"
# What a tag may be, and the node that it may stand at.
KINDS: dict[str, type[yaml.Node]] = {
    **dict.fromkeys((YAML_ORG + name for name in ("null", "bool", "int", "float", "str")), yaml.ScalarNode),
    YAML_ORG + "seq": yaml.SequenceNode,
    YAML_ORG + "map": yaml.MappingNode,
}
SURPRISING = re.compile(r"[-+]?(?:[0-9_]+(?::[0-9_.]+)+|0[0-7_]+)")
NUMBERS = (YAML_ORG + "int", YAML_ORG + "float")


def read_mapping(path: Path) -> dict[Any, Any]:
    """The keys and values that the file holds.

    Raises:
        UserError: it cannot be read, is too large, or holds no mapping, a key twice, or what a recipe never needs.
    """
    try:
        with open(path, "rb") as file:
            # Not to the end of the file: some in /proc have none.
            size = path.stat().st_size
            text = file.read(min(size, MOST_BYTES)).decode("utf-8")
    except UnicodeDecodeError:
        raise UserError(f"the recipe {path} is not text in UTF-8; save it in that encoding") from None
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror}") from None
    if size > MOST_BYTES:
        raise UserError(f"the recipe {path} has {size:,} bytes; wanted {MOST_BYTES:,} at most: is it another file?")
    try:
        content = yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")
        raise UserError(f"{path} is not valid YAML: {said}") from None
    except ValueError:  # of PyYAML itself, on \U00110000 and on a directive %YAML 9999...
        raise UserError(f"{path} is not valid YAML: it holds a number or a character that does not exist") from None
    if content is None:
        raise UserError(f"{path} is empty; wanted a mapping of keys to values")
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}; wanted a mapping of keys to values")
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, and nothing is larger than it looks.

    Only a single short value can be repeated with *NAME: repeated lists that hold repeated lists grow without end. Dates
    are texts, and << is a key like others. So are the numbers that YAML 1.1 knows beside those of a command line: 12:30 is
    750 to it, and 032 is 26.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in KINDS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0] and SURPRISING.fullmatch(value):
            return YAML_ORG + "str"
        return super().resolve(kind, value, implicit)

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        repeated = self.check_event(yaml.AliasEvent)
        self._depth += 1
        self._values += 1
        if self._depth > DEEPEST or self._values > MOST_VALUES:
            limit = f"{DEEPEST} levels in each other" if self._depth > DEEPEST else f"{MOST_VALUES} values"
            raise yaml.composer.ComposerError(None, None, f"more than {limit}", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if repeated and not (isinstance(node, yaml.ScalarNode) and len(node.value) <= LONGEST_REPEATED):
            what = "a long text" if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
            problem = f"*{event.anchor} repeats {what}; write it out"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        wanted = KINDS.get(node.tag)
        if wanted is None or not isinstance(node, wanted):
            problem = f"could not determine a constructor for the tag {node.tag!r} here"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        try:
            # In another base than 10 a number of any length is read soon, and takes ever to be shown.
            if node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER:
                raise ValueError
            return super().construct_object(node, deep)
        except (ValueError, KeyError, IndexError):
            problem = f"{node.value[:40]} is no {node.tag.removeprefix(YAML_ORG)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for name, _ in node.value:
            word = str(name.value)
            if word in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{word} is given twice", name.start_mark)
            seen.add(word)
        return super().construct_mapping(node, deep)
