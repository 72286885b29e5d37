"""What a cell is made of, as one digest: whatever of its Python objects may become a constant of its graph.

Values of parameters are no part of it: a graph takes them from the cell when it is loaded.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore.common.initializer import Initializer

# What MindSpore notes in a cell of when it was made, compiled and called.
NOTES = frozenset(
    {
        *("_create_time", "_id", "arguments_key", "_compile_cache", "_phase_cache", "_phase", "_compile_phase"),
        *("compile_phase", "current_phase", "_cell_init_args", "_exist_objs", "_exist_names", "_lazy_construct_sig"),
        *("_lazy_user_parameters", "_is_check_and_refresh", "_compiled", "_scope"),
        *("_has_mutable_args_list", "sequence_modified", "__parse_method__", "__compile_cell_hook__"),
    }
)
PLAIN = (type(None), bool, int, float, complex, str, bytes, enum.Enum)


def fingerprint(cell: nn.Cell, *inputs: Any) -> str:
    """The SHA-256 of a cell's structure and of its inputs: of tensors the shape and type, of others the value."""
    walk = _Walk()
    walk.add(cell)
    for one in inputs:
        walk.write("input", one.shape, one.dtype) if isinstance(one, Tensor) else walk.add(one)
    return walk.digest.hexdigest()


class _Walk:
    """Goes through objects in the order in which they refer to each other, each of them once."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.seen: dict[int, int] = {}
        self.libraries: dict[Path, list[str]] = {}  # the digest of each
        self.kept: list[Any] = []  # an object that is gone gives its identity to another

    def write(self, *words: object) -> None:
        self.digest.update(f"{words!r}\n".encode(errors="backslashreplace"))

    def add(self, value: Any) -> None:
        if isinstance(value, PLAIN):
            self.write(type(value).__name__, value, *self.library(value))
        elif id(value) in self.seen:
            self.write("again", self.seen[id(value)])
        else:
            self.seen[id(value)] = len(self.seen)
            self.kept.append(value)
            self.add_object(value)

    def library(self, value: object) -> list[str]:
        """The digest of the library that a custom operator names, as in FILE.so:function."""
        if not isinstance(value, str) or ".so" not in value:
            return []
        path = Path(value[: value.rindex(".so") + len(".so")])
        if path not in self.libraries:  # each of hundreds of layers names the same one
            self.libraries[path] = [hashlib.sha256(path.read_bytes()).hexdigest()] if path.is_file() else []
        return self.libraries[path]

    def add_object(self, value: Any) -> None:
        if isinstance(value, Parameter):
            self.write("Parameter", value.name, value.shape, value.dtype, value.requires_grad)
        elif isinstance(value, Tensor | np.ndarray):
            array = value.asnumpy() if isinstance(value, Tensor) else value
            self.write(type(value).__name__, array.shape, array.dtype.str, hashlib.sha256(array.tobytes()).hexdigest())
        elif isinstance(value, dict):
            self.add_pairs(value)
        elif isinstance(value, list | tuple):
            self.write(type(value).__name__, len(value))
            for item in value:
                self.add(item)
        elif isinstance(value, set | frozenset):
            self.write("set", sorted(map(repr, value)))
        elif isinstance(value, Initializer):
            self.write("Initializer")  # it has done its work
        elif isinstance(value, type | types.ModuleType):
            self.write(getattr(value, "__module__", ""), getattr(value, "__qualname__", value.__name__))
        elif isinstance(value, types.FunctionType | types.MethodType | functools.partial):
            self.add_function(value)
        else:
            self.add_instance(value)

    def add_pairs(self, pairs: dict[Any, Any]) -> None:
        self.write("dict", len(pairs))
        for name, value in pairs.items():
            self.add(name)
            self.add(value)

    def add_function(self, value: Any) -> None:
        if isinstance(value, types.MethodType):
            self.write("method", value.__func__.__qualname__)
            self.add(value.__self__)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self.add(part)
        else:
            self.write("function", value.__module__, value.__qualname__)
            self.add(value.__defaults__)
            if value.__module__.startswith("mindspore."):
                return  # it holds when it was made, and what the cell that has it holds as well
            for cell in value.__closure__ or ():
                with suppress(ValueError):  # it is empty
                    self.add(cell.cell_contents)

    def add_instance(self, value: Any) -> None:
        """Anything else by its class and its attributes, or by what it says of itself."""
        self.write(type(value).__module__, type(value).__qualname__)
        attributes = getattr(value, "__dict__", None)
        if attributes is not None:
            self.add_pairs({name: item for name, item in attributes.items() if not _is_note(name, item)})
        elif " at 0x" not in repr(value):
            self.write(repr(value))


def _is_note(name: str, value: object) -> bool:
    """Whether MindSpore put it there when it compiled or called the cell; hooks and flags can be none in two ways."""
    return name in NOTES or (name.startswith(("_lazy_", "_func_graph_flags")) and not value)
