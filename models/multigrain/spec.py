"""MultiGrain: what the shared machinery needs to know of it.

Schedule, log lines, file names and aliases are those of the original README (MindSpore model zoo, 2022-11-13), and where
that is silent, of the ResNet it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mindzoo.models.multigrain.keys import MultiGrainEvalConfig, MultiGrainExportConfig, MultiGrainTrainConfig
from mindzoo.models.multigrain.weights import at_least, from_torch, options_of
from mindzoo.utils.config.reading import Aliases, Conversion
from mindzoo.utils.learning import schedules
from mindzoo.utils.records import EpochRecord, Evaluated
from mindzoo.utils.spec import Finetuning, LogLines, ModelSpec, PublishedStep

if TYPE_CHECKING:
    from mindspore import nn


def build(num_classes: int = 1000, **options: Any) -> nn.Cell:
    """The network; only here is MindSpore imported. Options: those of `network.multigrain`."""
    from mindzoo.models.multigrain.network import multigrain

    return multigrain(num_classes, **options)


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
    from mindzoo.models.multigrain.network import LogitsAndEmbedding
    from mindzoo.utils.learning.metric_losses import MarginLoss, MixedLoss, TripletLoss

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
    build=build,
    options=("backbone", "gem_p", "learn_p", "flavour", "layers", "base_width", "whitening"),
    parameter_options={"gem_p": "pool.p"},
    objective=objective,
    init_options=("zero_gamma", "drop_rate"),
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
    # A map of one pixel would leave the exponent of its pooling without a gradient.
    small={"layers": (1, 1, 1, 1), "base_width": 4, "learn_p": True, "image_size": (64, 64)},
    published_step=PublishedStep(
        20.4,
        30,
        8,
        'its table of performance: "20.4毫秒/步（8卡）", batch size 30',
        doubt="it is, to the digit, that of another network's README, and the same table's total time asks for at least 156 ms",
    ),
    finetuning=Finetuning(
        stages=(("conv1.*", "bn1.*", "layer1.*"), ("layer2.*",), ("layer3.*",)),
        keys={"lr_decay_mode": "cosine", "lr_init": 0.0},
        multiply_adds=4.089e9,
        activations=22.43e6,
    ),
    folder=Path(__file__).resolve().parent,
    classifier="end_point",
    first_convolution=("conv1_0.weight", "conv1.weight"),
    stages=(("conv1.", "bn1."), ("layer1.",), ("layer2.",), ("layer3.",), ("layer4.",)),
    ascend_precision="O3",  # train.py of the original: amp_level="O2" with keep_batchnorm_fp32=False, which is the same
    options_of=options_of,
    from_torch=from_torch,
    at_least=at_least,
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
    eval_aliases={**DATA_ALIASES, **CHECKPOINT_ALIASES, "class_num": "num_classes", "run_distribute": "is_distributed"},
    export_aliases={**CHECKPOINT_ALIASES, "ckpt_file": "checkpoint"},
)
