"""Any checkpoint that can be read -> a checkpoint of this zoo, which says what it is."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mindzoo.utils import files, progress, runtime
from mindzoo.utils.checkpoints import checkpoint_file, loading, network_plan, origin_preprocessing, soundness
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.files import check_file
from mindzoo.utils.inference import weights_file
from mindzoo.utils.inference.keys import ConvertConfig
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.weights import named


def convert(specs: Collection[ModelSpec], config: ConvertConfig) -> Path:
    """Read IN, recognise network, variant and flavour from its names, and write OUT with the weights alone.

    Raises:
        UserError: wrong names, a file that cannot be read or is of no network of the zoo.
    """
    source, target = _names(specs, config)
    runtime.start("CPU")
    with progress.ticking(f"convert {source}"):
        _converted(specs, config, source, target)
    return target


def _converted(specs: Collection[ModelSpec], config: ConvertConfig, source: Path, target: Path) -> None:
    spec, found = checkpoint_file.recognise(source, specs)
    plan = network_plan.plan_network(spec, found)
    network = spec.make(plan.num_classes, plan.options)
    logger.info("%s: %s with %s", source, spec.name, _described(plan.options))
    loading.load_into(network, found, which=config.weights, without=plan.kept)
    soundness.check(source, found.chosen(config.weights), allowed=True)
    settings = spec.eval_config(**({"image_size": plan.options["image_size"]} if "image_size" in plan.options else {}))
    weights_file.write(
        target, spec, plan, network, classes=found.classes,
        preprocessing=origin_preprocessing.settled(found, settings, config.preprocessing),
        facts={"converted_from": {"file": source.name, "sha256": files.sha256(source)}},
    )  # fmt: skip


def _names(specs: Collection[ModelSpec], config: ConvertConfig) -> tuple[Path, Path]:
    if len(config.files) != 2:
        raise UserError(f"wanted two files, mindzoo convert IN OUT.ckpt; found {counted(len(config.files), 'file')}")
    target = Path(config.files[1])
    check_file("OUT", target, (".ckpt",), overwrite=config.overwrite)
    source = named.local(config.files[0], specs, "IN")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"IN and OUT are both {source}; wanted two files")
    return source, target


def _described(options: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "no options"
