"""The configurations that all networks share. A network's own class inherits them, changes defaults, adds keys.

Names are those of the field (timm, mindcv) or of the original zoo; each network declares the other spellings of its
README as aliases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mindzoo.utils.config.augmentation_keys import AugmentationKeys
from mindzoo.utils.config.balance_keys import BalanceKeys
from mindzoo.utils.config.checkpoint_keys import CheckpointKeys, ClassNameKeys, EngineKeys
from mindzoo.utils.config.dropout_keys import DropoutKeys
from mindzoo.utils.config.image_keys import BadImageKeys, PreprocessingKeys, TrainDataKeys
from mindzoo.utils.config.learning_keys import (
    UPDATE_RULES,
    WITH_MOMENTUM,
    ClassWeightKeys,
    LossKeys,
    OptimizerKeys,
    ScheduleKeys,
    WeightKeys,
)
from mindzoo.utils.config.machine_keys import DeviceKeys, RanksKeys, RecipeKeys, StorageKeys
from mindzoo.utils.config.rate_keys import OWN, ChosenScheduleKeys, LayerRateKeys
from mindzoo.utils.config.reading import key, show
from mindzoo.utils.config.run_keys import RunKeys
from mindzoo.utils.config.split_keys import HeldOutKeys, SplitKeys
from mindzoo.utils.errors import UserError, counted

# Spellings that every network takes; a network adds those of its own README.
TRAIN_ALIASES = {"eval_data_path": "eval_data_dir", "config": "config_path", "checkpoint": "pretrained"}
CHECKPOINT_ALIASES = {"eval_data_path": "eval_data_dir", "config": "config_path", "pretrained": "checkpoint"}
# Keys that have no effect beside another value of this one.
THOR = ("optimizer", ("thor",))


@dataclass(frozen=True)
class TrainConfig(
    RunKeys,
    WeightKeys,
    OptimizerKeys,
    LayerRateKeys,
    ChosenScheduleKeys,
    ScheduleKeys,
    BalanceKeys,
    ClassWeightKeys,
    LossKeys,
    DropoutKeys,
    PreprocessingKeys,
    AugmentationKeys,
    SplitKeys,
    TrainDataKeys,
    StorageKeys,
    RanksKeys,
    RecipeKeys,
):
    """All keys of a training"""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_augmentation()
        if self.batch_size % self.repeats:
            near = max(round(self.batch_size / self.repeats), 1) * self.repeats
            raise UserError(
                f"batch_size is {self.batch_size}, and each image is in it {self.repeats} times (repeats); wanted a "
                f"multiple of {self.repeats}: use {near}"
            )
        self.check_mixing(self.batch_size // self.repeats)
        if len(self.betas) != 2:
            raise UserError(f"betas has {counted(len(self.betas), 'number')}; wanted two")
        if self.thaws and self.optimizer == "thor":
            raise UserError(
                f"unfreeze_epoch is {self.unfreeze_epoch}, and the optimizer thor takes second-order updates of the layers alone "
                "that are trained from the start; leave unfreeze_epoch out, or give --optimizer momentum"
            )

    @property
    def last_epoch(self) -> int:
        """Where the run ends, in epochs."""
        return min(self.end_epoch or self.max_epoch, self.max_epoch)

    @property
    def thaws(self) -> bool:
        """Whether what is frozen is trained later."""
        return bool(self.freeze) and 0 < self.unfreeze_epoch < self.last_epoch

    def without_use(self) -> Mapping[str, str]:
        """Keys that can have no effect beside the values of keys that only this network has, and why."""
        return {}


@dataclass(frozen=True)
class ThorConfig(TrainConfig):
    """Second-order updates"""

    optimizer: str = key(
        "thor",
        "update rule; thor: momentum, with gradients multiplied by the inverse of an approximate Fisher information",
        choices=("thor", *UPDATE_RULES),
    )
    momentum: float = key(
        0.9, "momentum of the update", minimum=0, maximum=1, only_with=("optimizer", ("thor", *WITH_MOMENTUM))
    )
    weight_decay: float = key(
        1e-4, "L2 decay; thor: of all weights; else not of biases and batch norm's gamma and beta", minimum=0
    )
    damping_init: float = key(
        0.02345, "first damping, added to the Fisher information before it is inverted", minimum=1e-12, only_with=THOR
    )
    damping_decay: float = key(0.5467, "what 10 epochs multiply the damping by", minimum=0, maximum=1, only_with=THOR)
    frequency: int = key(
        834,
        "updates between two inversions; the nearest divisor of the updates of an epoch is taken",
        minimum=1,
        only_with=THOR,
    )
    split_indices: tuple[int, ...] = key(
        (26, 53),
        "with several ranks: the last layers, from 0, of the groups whose second-order matrices are averaged together",
        minimum=0,
        only_with=THOR,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        changes = {
            "schedule": self.schedule != OWN,
            "layer_decay": self.layer_decay != 1,
            "lr_groups": bool(self.lr_groups),
        }
        given = next((name for name, is_given in changes.items() if is_given), "")
        if self.optimizer == "thor" and given:
            raise UserError(
                f"{given} is {show(getattr(self, given))}, and the optimizer is thor, whose rate is its own and that of all "
                f"layers; leave {given} out, or give another --optimizer"
            )


@dataclass(frozen=True)
class EvalConfig(
    CheckpointKeys,
    EngineKeys,
    ClassNameKeys,
    PreprocessingKeys,
    HeldOutKeys,
    BadImageKeys,
    StorageKeys,
    RanksKeys,
    RecipeKeys,
):
    """Evaluation"""

    checkpoint: str = key(
        "",
        "checkpoint: a file, its address on the web, a name that list-weights shows, or a folder of which every checkpoint is evaluated, newest first",
    )
    data_dir: str = key(
        "",
        "folder with one folder of images per class; or a folder that holds only train/, val/ and test/; or a pack of either",
    )
    eval_data_dir: str = key("", "as data_dir, for those who give the flags of a training; wins over it")
    num_classes: int = key(0, "outputs that the checkpoint must have; 0: any", minimum=0)
    batch_size: int = key(32, "images per rank and step", minimum=1)
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)
    output_dir: str = key("output", "where the folder with the log and the results is made")


@dataclass(frozen=True)
class ExportConfig(CheckpointKeys, ClassNameKeys, PreprocessingKeys, DeviceKeys, RecipeKeys):
    """Export"""

    file_name: str = key(
        "", "file to write, with or without suffix; by default the network's name, in the current folder"
    )
    file_format: str = key("MINDIR", "format to write", choices=("MINDIR", "ONNX", "AIR"))
    batch_size: int = key(1, "batch size of the file's input, where the format fixes it", minimum=1)
    image: str = key(
        "",
        "image on which file and network are compared; by default one of the data the checkpoint was trained on, or the one mindzoo ships",
    )
    preprocess: str = key(
        "outside",
        "scaling and normalisation; outside: left to who uses the file; inside: part of the file, which then takes uint8 pixels, height x width x 3",
        choices=("outside", "inside"),
    )
    no_verify: bool = key(False, "do not load the file again and compare")
