"""HRNet-W48-C: what the shared machinery needs to know of it.

Keys, defaults, log lines and file names are those of the original README (MindSpore model zoo, 2021-11-21).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.models.hrnet_w48.network import CONV_INITS, DENSE_INITS, hrnet_w48
from mindzoo.models.hrnet_w48.original_config import MODEL
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, LossKeys, ShorterSideKeys, TrainConfig
from mindzoo.utils.config.reading import Aliases, key
from mindzoo.utils.learning import schedules
from mindzoo.utils.spec import EpochRecord, Evaluated, LogLines, ModelSpec

LINEAR = ("lr_scheme", ("linear",))


@dataclass(frozen=True)
class HRNetKeys:
    """Network; where a checkpoint is given, what it records, unless a key is given"""

    width: int = key(48, "channels of the first branch; each further one has twice as many", minimum=1)
    modules: tuple[int, ...] = key(
        (1, 4, 3),
        "modules of stages 2, 3 and 4; with fewer numbers the last stages, and their branches, are left out",
        minimum=1,
    )
    blocks: int = key(4, "bottlenecks of stage 1, and basic blocks of every branch of every module", minimum=1)
    head_width: int = key(
        32, "channels inside the head's first bottleneck; 64 times as many enter the classifier", minimum=1
    )


@dataclass(frozen=True)
class HRNetLossKeys(LossKeys):
    """Loss; the original's evaluation smooths the labels too"""

    label_smooth: bool = key(True, "smooth the labels of the cross entropy")


@dataclass(frozen=True)
class HRNetTrainConfig(ShorterSideKeys, HRNetLossKeys, TrainConfig, HRNetKeys):
    """HRNet-W48-C's own keys and defaults"""

    dataset: str = key("imagenet", "name of the data in the names of checkpoints")
    batch_size: int = key(16, "images per rank and step", minimum=1)
    conv_init: str = key(
        "TruncatedNormal", "first weights of the convolutions of a new network", choices=tuple(CONV_INITS)
    )
    dense_init: str = key(
        "RandomNormal", "first weights of the classifier of a new network", choices=tuple(DENSE_INITS)
    )
    lr: float = key(0.01, "highest learning rate", minimum=0)
    lr_scheme: str = key(
        "linear",
        "how the learning rate falls; linear: to lr_end; polynomial: by a square to 0; cosine: a line times a cosine",
        choices=("linear", "polynomial", "cosine"),
    )
    lr_init: float = key(0.0001, "learning rate at the start of the warmup", minimum=0)
    lr_end: float = key(0.00001, "learning rate at the end of the line", minimum=0, only_with=LINEAR)
    warmup_epochs: int = key(2, "epochs in which the learning rate rises from lr_init, step by step", minimum=0)
    optimizer: str = key("rmsprop", "update rule", choices=("momentum", "nesterov", "rmsprop"))
    weight_decay: float = key(
        1e-5, "L2 decay of weights; biases and batch norm's gamma and beta are left out", minimum=0
    )
    eval_interval: int = key(
        10,
        "epochs between two evaluations on eval_data_dir; the last epoch is evaluated in any case, unless max_steps ends within it",
        minimum=1,
    )
    save_checkpoint_epochs: int = key(1, "epochs between two checkpoints; 0: none by epochs", minimum=0)


@dataclass(frozen=True)
class HRNetEvalConfig(ShorterSideKeys, HRNetLossKeys, EvalConfig, HRNetKeys):
    """Evaluation of HRNet-W48-C"""

    output_dir: str = key("eval", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class HRNetExportConfig(ShorterSideKeys, ExportConfig, HRNetKeys):
    """Export of HRNet-W48-C"""

    file_name: str = key(
        "hrnetw48cls", "file to write, with or without suffix; without a folder in it, in the current one"
    )


def learning_rates(config: HRNetTrainConfig, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of every step, float32."""
    decays = {
        "linear": schedules.linear(config.lr, config.lr_end),
        "polynomial": schedules.polynomial(config.lr),
        "cosine": schedules.linear_cosine(config.lr),
    }
    return schedules.decaying(
        decays[config.lr_scheme],
        epochs=config.max_epoch,
        steps_per_epoch=steps_per_epoch,
        lr=config.lr,
        lr_init=config.lr_init,
        warmup_epochs=config.warmup_epochs,
    )


def epoch_lines(record: EpochRecord) -> list[str]:
    milliseconds = 1000 * record.seconds
    return [
        f"epoch: [{record.epoch + 1:2d}/{record.epochs:2d}], epoch time: {milliseconds:.3f}, "
        f"steps: {record.steps_in_epoch:5d}, per step time: {milliseconds / record.steps_in_epoch:.3f}, "
        f"avg loss: {record.mean_loss:.3f}, lr:[{record.lr:.3f}]"
    ]


def evaluation_lines(evaluated: Evaluated) -> list[str]:
    result = evaluated.result
    top1, top5 = result.top1 / result.total, result.top5 / result.total
    if evaluated.epoch is None:
        return [str({"Loss": result.loss, "Top_1_Acc": top1, "Top_5_Acc": top5})]
    device = int(os.environ.get("DEVICE_ID", 0))
    return [f"==== epoch: {evaluated.epoch + 1:3d}, device id: {device:2d}, top1-acc: {top1:.4f}, top5-acc: {top5:.4f}"]


def checkpoint_name(config: HRNetTrainConfig, rank: int, epoch: int, step: int) -> str:
    """hrnetw48-imagenet-120_10009.ckpt; only one rank writes in the original, here others are told apart."""
    prefix = f"hrnetw48_rank{rank}" if rank else "hrnetw48"
    return f"{prefix}-{config.dataset}-{epoch}_{step}.ckpt"


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of an HRNet."""
    width, head_width = (
        _filters(weights, name) for name in ("transition1.0.0.weight", "incre_modules.0.0.conv1.weight")
    )
    modules = {name: len(_numbers(weights, name)) for name in ("stage2", "stage3", "stage4")}
    blocks = len(_numbers(weights, "layer1"))
    if not (width and head_width and modules["stage2"] and blocks):
        return None
    return {
        "width": width,
        "modules": tuple(count for count in modules.values() if count),
        "blocks": blocks,
        "head_width": head_width,
    }


def _filters(weights: Mapping[str, np.ndarray], name: str) -> int:
    """Of a convolution; 0 where there is none of that name."""
    return len(weights[name]) if name in weights and weights[name].ndim == 4 else 0


def _numbers(weights: Mapping[str, np.ndarray], name: str) -> set[str]:
    """Those that stand behind a name: 0, 1, 2, ..."""
    return {parts[1] for parts in (key.split(".") for key in weights) if parts[0] == name and len(parts) > 1}


def from_torch(name: str) -> str | None:
    """The authors' and timm's structure names are ours; None for names of other layers, such as a detector's."""
    ours = (
        r"(conv[12]|bn[12]|layer1|transition[123]|stage[234]|incre_modules|downsamp_modules|final_layer|classifier)\."
    )
    return name if re.match(ours, name) else None


CHECKPOINT_ALIASES: Aliases = {"checkpoint_path": "checkpoint", "input_size": "image_size", "model": MODEL}

SPEC = ModelSpec(
    name="hrnet_w48",
    title="HRNet-W48-C",
    paper="https://arxiv.org/abs/1908.07919",
    build=hrnet_w48,
    options=("width", "modules", "blocks", "head_width"),
    first_weights=("conv_init", "dense_init"),
    train_config=HRNetTrainConfig,
    eval_config=HRNetEvalConfig,
    export_config=HRNetExportConfig,
    learning_rates=learning_rates,
    lines=LogLines(
        epoch=epoch_lines,
        evaluation=evaluation_lines,
        checkpoint=checkpoint_name,
        # MindSpore itself put a number behind the prefix of a second run in the same folder.
        checkpoint_pattern=r"hrnetw48(_(rank)?\d+)?-.*-(?P<epoch>\d+)_(?P<step>\d+)\.ckpt",
        final=lambda config: f"hrnetw48cls-{config.dataset}-final.ckpt",
    ),
    published={"top1": 79.358, "top5": 94.56},
    folder=Path(__file__).resolve().parent,
    classifier="classifier",
    options_of=options_of,
    train_aliases={
        "train_path": "output_dir",
        "data_path": "data_dir",
        "checkpoint_path": "resume",
        "run_distribute": "is_distributed",
        "total_epoch": "max_epoch",
        "batchsize": "batch_size",
        "input_size": "image_size",
        "use_label_smooth": "label_smooth",
        "opt_momentum": "momentum",
        "wd": "weight_decay",
        "save_ckpt": "save_checkpoint",
        "model": MODEL,
    },
    eval_aliases={
        **CHECKPOINT_ALIASES,
        "train_path": "output_dir",
        "data_path": "data_dir",
        "run_distribute": "is_distributed",
        "batchsize": "batch_size",
        "use_label_smooth": "label_smooth",
    },
    export_aliases={**CHECKPOINT_ALIASES, "batchsize": "batch_size"},
    from_torch=from_torch,
    cache_paths={
        "data": "/cache/train_data_path",
        "eval_data": "/cache/eval_data_path",
        "checkpoint": "/cache/checkpoint_path",
        "output": "/cache/train_path",
    },
)
