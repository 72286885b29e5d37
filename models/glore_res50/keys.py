"""Keys of GloRe-ResNet-50, and their defaults: those of the original README."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.models.glore_res50.constants import UNITS, WEIGHT_INITS
from mindzoo.utils.config.image_keys import ShorterSideKeys
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.rate_keys import BUT_ONE_CYCLE, OF_OWN
from mindzoo.utils.config.reading import key

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
    weight_init: str = key("xavier_uniform", "first weights of the convolutions of a new network", choices=WEIGHT_INITS)
    lr: float = key(0.8, "highest learning rate; the original's lr_max", minimum=0)
    lr_decay_mode: str = key(
        "Linear",
        "how the learning rate falls; Linear: to lr_end; poly: by a square to 0; steps: to a tenth after 30, 60 and 80 % of the steps",
        choices=("Linear", "poly", "cosine", "steps"),
        only_with=OF_OWN,
    )
    lr_init: float = key(0.0, "learning rate at the start of the warmup", minimum=0, only_with=OF_OWN)
    lr_end: float = key(0.0, "learning rate at the end of the line", minimum=0, only_with=LINEAR)
    warmup_epochs: int = key(
        0, "epochs in which the learning rate rises from lr_init, step by step", minimum=0, only_with=BUT_ONE_CYCLE
    )
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
