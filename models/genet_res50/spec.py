"""Gather-Excite ResNet-50: what the shared machinery needs to know of it.

Keys, defaults, log lines and file names are those of the original README (MindSpore model zoo, `GENet_Res50`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.models.genet_res50.network import GATHERS, MAP_REDUCTIONS, TOTAL_STRIDE, genet_res50
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, ShorterSideKeys, TrainConfig
from mindzoo.utils.config.reading import key
from mindzoo.utils.learning import schedules
from mindzoo.utils.spec import EpochRecord, Evaluated, LogLines, ModelSpec

LINEAR = ("decay_mode", ("linear",))


@dataclass(frozen=True)
class GENetKeys:
    """Network; where a checkpoint is given, what it records, unless a key is given"""

    mlp: bool = key(True, "excite through two 1x1 convolutions; the original scripts' word MLP")
    extra: bool = key(True, "learnt gather; false: the mean over the map; the original scripts' word EXTRA")
    gather: str = key(
        "zoo",
        "how the learnt gather and the MLP are built; zoo: a dense 3x3 convolution first in layer1; paper: depthwise throughout, ReLU, MLP with bias",
        choices=GATHERS,
    )
    layers: tuple[int, ...] = key((3, 4, 6, 3), "blocks of layer1 to layer4", minimum=1)
    base_width: int = key(64, "channels after the first convolution; a multiple of 4", minimum=4)
    bn_momentum: float = key(
        0.0,
        "share of the old moving statistics of batch norm in the new ones; 0: the original's 0.997 in the blocks, 0.9 in the gathers, 0.95 in the stem; short trainings need less",
        minimum=0,
        maximum=0.9999,
    )


@dataclass(frozen=True)
class GENetPreprocessingKeys(ShorterSideKeys):
    """Preprocessing of evaluation images; the original resizes the shorter side"""

    image_size: tuple[int, ...] = key(
        (224, 224),
        "height,width of the network's input; one number means both; with extra the network takes this size only, in multiples of 32",
        minimum=1,
    )


@dataclass(frozen=True)
class GENetTrainConfig(GENetPreprocessingKeys, TrainConfig, GENetKeys):
    """Gather-Excite ResNet-50's own keys and defaults"""

    batch_size: int = key(256, "images per rank and step", minimum=1)
    max_epoch: int = key(150, "epochs to train", minimum=1)
    lr: float = key(0.8, "highest learning rate; the original's lr_init", minimum=0)
    decay_mode: str = key(
        "linear", "how the learning rate falls, step by step, to lr_end or by a cosine", choices=("linear", "cosine")
    )
    lr_end: float = key(0.0, "learning rate at the end of the line", minimum=0, only_with=LINEAR)
    hold_epochs: int = key(0, "epochs at the highest learning rate before it falls", minimum=0)
    label_smooth: bool = key(True, "smooth the labels of the cross entropy")
    output_dir: str = key("./checkpoints", "where the run's folder is made")
    save_checkpoint_epochs: int = key(10, "epochs between two checkpoints; 0: none by epochs", minimum=0)
    keep_checkpoint_max: int = key(
        5, "checkpoints to keep; the oldest that this run wrote goes first; 0: all", minimum=0
    )


@dataclass(frozen=True)
class GENetEvalConfig(GENetPreprocessingKeys, EvalConfig, GENetKeys):
    """Evaluation of Gather-Excite ResNet-50"""

    output_dir: str = key("eval", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class GENetExportConfig(GENetPreprocessingKeys, ExportConfig, GENetKeys):
    """Export of Gather-Excite ResNet-50"""


def learning_rates(config: GENetTrainConfig, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of every step, float32: warmup, `hold_epochs` at `lr`, then the decay."""
    linear = config.decay_mode == "linear"
    decay = schedules.linear(config.lr, config.lr_end) if linear else schedules.linear_cosine(config.lr)
    warmup = min(config.warmup_epochs, config.max_epoch)
    held = min(config.hold_epochs, config.max_epoch - warmup)
    rates = schedules.decaying(
        decay,
        epochs=config.max_epoch - held,
        steps_per_epoch=steps_per_epoch,
        lr=config.lr,
        warmup_epochs=config.warmup_epochs,
    )
    flat = np.full(held * steps_per_epoch, config.lr, np.float32)
    return np.insert(rates, warmup * steps_per_epoch, flat)


def epoch_lines(record: EpochRecord) -> list[str]:
    # As MindSpore prints a float32: formatted within the line it would be a float64 of sixteen digits.
    loss = str(np.float32(record.loss))
    return [f"epoch: {record.epoch + 1} step: {record.steps_per_epoch}, loss is {loss}"]


def evaluation_lines(evaluated: Evaluated) -> list[str]:
    result = evaluated.result
    shares = {"top_5_accuracy": result.top5 / result.total, "top_1_accuracy": result.top1 / result.total}
    of = f" ckpt= {evaluated.checkpoint}" if evaluated.epoch is None else ""
    return [f"result: {shares}{of}"]


def checkpoint_name(config: GENetTrainConfig, rank: int, epoch: int, step: int) -> str:
    """GENet-150_625.ckpt; only rank 0 writes in the original, others are told apart."""
    prefix = f"GENet_rank{rank}" if rank else "GENet"
    return f"{prefix}-{epoch}_{step}.ckpt"


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of a GENet.

    A mean has no weights: without a learnt gather they do not show `image_size`, and without an MLP either they are
    the same with both values of `gather`.
    """
    stages = range(1, len(MAP_REDUCTIONS) + 1)
    needed = ["conv1.weight", *(f"layer{number}.0.conv1.conv.weight" for number in stages)]
    if any(_dimensions(weights, name) != 4 for name in needed) or "end_point.weight" not in weights:
        return None
    blocks = {tuple(name.split(".")[:2]) for name in weights}
    options: dict[str, Any] = {
        "mlp": "layer1.0.mlpLayer.0.weight" in weights,
        "extra": _dimensions(weights, "layer4.0.downop.0.weight") == 4,
        "layers": tuple(sum(layer == f"layer{number}" for layer, *_ in blocks) for number in stages),
        "base_width": len(weights["conv1.weight"]),
    }
    if options["extra"]:
        height, width = weights["layer4.0.downop.0.weight"].shape[2:]
        options["image_size"] = (TOTAL_STRIDE * height, TOTAL_STRIDE * width)
        # Of the original zoo's gather the third cell is a depthwise convolution, of the paper's a ReLU.
        options["gather"] = "zoo" if "layer1.0.downop.2.weight" in weights else "paper"
    elif options["mlp"]:
        options["gather"] = "paper" if "layer1.0.mlpLayer.0.bias" in weights else "zoo"
    return options


def _dimensions(weights: Mapping[str, np.ndarray], name: str) -> int:
    return weights[name].ndim if name in weights else 0


CHECKPOINT_ALIASES = {"checkpoint_path": "checkpoint", "pre_trained": "checkpoint"}

SPEC = ModelSpec(
    name="genet_res50",
    title="Gather-Excite ResNet-50",
    paper="https://arxiv.org/abs/1810.12348",
    build=genet_res50,
    options=("mlp", "extra", "gather", "image_size", "layers", "base_width", "bn_momentum"),
    train_config=GENetTrainConfig,
    eval_config=GENetEvalConfig,
    export_config=GENetExportConfig,
    learning_rates=learning_rates,
    lines=LogLines(
        epoch=epoch_lines,
        evaluation=evaluation_lines,
        checkpoint=checkpoint_name,
        # MindSpore itself put a number behind the prefix of a second run in the same folder.
        checkpoint_pattern=r"GENet(_(rank)?\d+)?-(?P<epoch>\d+)_(?P<step>\d+)\.ckpt",
    ),
    published={"top1": 78.47, "top5": 94.13},
    folder=Path(__file__).resolve().parent,
    classifier="end_point",
    options_of=options_of,
    train_aliases={
        "class_num": "num_classes",
        "epoch_size": "max_epoch",
        "pretrain_epoch_size": "begin_epoch",
        "save_checkpoint_path": "output_dir",
        "use_label_smooth": "label_smooth",
        "lr_init": "lr",
        "pre_trained": "pretrained",
        "is_modelarts": "modelarts",
    },
    eval_aliases={**CHECKPOINT_ALIASES, "is_modelarts": "modelarts"},
    export_aliases={**CHECKPOINT_ALIASES, "format_type": "file_format"},
    cache_paths={
        "data": "/cache/data",
        "eval_data": "/cache/data",
        "checkpoint": "/cache/pretrained",
        "output": "/cache/ckpt",
    },
)
