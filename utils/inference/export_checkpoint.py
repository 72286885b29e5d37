"""Export that can be trusted: the file is loaded again and must give the network's logits, or it is not left there.

MINDIR and ONNX can be loaded here. AIR cannot: a MINDIR of the same graph is verified in its place, and the facts
beside the file say so.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo import __version__
from mindzoo.utils import compat, runtime
from mindzoo.utils.checkpoints import checkpoint_file, network_source
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.config.keys import ExportConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data.class_folders import SUFFIXES
from mindzoo.utils.data.transforms import load_image
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_folder_of, json_text, said_of
from mindzoo.utils.inference import class_names
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec

INPUT = "images"
# The largest difference of a logit, relative to the largest logit, that is still the same network.
TOLERANCE = 1e-4
SUFFIX = {"MINDIR": ".mindir", "ONNX": ".onnx", "AIR": ".air"}
SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample.png"


def export(spec: ModelSpec, loaded: Loaded[ExportConfig]) -> Path:
    """Write the file and, beside it, its facts as JSON; return the file's path.

    Raises:
        UserError: the device cannot write the format, something is missing, or the file differs from the network.
    """
    config = loaded.config
    device = runtime.resolve_device(config.device_target)
    formats = writable_formats(device)
    logger.info("formats that can be written on %s: %s", device, ", ".join(formats))
    _check(config, formats, device)
    target = _target(spec, config)
    # Absolute, because the work is done in another folder.
    read = network_source.read_source(spec, network_source.single_file(config).absolute(), loaded)
    made_from = class_names.named(read, config.classes)
    class_names.say_numbers(made_from)
    image_path = sample_image(config, made_from).absolute()
    image = load_image(image_path, made_from.preprocessing)
    runtime.start(device)

    network = network_source.build_network(spec, made_from, config.weights)
    batch = np.repeat(image[None], config.batch_size, 0)
    with said_of(target), _scratch(target.parent) as scratch:
        written = _write(network, batch, config.file_format, scratch)
        difference = None
        if not config.no_verify:
            # A second network: exporting to ONNX changes the graph of the first.
            expected = network_source.build_network(spec, made_from, config.weights, say=False)(Tensor(batch)).asnumpy()
            difference = _verify(network, batch, expected, config.file_format, written)
            logger.info("largest difference to the network on %s: %.2e of the largest logit", image_path, difference)
            if not difference <= TOLERANCE:
                raise UserError(
                    f"{target.name} differs from the network by {difference:.2e} of the largest logit; wanted at most {TOLERANCE:g}; nothing was written"
                )
        facts = _facts(spec, config, made_from, image_path, difference)
        (scratch / "facts.json").write_text(json_text(facts), encoding="utf-8", errors="surrogateescape")
        written.chmod(0o644)  # MindSpore leaves it readable for its owner only
        os.replace(written, target)
        os.replace(scratch / "facts.json", target.with_suffix(target.suffix + ".json"))
    logger.info("wrote %s (%.1f MB) and %s.json", target, target.stat().st_size / 1e6, target.name)
    return target


def writable_formats(device: str) -> list[str]:
    """What MindSpore can write on `device`."""
    return ["MINDIR", "ONNX", "AIR"] if device == "Ascend" else ["MINDIR", "ONNX"]


def sample_image(config: ExportConfig, made_from: Source) -> Path:
    """The image to compare on: the one given, one of the data the checkpoint was trained on, or mindzoo's own."""
    if config.image:
        if not Path(config.image).is_file():
            raise UserError(f"image is {config.image}, which is missing or no file")
        return Path(config.image)
    trained_on = made_from.checkpoint.meta.get("config", {}).get("data_dir", "")
    if trained_on and Path(trained_on).is_dir():
        for folder, inside, names in os.walk(trained_on):
            inside.sort()
            for name in sorted(names):
                if name.lower().endswith(SUFFIXES):
                    return Path(folder) / name
    return SAMPLE


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of a logit, relative to the largest logit; infinite where the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny))


def _check(config: ExportConfig, formats: list[str], device: str) -> None:
    if config.file_format not in formats:
        raise UserError(
            f"file_format is {config.file_format}, which needs an Ascend device, and this is {device}; use {' or '.join(formats)}"
        )
    if config.file_format == "ONNX" and not config.no_verify:
        missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
        if missing:
            raise UserError(
                f"verifying an ONNX file needs {' and '.join(missing)}: pip install onnx onnxruntime (mindzoo's extra "
                "onnx), or give --no_verify"
            )


def _target(spec: ModelSpec, config: ExportConfig) -> Path:
    """The file to write; a suffix of the format in `file_name` is not doubled, and one of another format is refused."""
    suffix = SUFFIX[config.file_format]
    name = config.file_name or spec.name
    for other, its_suffix in SUFFIX.items():
        if other != config.file_format and name.lower().endswith(its_suffix):
            raise UserError(
                f"file_name is {name}, and file_format is {config.file_format}; give --file_format {other}, or a name "
                f"that ends in {suffix}"
            )
    target = Path(name if name.lower().endswith(suffix) else name + suffix)
    check_folder_of("file_name", target, [".json"])
    if target.is_dir():
        raise UserError(f"file_name is {name}, and {target} is a folder; name a file")
    return target.resolve()


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder beside the target to work in: MindSpore leaves files in the current folder while it exports."""
    before = Path.cwd()
    path = Path(tempfile.mkdtemp(prefix=".export-", dir=parent))
    try:
        os.chdir(path)
        yield path
    finally:
        os.chdir(before)
        shutil.rmtree(path, ignore_errors=True)


def _write(network: nn.Cell, batch: np.ndarray, file_format: str, scratch: Path) -> Path:
    """Write into `scratch`, the current folder: MindSpore refuses a path with a blank or an umlaut in it."""
    path = scratch / f"network{SUFFIX[file_format]}"
    if file_format == "ONNX":
        compat.export_onnx(network, Tensor(batch), path.name, INPUT)
        if not path.is_file():  # MindSpore logs the reason, and goes on
            raise OSError(f"MindSpore left no {path.name}; the disk may be full")
        if importlib.util.find_spec("onnx"):
            _name_batch_axis(path)
    else:
        ms.export(network, Tensor(batch), file_name=path.stem, file_format=file_format)
    return path


def _name_batch_axis(path: Path) -> None:
    """MindSpore names the batch axis of the input only; the output's stays a number, of which ONNX Runtime warns."""
    import onnx

    model = onnx.load(str(path))
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, str(path))


def _verify(network: nn.Cell, batch: np.ndarray, expected: np.ndarray, file_format: str, written: Path) -> float:
    """The relative difference of what the file computes; for ONNX also with another batch size."""
    if file_format == "ONNX":
        run = _onnx_runner(written)
        other = np.concatenate([batch, batch[:1]])
        differences = (
            relative_difference(run(batch), expected),
            relative_difference(run(other), np.concatenate([expected, expected[:1]])),
        )
        return max(differences)
    if file_format == "AIR":
        logger.info("an AIR file cannot be loaded again: verifying a MINDIR of the same graph")
        written = _write(network, batch, "MINDIR", written.parent)
    graph = nn.GraphCell(ms.load(written.name))
    return relative_difference(graph(Tensor(batch)).asnumpy(), expected)


def _onnx_runner(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {INPUT: images})[0])

    return run


def _facts(
    spec: ModelSpec, config: ExportConfig, made_from: Source, image: Path, difference: float | None
) -> dict[str, Any]:
    """What somebody who has only the file needs to use it, and how far it can be trusted."""
    how = made_from.preprocessing
    batch: Any = "any" if config.file_format == "ONNX" else config.batch_size
    verified: dict[str, Any] = {"verified": False, "reason": "--no_verify was given"}
    if difference is not None:
        verified = {
            "verified": True,
            "image": str(image),
            "largest_relative_difference": difference,
            "tolerance": TOLERANCE,
        }
    if config.file_format == "AIR" and difference is not None:
        verified = {
            **verified,
            "verified": False,
            "reason": "AIR cannot be loaded again; a MINDIR of the same graph was verified",
        }
    return {
        "network": spec.name,
        "options": made_from.plan.options,
        "format": config.file_format,
        "input": {
            "name": INPUT,
            "shape": [batch, 3, *how.image_size],
            "dtype": "float32",
            "layout": "NCHW",
            "color": "RGB",
        },
        "output": {"shape": [batch, made_from.plan.num_classes], "dtype": "float32", "meaning": "logits"},
        "preprocessing": {
            **how.to_dict(),
            "resized": list(how.resized),
            "interpolation": "bilinear",
            "value_range": [0, 1],
        },
        "classes": made_from.class_names(),
        "checkpoint": {
            "file": str(made_from.checkpoint.path),
            "sha256": checkpoint_file.sha256(made_from.checkpoint.path),
            "weights": config.weights,
        },
        "verification": verified,
        "mindzoo": __version__,
        "mindspore": ms.__version__,
    }
