"""A recipe as a file: YAML of plain values, whose meaning `reading` knows. Whoever wrote it, reading it ends soon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mindzoo.utils.errors import UserError

MOST_BYTES = 100_000
DEEPEST = 8  # nested values; the deepest of the original recipes needs 5
YAML_ORG = "tag:yaml.org,2002:"
# What a tag may be, and the node that it may stand at.
KINDS: dict[str, type[yaml.Node]] = {
    **dict.fromkeys((YAML_ORG + name for name in ("null", "bool", "int", "float", "str")), yaml.ScalarNode),
    YAML_ORG + "seq": yaml.SequenceNode,
    YAML_ORG + "map": yaml.MappingNode,
}


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
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read the recipe {path}: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror}") from None
    if size > MOST_BYTES:
        raise UserError(f"the recipe {path} has {size:,} bytes; wanted {MOST_BYTES:,} at most: is it another file?")
    try:
        content = yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError) as error:  # PyYAML itself fails on \U00110000 and on a directive %YAML 9999...
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if content is None:
        raise UserError(f"{path} is empty; wanted a mapping of keys to values")
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}; wanted a mapping of keys to values")
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, and nothing is larger than it looks.

    Only a single value can be repeated with *NAME: repeated lists that hold repeated lists grow without end. Dates
    are texts, and << is a key like others.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in KINDS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        repeated = self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"more than {DEEPEST} levels in each other", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if repeated and not isinstance(node, yaml.ScalarNode):
            problem = f"*{event.anchor} repeats a list or a mapping; write it out"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        wanted = KINDS.get(node.tag)
        if wanted is None or not isinstance(node, wanted):
            problem = f"could not determine a constructor for the tag {node.tag!r} here"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        try:
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
