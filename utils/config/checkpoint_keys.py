"""The configuration keys of whatever takes a checkpoint: the file, what computes, the names of its classes."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key

ENGINE_CHOICES = ("auto", "mindspore", "onnxruntime")


@dataclass(frozen=True)
class CheckpointKeys:
    """The checkpoint"""

    checkpoint: str = key("", "checkpoint: a file, its address on the web, or a name that list-weights shows")
    weights: str = key("averaged", "which weights of a checkpoint that holds both", choices=("averaged", "raw"))
    allow_nonfinite: bool = key(
        False,
        "use weights that are not finite, or a negative variance, which are refused otherwise; results mean nothing",
    )


@dataclass(frozen=True)
class EngineKeys:
    """Engine"""

    engine: str = key(
        "auto",
        "what computes; onnxruntime: a graph of the network, made once for all its checkpoints; auto: what the variable MINDZOO_ENGINE says, else onnxruntime on a CPU where it is installed (extra onnx)",
        choices=ENGINE_CHOICES,
    )
    verify: bool = key(
        False, "compute everything with MindSpore as well, and say how much ONNX Runtime differs from it"
    )


@dataclass(frozen=True)
class ClassNameKeys:
    """Class names"""

    classes: str = key(
        "",
        "class names for a checkpoint that has none, in the order of its outputs: a file with one a line, or a JSON list",
    )
