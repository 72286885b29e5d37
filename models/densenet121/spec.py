"""DenseNet-121: what the shared machinery needs to know of it.

Schedule, log lines, file names and aliases are those of the original README (MindSpore model zoo, 2020-09-15).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.models.densenet121.keys import DenseNetEvalConfig, DenseNetExportConfig, DenseNetTrainConfig
from mindzoo.models.densenet121.weights import at_least, from_torch, options_of
from mindzoo.utils.learning import schedules
from mindzoo.utils.records import EpochRecord, Evaluated
from mindzoo.utils.spec import Finetuning, LogLines, ModelSpec, PublishedStep

if TYPE_CHECKING:
    from mindspore import nn


def build(num_classes: int = 1000, **options: Any) -> nn.Cell:
    """The network; only here is MindSpore imported. Options: those of `network.densenet121`."""
    from mindzoo.models.densenet121.network import densenet121

    return densenet121(num_classes, **options)


def learning_rates(config: DenseNetTrainConfig, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of every step, float32."""
    if config.lr_scheduler == "exponential":
        schedule = schedules.multi_step(config.lr, config.lr_epochs, config.lr_gamma)
    else:
        schedule = schedules.cosine_annealing(config.lr, config.eta_min, config.T_max or config.max_epoch)
    return schedules.per_step(
        schedule,
        epochs=config.max_epoch,
        steps_per_epoch=steps_per_epoch,
        lr=config.lr,
        warmup_epochs=config.warmup_epochs,
    )


def epoch_lines(record: EpochRecord) -> list[str]:
    return [
        f"epoch[{record.epoch}], iter[{record.step - 1}], loss:{round(record.loss, 3)}, "
        f"mean_fps:{record.images_per_second:.2f} imgs/sec"
    ]


def evaluation_lines(evaluated: Evaluated) -> list[str]:
    result = evaluated.result
    counts = {"top1": result.top1, "top5": result.top5}
    return [
        f"after allreduce eval: {name}_correct={count}, tot={result.total}, acc={100 * count / result.total:.2f}%"
        for name, count in counts.items()
    ]


CHECKPOINT_ALIASES = {"ckpt_files": "checkpoint", "ckpt_file": "checkpoint"}

SPEC = ModelSpec(
    name="densenet121",
    title="DenseNet-121",
    paper="https://arxiv.org/abs/1608.06993",
    build=build,
    options=("flavour", "block_config", "growth_rate", "init_features"),
    init_options=("drop_rate",),
    train_config=DenseNetTrainConfig,
    eval_config=DenseNetEvalConfig,
    export_config=DenseNetExportConfig,
    learning_rates=learning_rates,
    lines=LogLines(
        format="%(asctime)s:%(levelname)s:%(message)s",
        epoch=epoch_lines,
        evaluation=evaluation_lines,
        checkpoint=lambda config, rank, epoch, step: f"{rank}-{epoch}_{step}.ckpt",
        checkpoint_pattern=r"\d+-(?P<epoch>\d+)_(?P<step>\d+)\.ckpt",
    ),
    published={"top1": 75.13, "top5": 92.57},
    small={"block_config": (1, 1), "growth_rate": 4, "init_features": 8},
    published_step=PublishedStep(1000 * 32 / 760, 32, 1, 'its table of performance: "单卡：760 img/s", batch size 32'),
    finetuning=Finetuning(
        stages=(
            ("backbone.features.conv0.*", "backbone.features.norm0.*", "backbone.features.denseblock1.*"),
            ("backbone.features.transition1.*", "backbone.features.denseblock2.*"),
            ("backbone.features.transition2.*", "backbone.features.denseblock3.*"),
        ),
        multiply_adds=2.834e9,
        activations=33.12e6,
    ),
    folder=Path(__file__).resolve().parent,
    classifier="head.fc",
    first_convolution=("backbone.features.conv0.weight",),
    stages=(
        ("backbone.features.conv0.", "backbone.features.norm0."),
        *((f"backbone.features.denseblock{i}.", f"backbone.features.transition{i}.") for i in (1, 2, 3)),
        ("backbone.features.denseblock4.",),
    ),
    options_of=options_of,
    dated_runs=True,
    ascend_precision="O3",  # train.py of the original: Model(..., amp_level="O3") on Ascend, batch norm too
    train_aliases={
        "Data_dir": "data_dir",
        "train_data_dir": "data_dir",
        "per_batch_size": "batch_size",
        "train_pretrained": "pretrained",
        "ckpt_path": "output_dir",
        "save_ckpt_path": "output_dir",
    },
    eval_aliases={
        **CHECKPOINT_ALIASES,
        "Data_dir": "data_dir",
        "per_batch_size": "batch_size",
        "log_path": "output_dir",
    },
    export_aliases=CHECKPOINT_ALIASES,
    from_torch=from_torch,
    at_least=at_least,
)
