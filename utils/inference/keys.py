"""The configuration keys of the conversion of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class ConvertConfig:
    """Conversion"""

    files: tuple[str, ...] = key(
        (), "IN: any checkpoint that can be read; OUT: the file to write, .ckpt", positional=True
    )
    weights: str = key("averaged", "which weights of a checkpoint that holds both", choices=("averaged", "raw"))
    overwrite: bool = key(False, "write OUT also where it exists")
