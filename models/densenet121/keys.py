"""Keys of DenseNet-121, and their defaults: those of the original README."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.models.densenet121.constants import FLAVOURS
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.rate_keys import OF_OWN
from mindzoo.utils.config.reading import key

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
        only_with=OF_OWN,
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
