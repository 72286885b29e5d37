"""Keys of MultiGrain, and their defaults: those of the original README."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mindzoo.models.multigrain.constants import BACKBONES, FLAVOURS
from mindzoo.utils.config.image_keys import ShorterSideKeys
from mindzoo.utils.config.keys import THOR, EvalConfig, ExportConfig, ThorConfig
from mindzoo.utils.config.learning_keys import MOST_EPOCHS, UPDATE_RULES
from mindzoo.utils.config.rate_keys import BUT_ONE_CYCLE, OF_OWN
from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError

FIRST_ORDER = ("optimizer", UPDATE_RULES)
# label_smooth is not among the first: without it one class folder is enough.
OF_CLASSES = (
    "loss", "focal_gamma", "class_weights", "effective_beta", "logit_adjustment", "label_smooth_factor", "drop_rate",
)  # fmt: skip
OF_COPIES = ("metric_loss", "triplet_margin", "margin_alpha", "margin_beta")
TRIPLET, MARGIN = ("metric_loss", ("triplet",)), ("metric_loss", ("margin",))


@dataclass(frozen=True)
class MultiGrainKeys:
    """Network; where a checkpoint is given, what it records, unless a key is given"""

    backbone: str = key("resnet50", "the ResNet below the pooling", choices=BACKBONES)
    gem_p: float = key(
        3.0,
        "exponent of the generalised-mean pooling; 1 is the mean; a value that is given wins over a checkpoint's",
        minimum=1e-3,
    )
    learn_p: bool = key(False, "train the exponent too")
    flavour: str = key(
        "zoo",
        "zoo: padding and batch norm's epsilon of the original MindSpore zoo; paper: of torchvision and the authors",
        choices=FLAVOURS,
    )
    layers: tuple[int, ...] = key((), "blocks of layer1 to layer4; none: the backbone's own", minimum=1)
    base_width: int = key(64, "channels after the stem", minimum=1)
    whitening: bool = key(False, "whiten the embedding before the classifier, as the authors' whitened files do")


@dataclass(frozen=True)
class ObjectiveKeys:
    """Loss on classes and on copies"""

    classification_weight: float = key(
        0.5, "weight of the cross entropy; the metric loss has what is left to 1", minimum=0, maximum=1
    )
    metric_loss: str = key(
        "triplet",
        "what brings copies of one image together; triplet: the farthest copy against the closest other image; margin: the authors', with a learnt boundary and images drawn by distance",
        choices=("triplet", "margin"),
    )
    triplet_margin: float = key(
        0.2, "how much closer than another image a copy is to be", minimum=0, maximum=2, only_with=TRIPLET
    )
    margin_alpha: float = key(
        0.2, "how far from the boundary copies and others are to be", minimum=0, maximum=2, only_with=MARGIN
    )
    margin_beta: float = key(
        1.2, "first distance of the boundary between copies and others", minimum=0, maximum=2, only_with=MARGIN
    )


@dataclass(frozen=True)
class MultiGrainTrainConfig(ShorterSideKeys, ThorConfig, ObjectiveKeys, MultiGrainKeys):
    """MultiGrain's own keys and defaults"""

    batch_size: int = key(480, "images per rank and step, copies included; a multiple of repeats", minimum=1)
    repeats: int = key(
        3,
        "times each image is in a batch, every time with other random changes; batch_size must be a multiple of it, and an epoch has as many batches as without",
        minimum=1,
    )
    zero_gamma: bool = key(False, "a new network's blocks begin as doing nothing; the original's choice beside thor")
    max_epoch: int = key(50, "epochs to train", minimum=1, maximum=MOST_EPOCHS)
    lr_init: float = key(
        0.05672,
        "with thor the learning rate at the beginning, else at the start of the warmup",
        minimum=0,
        only_with=OF_OWN,
    )
    lr_decay: float = key(4.9687, "power by which the learning rate falls", minimum=0, only_with=THOR)
    lr_end_epoch: int = key(70, "epoch at which the learning rate would be 0", minimum=1, only_with=THOR)
    lr: float = key(0.8, "highest learning rate; the original's lr_max", minimum=0, only_with=FIRST_ORDER)
    lr_end: float = key(
        0.0, "learning rate at the end of the line", minimum=0, only_with=("lr_decay_mode", ("Linear",))
    )
    lr_decay_mode: str = key(
        "Linear",
        "how the learning rate falls; Linear: to lr_end; poly: by a square to 0; steps: to a tenth after 30, 60 and 80 % of the steps",
        choices=("Linear", "poly", "cosine", "steps"),
        only_with=(FIRST_ORDER, OF_OWN),
    )
    warmup_epochs: int = key(
        2,
        "epochs in which the learning rate rises from lr_init, step by step",
        minimum=0,
        only_with=(FIRST_ORDER, BUT_ONE_CYCLE),
    )
    label_smooth: bool = key(True, "smooth the labels of the cross entropy")
    output_dir: str = key("./", "where the run's folder is made")
    save_checkpoint_epochs: int = key(5, "epochs between two checkpoints; 0: none by epochs", minimum=0)
    loss_interval: int = key(0, "steps between two lines with the loss within an epoch; 0: none", minimum=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classification_weight < 1 and self.repeats < 2:
            raise UserError(
                f"repeats is {self.repeats}, so there are no copies for the metric loss to compare; give --repeats 3, "
                "or --classification_weight 1 for the cross entropy alone"
            )
        if self.classification_weight < 1 and self.mixes:
            raise UserError(
                f"{self.mixing_given}: the metric loss compares copies of one image, and a mixed image shows two; give "
                "--classification_weight 1 for the cross entropy alone, or leave mixing out"
            )

    def without_use(self) -> Mapping[str, str]:
        if self.classification_weight == 0:
            return dict.fromkeys(OF_CLASSES, "classification_weight is 0, and the loss does not look at the classes")
        if self.classification_weight == 1:
            return dict.fromkeys(OF_COPIES, "classification_weight is 1, and there is no metric loss")
        return {}


@dataclass(frozen=True)
class MultiGrainEvalConfig(ShorterSideKeys, EvalConfig, MultiGrainKeys):
    """Evaluation of MultiGrain"""

    output_dir: str = key("eval", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class MultiGrainExportConfig(ShorterSideKeys, ExportConfig, MultiGrainKeys):
    """Export of MultiGrain"""
