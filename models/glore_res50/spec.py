"""GloRe-ResNet-50: what the shared machinery needs to know of it.

Keys, defaults, log lines and file names are those of the original README (MindSpore model zoo, 2021-03-21).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.models.glore_res50.network import UNITS, WEIGHT_INITS, glore_res50
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, ShorterSideKeys, TrainConfig
from mindzoo.utils.config.reading import WORDS, Conversion, key
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import schedules
from mindzoo.utils.spec import EpochRecord, Evaluated, LogLines, ModelSpec

LINEAR = ("lr_decay_mode", ("Linear",))


@dataclass(frozen=True)
class GloReKeys:
    """Network; where a checkpoint is given, what it records, unless a key is given"""

    use_glore: bool = key(True, "GloRe units in the third layer; false: the plain ResNet")
    unit: str = key(
        "zoo",
        "form of the units; zoo: batch norm and ReLU before each 1x1 convolution; paper: the authors', with a batch norm at the end",
        choices=UNITS,
        only_with=("use_glore", (True,)),
    )
    layers: tuple[int, ...] = key((3, 4, 6, 3), "blocks of layer1 to layer4", minimum=1)
    base_width: int = key(64, "channels after the stem", minimum=2)
    bn_momentum: float = key(
        0.92, "share of the old moving statistics of batch norm in the new ones", minimum=0, maximum=0.9999
    )


@dataclass(frozen=True)
class GloReTrainConfig(ShorterSideKeys, TrainConfig, GloReKeys):
    """GloRe-ResNet-50's own keys and defaults"""

    batch_size: int = key(128, "images per rank and step", minimum=1)
    auto_augment: bool = key(True, "one random policy of AutoAugment's for ImageNet per image")
    weight_init: str = key(
        "xavier_uniform", "first weights of the convolutions of a new network", choices=tuple(WEIGHT_INITS)
    )
    lr: float = key(0.8, "highest learning rate; the original's lr_max", minimum=0)
    lr_decay_mode: str = key(
        "Linear",
        "how the learning rate falls; Linear: to lr_end; poly: by a square to 0; steps: to a tenth after 30, 60 and 80 % of the steps",
        choices=("Linear", "poly", "cosine", "steps"),
    )
    lr_init: float = key(0.0, "learning rate at the start of the warmup", minimum=0)
    lr_end: float = key(0.0, "learning rate at the end of the line", minimum=0, only_with=LINEAR)
    warmup_epochs: int = key(0, "epochs in which the learning rate rises from lr_init, step by step", minimum=0)
    label_smooth: bool = key(True, "smooth the labels of the cross entropy")
    label_smooth_factor: float = key(
        0.05,
        "what is taken from the true class and spread over the others",
        minimum=0,
        maximum=0.999,
        only_with=("label_smooth", (True,)),
    )
    output_dir: str = key("./", "where the run's folder is made")
    save_checkpoint_epochs: int = key(5, "epochs between two checkpoints; 0: none by epochs", minimum=0)


@dataclass(frozen=True)
class GloReEvalConfig(ShorterSideKeys, EvalConfig, GloReKeys):
    """Evaluation of GloRe-ResNet-50"""

    output_dir: str = key("eval", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class GloReExportConfig(ShorterSideKeys, ExportConfig, GloReKeys):
    """Export of GloRe-ResNet-50"""


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


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of a GloRe-ResNet."""
    stem = weights.get("conv1.conv_3.weight")
    pattern = r"layer([1-4])\.\d+\.conv3\.weight"
    blocks = Counter(int(match[1]) for match in (re.fullmatch(pattern, name) for name in weights) if match)
    if stem is None or stem.ndim != 4 or len(blocks) != 4:
        return None
    units = any(re.fullmatch(r"layer3\.\d+\.gcn\.conv1\.weight", name) for name in weights)
    options = {
        "use_glore": units,
        "layers": tuple(blocks[number] for number in range(1, 5)),
        "base_width": len(stem),
    }
    if units:
        options["unit"] = "paper" if any(".blocker." in name for name in weights) else "zoo"
    return options


CHECKPOINT_ALIASES = {"ckpt_url": "checkpoint", "checkpoint_path": "checkpoint"}

SPEC = ModelSpec(
    name="glore_res50",
    title="GloRe-ResNet-50",
    paper="https://arxiv.org/abs/1811.12814",
    build=glore_res50,
    options=("use_glore", "unit", "layers", "base_width", "bn_momentum"),
    first_weights=("weight_init",),
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
    folder=Path(__file__).resolve().parent,
    classifier="end_point",
    options_of=options_of,
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
    eval_aliases={**CHECKPOINT_ALIASES, "is_modelarts": "modelarts", "run_distribute": "is_distributed"},
    export_aliases=CHECKPOINT_ALIASES,
    cache_paths={
        "data": "/cache/dataset",
        "eval_data": "/cache/dataset",
        "checkpoint": "/cache/checkpoint_path",
        "output": "/cache/train_output",
    },
)
