"""MultiGrain: what the shared machinery needs to know of it.

Keys, defaults, log lines and file names are those of the original README (MindSpore model zoo, 2022-11-13), and where
that is silent, of the ResNet it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from mindzoo.models.multigrain.names import from_torch, options_of
from mindzoo.models.multigrain.network import LogitsAndEmbedding, multigrain
from mindzoo.models.multigrain.resnet import BACKBONES, FLAVOURS
from mindzoo.utils.config.keys import THOR, EvalConfig, ExportConfig, ShorterSideKeys, ThorConfig
from mindzoo.utils.config.reading import Aliases, Conversion, key
from mindzoo.utils.errors import UserError
from mindzoo.utils.learning import schedules
from mindzoo.utils.learning.metric_losses import MarginLoss, MixedLoss, TripletLoss
from mindzoo.utils.spec import EpochRecord, Evaluated, LogLines, ModelSpec

FIRST_ORDER = ("optimizer", ("momentum", "nesterov", "rmsprop"))
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
    max_epoch: int = key(50, "epochs to train", minimum=1)
    lr_init: float = key(
        0.05672, "with thor the learning rate at the beginning, else at the start of the warmup", minimum=0
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
        only_with=FIRST_ORDER,
    )
    warmup_epochs: int = key(
        2, "epochs in which the learning rate rises from lr_init, step by step", minimum=0, only_with=FIRST_ORDER
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


@dataclass(frozen=True)
class MultiGrainEvalConfig(ShorterSideKeys, EvalConfig, MultiGrainKeys):
    """Evaluation of MultiGrain"""

    output_dir: str = key("eval", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class MultiGrainExportConfig(ShorterSideKeys, ExportConfig, MultiGrainKeys):
    """Export of MultiGrain"""


def learning_rates(config: MultiGrainTrainConfig, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of every step, float32."""
    if config.optimizer == "thor":
        return schedules.thor_decay(
            config.lr_init,
            config.lr_decay,
            config.lr_end_epoch,
            epochs=config.max_epoch,
            steps_per_epoch=steps_per_epoch,
        )
    return schedules.decaying(
        schedules.named(config.lr_decay_mode, config.lr, config.lr_end),
        epochs=config.max_epoch,
        steps_per_epoch=steps_per_epoch,
        lr=config.lr,
        lr_init=min(config.lr_init, config.lr),
        warmup_epochs=config.warmup_epochs,
    )


def objective(
    config: MultiGrainTrainConfig, network: nn.Cell, cross_entropy: nn.Cell, rank: int
) -> tuple[nn.Cell, nn.Cell]:
    """Logits and embedding, and the mixed loss of both; the plain network where the classes have all the weight."""
    if config.classification_weight == 1:
        return network, cross_entropy
    if config.metric_loss == "triplet":
        metric: nn.Cell = TripletLoss(config.triplet_margin)
    else:
        # Ranks draw for other images, and so other numbers.
        metric = MarginLoss(config.margin_alpha, config.margin_beta, seed=1000 * config.seed + rank)
    return LogitsAndEmbedding(network), MixedLoss(cross_entropy, metric, config.classification_weight, config.repeats)


def epoch_lines(record: EpochRecord) -> list[str]:
    return [f"epoch: {record.epoch + 1} step: {record.epoch_step}, loss is {np.float32(record.loss)!s}"]


def evaluation_lines(evaluated: Evaluated) -> list[str]:
    result = evaluated.result
    if evaluated.epoch is not None:
        seconds = f"{evaluated.seconds:.2f}"
        lines = [f"epoch: {evaluated.epoch + 1}, acc: {result.accuracy}, eval_cost:{seconds}"]
        return [*lines, f"update best result: {result.accuracy}"] if evaluated.is_best else lines
    shares = {"top_1_accuracy": result.accuracy, "top_5_accuracy": result.top5 / result.total}
    return [f"result: {shares} ckpt= {evaluated.checkpoint}"]


def checkpoint_name(config: MultiGrainTrainConfig, rank: int, epoch: int, step: int) -> str:
    """resnet-42_5004.ckpt; the original's ranks write into folders of their own, here they are told apart."""
    prefix = f"resnet_rank{rank}" if rank else "resnet"
    return f"{prefix}-{epoch}_{step}.ckpt"


def backbone_of(value: Any) -> Mapping[str, Any]:
    """The original's net_name: se-resnet50 and se_resnet50 are the same."""
    return {"backbone": str(value).replace("-", "_")}


NET_NAME = Conversion("backbone, by the original's name", ("backbone",), backbone_of)
OPTIMIZER = Conversion(
    "update rule, by the original's name (Thor, Momentum)",
    ("optimizer",),
    lambda value: {"optimizer": str(value).lower()},
)
DATA_ALIASES: Aliases = {"dataset_path": "data_dir", "data_path": "data_dir", "enable_modelarts": "modelarts"}
CHECKPOINT_ALIASES: Aliases = {
    "checkpoint_path": "checkpoint",
    "checkpoint_file_path": "checkpoint",
    "eval_image_size": "image_size",
    "net_name": NET_NAME,
}

SPEC = ModelSpec(
    name="multigrain",
    title="MultiGrain",
    paper="https://arxiv.org/abs/1902.05509",
    build=multigrain,
    options=("backbone", "gem_p", "learn_p", "flavour", "layers", "base_width", "whitening"),
    values={"gem_p": "pool.p"},
    objective=objective,
    first_weights=("zero_gamma",),
    train_config=MultiGrainTrainConfig,
    eval_config=MultiGrainEvalConfig,
    export_config=MultiGrainExportConfig,
    learning_rates=learning_rates,
    lines=LogLines(
        epoch=epoch_lines,
        evaluation=evaluation_lines,
        checkpoint=checkpoint_name,
        # MindSpore itself put a number behind the prefix of a second run in the same folder.
        checkpoint_pattern=r"resnet(_(rank)?\d+)?-(?P<epoch>\d+)_(?P<step>\d+)\.ckpt",
        step_interval=lambda config: config.loss_interval,
    ),
    published={"top1": 76.26, "top5": 92.81},
    folder=Path(__file__).resolve().parent,
    classifier="end_point",
    options_of=options_of,
    from_torch=from_torch,
    train_aliases={
        **DATA_ALIASES,
        "class_num": "num_classes",
        "epoch_size": "max_epoch",
        "pretrain_epoch_size": "begin_epoch",
        "use_label_smooth": "label_smooth",
        "lr_max": "lr",
        "optimizer": OPTIMIZER,
        "net_name": NET_NAME,
        "output_path": "output_dir",
        "train_image_size": "image_size",
        "eval_dataset_path": "eval_data_dir",
        "pre_trained": "pretrained",
        "filter_weight": "replace_head",
        "run_distribute": "is_distributed",
        "device_num": "group_size",
    },
    eval_aliases={**DATA_ALIASES, **CHECKPOINT_ALIASES, "run_distribute": "is_distributed"},
    export_aliases={**CHECKPOINT_ALIASES, "ckpt_file": "checkpoint"},
)
