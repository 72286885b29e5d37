"""HRNet-W48-C: what the shared machinery needs to know of it.

Schedule, log lines, file names and aliases are those of the original README (MindSpore model zoo, 2021-11-21).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.models.hrnet_w48.keys import HRNetEvalConfig, HRNetExportConfig, HRNetTrainConfig
from mindzoo.models.hrnet_w48.original_config import MODEL
from mindzoo.models.hrnet_w48.weights import absent, at_least, from_torch, options_of
from mindzoo.utils.config.reading import Aliases
from mindzoo.utils.learning import schedules
from mindzoo.utils.records import EpochRecord, Evaluated
from mindzoo.utils.spec import Finetuning, LogLines, ModelSpec, PublishedStep

if TYPE_CHECKING:
    from mindspore import nn


def build(num_classes: int = 1000, **options: Any) -> nn.Cell:
    """The network; only here is MindSpore imported. Options: those of `network.hrnet_w48`."""
    from mindzoo.models.hrnet_w48.network import hrnet_w48

    return hrnet_w48(num_classes, **options)


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


CHECKPOINT_ALIASES: Aliases = {"checkpoint_path": "checkpoint", "input_size": "image_size", "model": MODEL}

SPEC = ModelSpec(
    name="hrnet_w48",
    title="HRNet-W48-C",
    paper="https://arxiv.org/abs/1908.07919",
    build=build,
    options=("width", "modules", "blocks", "head_width"),
    init_options=("conv_init", "dense_init", "drop_rate"),
    checkpoint_url_key="resume",
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
    small={"width": 4, "modules": (1,), "blocks": 1, "head_width": 2},
    published_step=PublishedStep(
        82.525, 16, 8, "its training log: per step time of epoch 4, batch size 16, on eight cards"
    ),
    finetuning=Finetuning(
        stages=(
            ("conv1.*", "bn1.*", "conv2.*", "bn2.*", "layer1.*"),
            ("transition1.*", "stage2.*"),
            ("transition2.*", "stage3.*"),
        ),
        keys={"lr_scheme": "cosine"},
        multiply_adds=17.339e9,
        activations=62.81e6,
    ),
    folder=Path(__file__).resolve().parent,
    classifier="classifier",
    first_convolution=("conv1.weight",),
    stages=(
        ("conv1.", "bn1.", "conv2.", "bn2."),
        ("layer1.",),
        *((f"transition{i - 1}.", f"stage{i}.") for i in (2, 3, 4)),
        ("incre_modules.", "downsamp_modules.", "final_layer."),
    ),
    ascend_precision="O3",  # train.py of the original: the network cast to float16, and amp_level="O3"
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
    absent=absent,
    at_least=at_least,
    cache_paths={
        "data": "/cache/train_data_path",
        "eval_data": "/cache/eval_data_path",
        "checkpoint": "/cache/checkpoint_path",
        "output": "/cache/train_path",
    },
)
