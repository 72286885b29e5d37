"""Gather-Excite ResNet-50: what the shared machinery needs to know of it.

Schedule, log lines, file names and aliases are those of the original README (MindSpore model zoo, `GENet_Res50`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.models.genet_res50.keys import GENetEvalConfig, GENetExportConfig, GENetTrainConfig
from mindzoo.models.genet_res50.weights import at_least, options_of
from mindzoo.utils.learning import schedules
from mindzoo.utils.records import EpochRecord, Evaluated
from mindzoo.utils.spec import Finetuning, LogLines, ModelSpec

if TYPE_CHECKING:
    from mindspore import nn


def build(num_classes: int = 1000, **options: Any) -> nn.Cell:
    """The network; only here is MindSpore imported. Options: those of `network.genet_res50`."""
    from mindzoo.models.genet_res50.network import genet_res50

    return genet_res50(num_classes, **options)


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


CHECKPOINT_ALIASES = {"checkpoint_path": "checkpoint", "pre_trained": "checkpoint"}

SPEC = ModelSpec(
    name="genet_res50",
    title="Gather-Excite ResNet-50",
    paper="https://arxiv.org/abs/1810.12348",
    build=build,
    options=("mlp", "extra", "gather", "image_size", "layers", "base_width", "bn_momentum"),
    init_options=("drop_rate",),
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
    # With the zoo's gather one gamma has no gradient: the batch norm after it takes its scale out again.
    small={"layers": (1, 1, 1, 1), "base_width": 8, "gather": "paper"},
    finetuning=Finetuning(
        stages=(("conv1.*", "bn1.*", "layer1.*"), ("layer2.*",), ("layer3.*",)),
        # The default, 0.997 in the blocks, would still know the first statistics after some hundred updates.
        keys={"decay_mode": "cosine", "bn_momentum": 0.9},
        multiply_adds=5.483e9,
        activations=29.22e6,
    ),
    folder=Path(__file__).resolve().parent,
    classifier="end_point",
    first_convolution=("conv1.weight",),
    stages=(("conv1.", "bn1."), ("layer1.",), ("layer2.",), ("layer3.",), ("layer4.",)),
    ascend_precision="O3",  # train.py of the original: amp_level="O2" with keep_batchnorm_fp32=False, which is the same
    allreduce_splits=(85, 160),  # its all_reduce_fusion_config
    options_of=options_of,
    at_least=at_least,
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
    eval_aliases={**CHECKPOINT_ALIASES, "class_num": "num_classes", "is_modelarts": "modelarts"},
    export_aliases={**CHECKPOINT_ALIASES, "format_type": "file_format"},
    cache_paths={
        "data": "/cache/data",
        "eval_data": "/cache/data",
        "checkpoint": "/cache/pretrained",
        "output": "/cache/ckpt",
    },
)
