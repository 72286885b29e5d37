"""Keys of Gather-Excite ResNet-50, and their defaults: those of the original README."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.models.genet_res50.constants import GATHERS
from mindzoo.utils.config.image_keys import MOST_PIXELS, ShorterSideKeys
from mindzoo.utils.config.keys import EvalConfig, ExportConfig, TrainConfig
from mindzoo.utils.config.learning_keys import MOST_EPOCHS
from mindzoo.utils.config.rate_keys import OF_OWN
from mindzoo.utils.config.reading import key

LINEAR = ("decay_mode", ("linear",))


@dataclass(frozen=True)
class GENetKeys:
    """Network; where a checkpoint is given, what it records, unless a key is given"""

    mlp: bool = key(True, "excite through two 1x1 convolutions; the original scripts' word MLP")
    extra: bool = key(True, "learnt gather; false: the mean over the map; the original scripts' word EXTRA")
    gather: str = key(
        "zoo",
        "how the learnt gather and the MLP are built; zoo: a dense 3x3 convolution first in layer1; paper: depthwise throughout, ReLU, MLP with bias",
        choices=GATHERS,
    )
    layers: tuple[int, ...] = key((3, 4, 6, 3), "blocks of layer1 to layer4", minimum=1)
    base_width: int = key(64, "channels after the first convolution; a multiple of 4", minimum=4)
    bn_momentum: float = key(
        0.0,
        "share of the old moving statistics of batch norm in the new ones; 0: the original's 0.997 in the blocks, 0.9 in the gathers, 0.95 in the stem; short trainings need less",
        minimum=0,
        maximum=0.9999,
    )


@dataclass(frozen=True)
class GENetPreprocessingKeys(ShorterSideKeys):
    """Preprocessing of evaluation images; the original resizes the shorter side"""

    image_size: tuple[int, ...] = key(
        (224, 224),
        "height,width of the network's input; one number means both; with extra the network takes this size only, in multiples of 32",
        minimum=1,
        maximum=MOST_PIXELS,
    )


@dataclass(frozen=True)
class GENetTrainConfig(GENetPreprocessingKeys, TrainConfig, GENetKeys):
    """Gather-Excite ResNet-50's own keys and defaults"""

    batch_size: int = key(256, "images per rank and step", minimum=1)
    max_epoch: int = key(150, "epochs to train", minimum=1, maximum=MOST_EPOCHS)
    lr: float = key(0.8, "highest learning rate; the original's lr_init", minimum=0)
    decay_mode: str = key(
        "linear",
        "how the learning rate falls, step by step, to lr_end or by a cosine",
        choices=("linear", "cosine"),
        only_with=OF_OWN,
    )
    lr_end: float = key(0.0, "learning rate at the end of the line", minimum=0, only_with=LINEAR)
    hold_epochs: int = key(0, "epochs at the highest learning rate before it falls", minimum=0, only_with=OF_OWN)
    label_smooth: bool = key(True, "smooth the labels of the cross entropy")
    output_dir: str = key("./checkpoints", "where the run's folder is made")
    save_checkpoint_epochs: int = key(10, "epochs between two checkpoints; 0: none by epochs", minimum=0)
    keep_checkpoint_max: int = key(5, "numbered checkpoints of the run to keep, the newest; 0: all", minimum=0)


@dataclass(frozen=True)
class GENetEvalConfig(GENetPreprocessingKeys, EvalConfig, GENetKeys):
    """Evaluation of Gather-Excite ResNet-50"""

    output_dir: str = key("eval", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class GENetExportConfig(GENetPreprocessingKeys, ExportConfig, GENetKeys):
    """Export of Gather-Excite ResNet-50"""
