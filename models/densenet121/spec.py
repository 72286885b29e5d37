"""DenseNet-121: what the shared machinery needs to know of it.

Keys, defaults, log lines and file names are those of the original README (MindSpore model zoo, 2020-09-15).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.models.densenet121.network import FLAVOURS, densenet121
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.reading import key
from mindzoo.utils.learning import schedules
from mindzoo.utils.spec import EpochRecord, Evaluated, LogLines, ModelSpec

SCHEDULES = ("exponential", "cosine_annealing")
COSINE, EXPONENTIAL = ("lr_scheduler", ("cosine_annealing",)), ("lr_scheduler", ("exponential",))


@dataclass(frozen=True)
class DenseNetKeys:
    """Network; where a checkpoint is given, what it records, unless a key is given"""

    flavour: str = key(
        "zoo", "pooling of the original zoo (max in the transitions) or of the paper (average)", choices=FLAVOURS
    )
    block_config: tuple[int, ...] = key((6, 12, 24, 16), "layers of each dense block", minimum=1)
    growth_rate: int = key(32, "channels that each layer adds", minimum=1)
    init_features: int = key(64, "channels after the first convolution", minimum=1)


@dataclass(frozen=True)
class DenseNetTrainConfig(TrainConfig, DenseNetKeys):
    """DenseNet-121's own keys and defaults"""

    is_distributed: bool = key(
        True, "join the ranks of the launcher that started this process; without one it runs alone"
    )
    batch_size: int = key(256, "images per rank and step", minimum=1)
    color_jitter: tuple[float, ...] = key(
        (0.4, 0.4, 0.4),
        "random change of brightness,contrast,saturation, each up to that share; empty for none",
        minimum=0,
        maximum=1,
    )
    lr_scheduler: str = key(
        "cosine_annealing",
        "learning rate by epoch; exponential: lr times lr_gamma at each of lr_epochs",
        choices=SCHEDULES,
    )
    lr_epochs: tuple[int, ...] = key(
        (30, 60, 90, 120), "epochs at which the learning rate falls", minimum=1, only_with=EXPONENTIAL
    )
    lr_gamma: float = key(0.1, "factor on the learning rate at each of lr_epochs", minimum=0, only_with=EXPONENTIAL)
    eta_min: float = key(0.0, "learning rate at the end of the cosine", minimum=0, only_with=COSINE)
    T_max: int = key(0, "epochs of the half cosine; 0: max_epoch", minimum=0, only_with=COSINE)
    ckpt_interval: int = key(
        50000, "steps between two checkpoints; 0: none by steps; the last step is always saved", minimum=0
    )


@dataclass(frozen=True)
class DenseNetEvalConfig(EvalConfig, DenseNetKeys):
    """Evaluation of DenseNet-121"""

    is_distributed: bool = key(
        True, "join the ranks of the launcher that started this process; without one it runs alone"
    )


@dataclass(frozen=True)
class DenseNetExportConfig(ExportConfig, DenseNetKeys):
    """Export of DenseNet-121"""


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


def options_of(weights: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The options that names and shapes show; None where these are no weights of a DenseNet."""
    first = weights.get("backbone.features.conv0.weight")
    pattern = r"backbone\.features\.denseblock(\d+)\.cell_list\.(\d+)\.conv2\.weight"
    layers = [match for match in (re.fullmatch(pattern, name) for name in weights) if match]
    if first is None or not layers:
        return None
    blocks = Counter(int(match[1]) for match in layers)
    return {
        "block_config": tuple(blocks[number] for number in sorted(blocks)),
        "growth_rate": len(weights[layers[0][0]]),
        "init_features": len(first),
    }


def from_torch(name: str) -> str | None:
    """torchvision's and timm's structure names -> ours; old torchvision files write `norm.1` for `norm1`."""
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name)
    name = re.sub(r"denselayer(\d+)", lambda match: f"cell_list.{int(match[1]) - 1}", name)
    name = re.sub(r"(transition\d+)\.", r"\1.features.", name)
    if name.startswith("classifier."):
        return name.replace("classifier.", "head.fc.")
    return f"backbone.{name}" if name.startswith("features.") else None


CHECKPOINT_ALIASES = {"ckpt_files": "checkpoint", "ckpt_file": "checkpoint"}

SPEC = ModelSpec(
    name="densenet121",
    title="DenseNet-121",
    paper="https://arxiv.org/abs/1608.06993",
    build=densenet121,
    options=("flavour", "block_config", "growth_rate", "init_features"),
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
    folder=Path(__file__).resolve().parent,
    classifier="head.fc",
    options_of=options_of,
    dated_runs=True,
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
)
