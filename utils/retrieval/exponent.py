"""The exponent of a generalised-mean pooling that goes with a size of images.

A network that was trained on small images classifies larger ones better with a higher exponent (Berman et al. 2019,
https://arxiv.org/abs/1902.05509, section 3.4). As in the paper the cross entropy of labelled images decides, unless
accuracy is asked for, and nothing but the exponent changes; where the authors learn it by gradient descent, here every
exponent of a list is measured, all in one pass over the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils import progress, runtime
from mindzoo.utils.checkpoints import network_source
from mindzoo.utils.config.reading import Loaded, show
from mindzoo.utils.data import bad_images, data_set, transforms
from mindzoo.utils.data.loader import EvalData
from mindzoo.utils.engine.heads import Method
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_output, write_json
from mindzoo.utils.inference import evaluate_checkpoints
from mindzoo.utils.log import aside, logger
from mindzoo.utils.records import EvalResult
from mindzoo.utils.retrieval.encoder import source_facts
from mindzoo.utils.retrieval.keys import FitExponentConfig
from mindzoo.utils.runtime import World
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training.hit_counter import MOST_TOP, CountingStep

PARAMETER = "pool.p"
EXPONENTS = tuple(round(2 ** (eighth / 8), 2) for eighth in range(33))  # 1 to 16, eight for each doubling


def fit(spec: ModelSpec, loaded: Loaded[FitExponentConfig]) -> dict[str, Any]:
    """Log the cross entropy and accuracy with every exponent, and which to use.

    The network has the methods `features` (images -> feature map) and `classify` (feature map -> logits), and the
    exponent is its parameter `pool.p`.

    Returns:
        Facts of the source, and {"data", "images", "exponent": the best by the criterion,
        "measured": [{"exponent", "cross_entropy", "accuracy"}, …]}.

    Raises:
        UserError: the network has no such exponent, or anything that is wrong with checkpoint, images or output.
    """
    config, option = loaded.config, option_of(spec)
    check_output("output", config.output, (".json",))
    root = data_set.find_split(config.data_dir, "val", "data_dir")
    made_from, data = evaluate_checkpoints.open_source(
        spec,
        network_source.single_file(config),
        root,
        loaded,
        lambda names, how: bad_images.usable(root, config, World(), names, how.check_size),
    )
    bad_images.say_left_out(data, "this evaluation")
    runtime.start(config.device_target)
    network = network_source.build_network(spec, made_from, config.weights)
    facts = source_facts(spec, made_from, config.weights)
    own = round(facts["options"].pop(option), 6)
    tried = sorted({*(config.exponents or EXPONENTS), own})
    size = "x".join(map(str, made_from.preprocessing.image_size))
    aside("trying %d exponents on %d images of %s pixels ...", len(tried), len(data), size)
    operations = transforms.evaluation_operations(made_from.preprocessing)
    batches = EvalData(
        data, operations, batch_size=min(config.batch_size, len(data)), world=World(), workers=config.workers
    )
    results = measure(network, batches, made_from.plan.num_classes, tried)
    measured = [
        {"exponent": exponent, "cross_entropy": result.loss, "accuracy": result.accuracy}
        for exponent, result in zip(tried, results, strict=True)
    ]
    chosen = best(measured, config.criterion)
    _report(measured, chosen, own, f"{_size_flags(loaded)}--{option} {chosen['exponent']:g}")
    found = {**facts, "data": str(root), "images": len(data), "exponent": chosen["exponent"], "measured": measured}
    if config.output:
        write_json(Path(config.output), found)
        logger.info("wrote %s", config.output)
    return found


def option_of(spec: ModelSpec) -> str:
    """The configuration key of the exponent.

    Raises:
        UserError: the network has none.
    """
    options = [option for option, parameter in spec.parameter_options.items() if parameter == PARAMETER]
    if not options:
        raise UserError(f"{spec.name} has no exponent to fit: its pooling is no generalised mean; name another network")
    return options[0]


def measure(network: nn.Cell, data: EvalData, num_classes: int, exponents: Sequence[float]) -> list[EvalResult]:
    """Cross entropy and hits with every exponent; the network keeps the one it has.

    The feature maps are computed once for all exponents.
    """
    features = Method(network, "features")
    step = CountingStep(Method(network, "classify"), num_classes, k := min(MOST_TOP, num_classes), 0.0)
    for cell in (features, step):
        cell.set_train(False)
    parameter = network.parameters_dict()[PARAMETER]
    own = parameter.asnumpy().copy()
    sums = np.zeros((len(exponents), 4))
    with progress.of("fit-exponent", len(data.folders), "images") as work:
        for images, labels, mask in data:
            maps = features(images)
            for row, exponent in zip(sums, exponents, strict=True):
                parameter.set_data(Tensor(exponent, ms.float32))
                row += step(maps, labels, Tensor(mask))[0].asnumpy()
            work.advance(int(mask.sum()))
    parameter.set_data(Tensor(own))
    total = len(data.folders)
    return [EvalResult(round(top1), round(top5), total, loss / total, k) for loss, top1, top5, _ in sums.tolist()]


def best(measured: Sequence[dict[str, float]], criterion: str) -> dict[str, float]:
    """The row with the lowest cross entropy; with the criterion "accuracy" among those with the highest accuracy."""
    return min(measured, key=lambda row: (-row["accuracy"] if criterion == "accuracy" else 0, row["cross_entropy"]))


def _report(measured: Sequence[dict[str, float]], chosen: dict[str, float], own: float, flags: str) -> None:
    logger.info("exponent  cross entropy    top-1")
    for row in measured:
        note = "  best" if row is chosen else "  as it is" if row["exponent"] == own else ""
        logger.info(f"{row['exponent']:8g}  {row['cross_entropy']:13.5f}  {row['accuracy']:6.2%}{note}")
    if chosen is measured[-1] or chosen is measured[0]:
        logger.warning("the best is at an end of the list; --exponents P,P,... can go on from there")
    logger.info("use %s", flags)


def _size_flags(loaded: Loaded[FitExponentConfig]) -> str:
    """The flags for the size of the images that were given, which go with the exponent."""
    names = [name for name in ("image_size", "crop_pct", "resize_mode") if name in loaded.given]
    return "".join(f"--{name} {show(getattr(loaded.config, name))} " for name in names)
