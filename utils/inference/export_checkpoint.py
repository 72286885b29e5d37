"""Export that can be trusted: the file is loaded again and must give the network's logits, or it is not left there.

MINDIR and ONNX can be loaded here. AIR cannot: a MINDIR of the same graph is verified in its place, and the facts
beside the file say so.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from mindspore import Tensor

from mindzoo.utils import runtime
from mindzoo.utils.checkpoints import network_source, soundness
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.compiling.waiting import moving
from mindzoo.utils.config.keys import ExportConfig
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data.listing import images_below
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.engine.difference import TOLERANCE
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_folder_of, json_text, said_of, second_name
from mindzoo.utils.inference import class_names, export_beside, export_facts, export_graph
from mindzoo.utils.inference.export_graph import SUFFIX
from mindzoo.utils.log import aside, logger
from mindzoo.utils.spec import ModelSpec

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample.png"
MOST_TRIED = 100  # images to compare on, where they cannot be read


def export(spec: ModelSpec, loaded: Loaded[ExportConfig]) -> Path:
    """Write the file and, beside it, its facts as JSON; return the file's path.

    Raises:
        UserError: the device cannot write the format, something is missing, or the file differs from the network.
    """
    config = loaded.config
    device = runtime.resolve_device(config.device_target)
    formats = writable_formats(device)
    aside("formats that can be written on %s: %s", device, ", ".join(formats))
    _check(config, formats, device)
    target = _target(spec, config)
    # Absolute, because the work is done in another folder.
    read = network_source.read_source(spec, network_source.single_file(config).absolute(), loaded)
    made_from = class_names.named(read, config.classes)
    class_names.say_numbers(made_from)
    image_path, image = comparison_image(config, made_from)
    image_path, batch = image_path.absolute(), np.repeat(image[None], config.batch_size, 0)
    runtime.start(device)

    not_compared = _why_not_compared(config, made_from)
    with said_of(target), _scratch(target.parent) as scratch:
        with moving(f"compiling and writing {config.file_format}") as wait:
            wait.outcome = "written in" if not_compared else "written and compared in"
            written, difference = _write(spec, config, made_from, image_path, batch, scratch, compare=not not_compared)
        if difference is not None:
            logger.info("largest difference to the network on %s: %.2e of the largest logit", image_path, difference)
            if not difference <= TOLERANCE:
                raise UserError(
                    f"{target.name} differs from the network by {difference:.2e} of the largest logit; wanted at most "
                    f"{TOLERANCE:g}; nothing was written"
                )
        verification = export_facts.verified(config.file_format, image_path, difference, not_compared)
        facts = export_facts.facts(spec, config, made_from, written, target.name, verification)
        texts = {export_beside.facts_path(target): json_text(facts)}
        texts |= export_beside.texts(target, config, made_from.preprocessing)
        _put({target: written, **_written_texts(texts, scratch)}, scratch)
    size = target.stat().st_size / 1e6
    logger.info("wrote %s (%.1f MB) and %s", target, size, ", ".join(path.name for path in texts))
    return target


def writable_formats(device: str) -> list[str]:
    """What MindSpore can write on `device`."""
    return ["MINDIR", "ONNX", "AIR"] if device == "Ascend" else ["MINDIR", "ONNX"]


def comparison_image(config: ExportConfig, made_from: Source) -> tuple[Path, np.ndarray]:
    """The image to compare on, and the network's input (3, H, W) of it: the one given, the first of the data that the
    checkpoint was trained on that can be read, or mindzoo's own.

    Raises:
        UserError: the one given is missing or cannot be read.
    """
    if config.image:
        path = Path(config.image)
        if not path.is_file():
            raise UserError(f"image is {path}, which is missing or no file")
        return path, load_image(path, made_from.preprocessing)
    for path in itertools.islice(_trained_on(made_from), MOST_TRIED):
        with suppress(UserError):
            return path, load_image(path, made_from.preprocessing)
    return SAMPLE, load_image(SAMPLE, made_from.preprocessing)


def _trained_on(made_from: Source) -> Iterator[Path]:
    """The images that the checkpoint was trained on; none where they are not here."""
    root = Path(str(made_from.checkpoint.meta.get("config", {}).get("data_dir") or os.devnull))
    if root.is_dir():
        with suppress(UserError):  # a folder that cannot be listed
            yield from (root / name for name in images_below(root))


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


def _why_not_compared(config: ExportConfig, made_from: Source) -> str:
    """Why the file is not compared with the network; "" where it is. Numbers that are not finite differ from themselves."""
    if config.no_verify:
        return "--no_verify was given"
    fault = soundness.fault(made_from.checkpoint.chosen(config.weights)) if config.allow_nonfinite else None
    return f"the checkpoint {fault}, and --allow_nonfinite was given" if fault else ""


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
    beside = export_beside.names(target, config.file_format)
    for path in beside:
        check_folder_of("file_name", path)
    for path in (target, *beside):
        if path.is_dir():
            raise UserError(f"file_name is {name}, and {path} is a folder; name another file, or remove it")
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


def _write(
    spec: ModelSpec,
    config: ExportConfig,
    made_from: Source,
    image: Path,
    batch: np.ndarray,
    scratch: Path,
    *,
    compare: bool,
) -> tuple[Path, float | None]:
    """The file, in `scratch`, and its difference to the network; None where they are not compared."""
    network, given = network_source.build_network(spec, made_from, config.weights), batch
    if config.preprocess == "inside":
        network = export_graph.WithScaling(network, made_from.preprocessing)
        given = np.repeat(_pixels(image, made_from.preprocessing)[None], config.batch_size, 0)
    written = export_graph.write(network, given, config.file_format, scratch)
    if not compare:
        return written, None
    # A second network: exporting to ONNX changes the graph of the first.
    expected = network_source.build_network(spec, made_from, config.weights, say=False)(Tensor(batch)).asnumpy()
    return written, export_graph.difference(network, given, expected, config.file_format, written)


def _pixels(image: Path, how: Preprocessing) -> np.ndarray:
    """(H, W, 3) uint8: the image before it is scaled and normalised."""
    unscaled = dataclasses.replace(how, mean=(0.0,) * 3, std=(1 / 255,) * 3)
    return load_image(image, unscaled).transpose(1, 2, 0).astype(np.uint8)


def _written_texts(texts: Mapping[Path, str], scratch: Path) -> dict[Path, Path]:
    """Write what is to stand beside the exported file into `scratch`; {its place: where it is now}."""
    written: dict[Path, Path] = {}
    for target, text in texts.items():
        written[target] = scratch / f"text{len(written)}"
        written[target].write_text(text, encoding="utf-8")
    return written


def _put(made: Mapping[Path, Path], scratch: Path) -> None:
    """Give files their names, {name: where it is now}: all get them, or earlier files of these names stay.

    Raises:
        OSError: a name cannot be taken.
    """
    earlier: dict[Path, Path | None] = {}
    try:
        for target, path in made.items():
            path.chmod(0o644)  # MindSpore leaves its files readable for their owner only
            kept = scratch / f"earlier{len(earlier)}"
            if target.exists():
                second_name(target, kept)
            earlier[target] = kept if target.exists() else None
            os.replace(path, target)
    except BaseException:
        for target, before in earlier.items():
            if before:
                os.replace(before, target)
            else:
                target.unlink(missing_ok=True)
        raise
