"""What differs between the MindSpore versions that mindzoo supports, in one place."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mindspore as ms


def device_available(target: str) -> bool:
    """Whether this installation of MindSpore can compute on `target`, one of CPU, GPU and Ascend."""
    if target == "CPU":
        return True
    try:
        return bool(ms.hal.is_available(target))
    except (AttributeError, RuntimeError, ValueError):
        return False


def device_count(target: str) -> int:
    """How many devices of this kind MindSpore sees."""
    return int(ms.hal.device_count(target)) if device_available(target) else 0


def soc_version() -> str:
    """What MindSpore calls the generation of the Ascend card, such as ascend910b; empty where there is none."""
    from mindspore._c_expression import MSContext

    try:
        return str(MSContext.get_instance().get_ascend_soc_version())
    except (AttributeError, RuntimeError):
        return ""


def export_onnx(network: Any, inputs: Any, name: str, input_name: str, output_name: str) -> None:
    """Write `network`, of one input and one output, as ONNX to the file `name` in the current folder.

    The first dimension of the input is named `batch`.
    """
    dynamic = {input_name: {0: "batch"}}
    names = {"input_names": [input_name], "output_names": [output_name]}
    ms.onnx.export(network, inputs, file_name=name, dynamic_axes=dynamic, **names)


def name_batch_axis(model: Any) -> None:
    """Name the batch axis of the outputs too: MindSpore leaves them a number, of which ONNX Runtime warns."""
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


@contextmanager
def without_first_weights() -> Iterator[None]:
    """Networks that are made in the block get no first weights, which takes long: each parameter is given its value."""
    from mindspore.nn.utils import no_init_parameters

    with no_init_parameters():
        yield


def give_back_memory() -> None:
    """Give what a compilation has freed back to the system, which glibc puts off: 0.4 GB after that of a large network."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def can_keep_graphs() -> bool:
    """Whether `keeping_graphs` was tried with this version of MindSpore."""
    return ms.__version__.startswith("2.10.")


def take_graphs_from(folder: Path, source: Path) -> None:
    """Have MindSpore keep graphs in `folder`, which only the first such call of a process decides.

    It takes them as long as `source` is the same file; by default that is the script of the process with all that it
    imports.
    """
    from mindspore.graph import api

    ms.set_context(compile_cache_path=str(folder))
    api.entry_script_path = str(source)


@contextmanager
def keeping_graphs() -> Iterator[None]:
    """What is compiled in the block is taken from that folder, or written to it."""
    ms.set_context(enable_compile_cache=True)
    try:
        yield
    finally:
        ms.set_context(enable_compile_cache=False)
