"""GloRe-ResNet-50: what the shared machinery needs to know of it.

Schedule, log lines, file names and aliases are those of the original README (MindSpore model zoo, 2021-03-21).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.models.glore_res50.keys import GloReEvalConfig, GloReExportConfig, GloReTrainConfig
from mindzoo.models.glore_res50.weights import at_least, options_of
from mindzoo.utils.config.reading import Conversion
from mindzoo.utils.config.values import WORDS
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import schedules
from mindzoo.utils.records import EpochRecord, Evaluated
from mindzoo.utils.spec import Finetuning, LogLines, ModelSpec, PublishedStep

if TYPE_CHECKING:
    from mindspore import nn


def build(num_classes: int = 1000, **options: Any) -> nn.Cell:
    """The network; only here is MindSpore imported. Options: those of `network.glore_res50`."""
    from mindzoo.models.glore_res50.network import glore_res50

    return glore_res50(num_classes, **options)


def learning_rates(config: GloReTrainConfig, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of every step, float32."""
    return schedules.decaying(
        schedules.named(config.lr_decay_mode, config.lr, config.lr_end),
        epochs=config.max_epoch,
        steps_per_epoch=steps_per_epoch,
        lr=config.lr,
        lr_init=config.lr_init,
        warmup_epochs=config.warmup_epochs,
    )


def epoch_lines(record: EpochRecord) -> list[str]:
    return [f"epoch:{record.epoch + 1} step:{record.steps_per_epoch}, loss is {np.float32(record.loss)!s}"]


def evaluation_lines(evaluated: Evaluated) -> list[str]:
    result = evaluated.result
    lines = [str({"Accuracy": result.accuracy})]
    if evaluated.epoch is None:
        shares = {"top_1_accuracy": result.accuracy, "top_5_accuracy": result.top5 / result.total}
        lines.append(f"==============Acc: {shares} ==============")
    elif evaluated.is_best:
        lines.append(f"Save the maximum accuracy checkpoint,the accuracy is {result.accuracy}")
    return lines


def checkpoint_name(config: GloReTrainConfig, rank: int, epoch: int, step: int) -> str:
    """glore_res50_120-1251.ckpt; the original's ranks write into folders of their own, here they are told apart."""
    prefix = f"glore_res50_rank{rank}" if rank else "glore_res50"
    return f"{prefix}_{epoch}-{step}.ckpt"


def pretrained_file(value: Any) -> dict[str, Any]:
    """The original's `pretrained` is true or false; here it is the file itself."""
    word = WORDS.get(str(value).strip().lower())
    if word:
        raise UserError(f"pretrained is {value}; wanted the checkpoint file, or false: give --pretrained FILE")
    return {"pretrained": "" if word is False else value}


CHECKPOINT_ALIASES = {"ckpt_url": "checkpoint", "checkpoint_path": "checkpoint"}

SPEC = ModelSpec(
    name="glore_res50",
    title="GloRe-ResNet-50",
    paper="https://arxiv.org/abs/1811.12814",
    build=build,
    options=("use_glore", "unit", "layers", "base_width", "bn_momentum"),
    init_options=("weight_init", "drop_rate"),
    train_config=GloReTrainConfig,
    eval_config=GloReEvalConfig,
    export_config=GloReExportConfig,
    learning_rates=learning_rates,
    lines=LogLines(
        epoch=epoch_lines,
        evaluation=evaluation_lines,
        checkpoint=checkpoint_name,
        # The second form is what the original's code writes; MindSpore puts a number behind it for a second run.
        checkpoint_pattern=(
            r"(glore_res50(_rank\d+)?_(?=\d+-)|glore_resnet50(_\d+)?-(?=\d+_))(?P<epoch>\d+)[-_](?P<step>\d+)\.ckpt"
        ),
    ),
    published={"top1": 78.446},
    small={"layers": (1, 1, 1, 1), "base_width": 8},
    published_step=PublishedStep(263.483, 128, 8, 'its table of performance: "263.483毫秒/步（8卡）", batch size 128'),
    finetuning=Finetuning(
        stages=(("conv1.*", "bn1.*", "layer1.*"), ("layer2.*",), ("layer3.*",)),
        keys={"lr_decay_mode": "cosine"},
        multiply_adds=5.494e9,
        activations=28.03e6,
    ),
    folder=Path(__file__).resolve().parent,
    classifier="end_point",
    first_convolution=("conv1.conv_1.weight",),
    stages=(("conv1.", "bn1."), ("layer1.",), ("layer2.",), ("layer3.",), ("layer4.",)),
    # train.py of the original names no level on Ascend. The first generation itself computes float32 convolutions in
    # float16, as its README says; on a later one O2 may be wanted.
    ascend_precision="O0",
    options_of=options_of,
    at_least=at_least,
    train_aliases={
        "class_num": "num_classes",
        "epoch_size": "max_epoch",
        "pretrain_epoch_size": "begin_epoch",
        "save_checkpoint_path": "output_dir",
        "use_label_smooth": "label_smooth",
        "use_autoaugment": "auto_augment",
        "lr_max": "lr",
        "pretrained": Conversion(
            "checkpoint whose weights the training starts from; false: none", ("pretrained",), pretrained_file
        ),
        "pretrained_ckpt": "pretrained",
        "is_modelarts": "modelarts",
        "run_distribute": "is_distributed",
    },
    eval_aliases={
        **CHECKPOINT_ALIASES,
        "class_num": "num_classes",
        "is_modelarts": "modelarts",
        "run_distribute": "is_distributed",
    },
    export_aliases=CHECKPOINT_ALIASES,
    cache_paths={
        "data": "/cache/dataset",
        "eval_data": "/cache/dataset",
        "checkpoint": "/cache/checkpoint_path",
        "output": "/cache/train_output",
    },
)
