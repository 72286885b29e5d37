"""Keys of HRNet-W48-C, and their defaults: those of the original README."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.models.hrnet_w48.constants import CONV_INITS, DENSE_INITS
from mindzoo.utils.config.image_keys import ShorterSideKeys
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.learning_keys import UPDATE_RULES, LossKeys
from mindzoo.utils.config.rate_keys import BUT_ONE_CYCLE, OF_OWN
from mindzoo.utils.config.reading import key

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
    conv_init: str = key("TruncatedNormal", "first weights of the convolutions of a new network", choices=CONV_INITS)
    dense_init: str = key("RandomNormal", "first weights of the classifier of a new network", choices=DENSE_INITS)
    lr: float = key(0.01, "highest learning rate", minimum=0)
    lr_scheme: str = key(
        "linear",
        "how the learning rate falls; linear: to lr_end; polynomial: by a square to 0; cosine: a line times a cosine",
        choices=("linear", "polynomial", "cosine"),
        only_with=OF_OWN,
    )
    lr_init: float = key(0.0001, "learning rate at the start of the warmup", minimum=0, only_with=OF_OWN)
    lr_end: float = key(0.00001, "learning rate at the end of the line", minimum=0, only_with=LINEAR)
    warmup_epochs: int = key(
        2, "epochs in which the learning rate rises from lr_init, step by step", minimum=0, only_with=BUT_ONE_CYCLE
    )
    optimizer: str = key("rmsprop", "update rule", choices=UPDATE_RULES)
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
