"""A checkpoint of weights alone, of which no training can go on, but everything else can be done with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn

from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.network_plan import NetworkPlan
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec


def write(
    target: Path,
    spec: ModelSpec,
    plan: NetworkPlan,
    network: nn.Cell,
    *,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    facts: Mapping[str, Any],
) -> None:
    """Write the parameters of `network`, which is of this plan, and say so; `facts`: where they are from.

    Raises:
        UserError: it cannot be written.
    """
    meta = {
        "network": spec.name,
        "options": plan.options,
        "num_classes": plan.num_classes,
        "classes": list(classes),
        "preprocessing": preprocessing.to_dict(),
        "mindspore": ms.__version__,
        **facts,
    }
    parameters = network.parameters_dict()
    checkpoint_file.save_checkpoint(target, parameters, meta)
    size = sum(int(np.prod(parameter.shape)) for parameter in parameters.values())
    logger.info("wrote %s: %s numbers in %d parameters", target, f"{size:,}", len(parameters))
