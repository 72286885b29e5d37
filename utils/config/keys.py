"""The configuration keys that all networks share. A network's own class inherits them, changes defaults, adds keys.

Names are those of the field (timm, mindcv) or of the original zoo; each network declares the other spellings of its
README as aliases.
"""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.image_keys import BadImageKeys, PreprocessingKeys, TrainDataKeys
from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.trackers import registry as trackers

# Spellings that every network takes; a network adds those of its own README.
TRAIN_ALIASES = {"eval_data_path": "eval_data_dir", "config": "config_path", "checkpoint": "pretrained"}
CHECKPOINT_ALIASES = {"eval_data_path": "eval_data_dir", "config": "config_path", "pretrained": "checkpoint"}
# Keys that have no effect beside another value of this one.
RMSPROP = ("optimizer", ("rmsprop",))
THOR = ("optimizer", ("thor",))
DEVICES = ("auto", "Ascend", "GPU", "CPU")
MOST_EPOCHS = 1_000_000


NATIVE_CHOICES = ("auto", "on", "off")
ENGINE_CHOICES = ("auto", "mindspore", "onnxruntime")


@dataclass(frozen=True)
class RecipeKeys:
    """The recipe"""

    config_path: str = key("", "YAML file with values for any of these keys; flags win over it")


@dataclass(frozen=True)
class DeviceKeys:
    """Device"""

    device_target: str = key("auto", "where to compute; auto is Ascend where there is one, else CPU", choices=DEVICES)


@dataclass(frozen=True)
class CompileKeys(DeviceKeys):
    """Compiled graphs"""

    compile_cache: str = key(
        "auto",
        "keep compiled graphs in the user's cache folder, so that the next start is sooner; auto: what the variable MINDZOO_COMPILE_CACHE says, else on where it was tried: a CPU, one rank, MindSpore 2.10",
        choices=("auto", "on", "off"),
    )


@dataclass(frozen=True)
class RanksKeys(CompileKeys):
    """Ranks"""

    is_distributed: bool = key(
        False, "join the ranks of the launcher that started this process; without one it runs alone"
    )
    rank: int = key(
        0,
        "rank of this process; with is_distributed the launcher's counts",
        minimum=0,
        only_with=("is_distributed", (False,)),
    )
    group_size: int = key(
        1,
        "number of ranks; with is_distributed the launcher's counts",
        minimum=1,
        only_with=("is_distributed", (False,)),
    )


@dataclass(frozen=True)
class StorageKeys:
    """Places of a cloud job: paths, or buckets (obs://, s3://), for the key beside each where that one is not given"""

    modelarts: bool = key(False, "this is a job of ModelArts: buckets are copied with its moxing")
    data_url: str = key("", "stands in for data_dir; a bucket is copied to this server first")
    eval_data_url: str = key("", "stands in for eval_data_dir; a bucket is copied to this server first")
    checkpoint_url: str = key("", "stands in for the checkpoint; a bucket is copied to this server first")
    train_url: str = key(
        "",
        "stands in for output_dir; a bucket gets the results at every checkpoint and at the end, and so does a folder that output_dir is given beside",
    )


@dataclass(frozen=True)
class LossKeys:
    """Loss"""

    label_smooth: bool = key(False, "smooth the labels of the cross entropy")
    label_smooth_factor: float = key(
        0.1,
        "what is taken from the true class and spread over the others",
        minimum=0,
        maximum=0.999,
        only_with=("label_smooth", (True,)),
    )

    @property
    def smoothing(self) -> float:
        """The label smoothing that takes effect."""
        return self.label_smooth_factor if self.label_smooth else 0.0


@dataclass(frozen=True)
class ClassWeightKeys:
    """Weight of the classes in the loss"""

    class_weights: str = key(
        "none",
        "weight of an image's loss; balanced: one over the size of its class; square_root: one over the root of it",
        choices=("none", "balanced", "square_root"),
    )


@dataclass(frozen=True)
class ScheduleKeys:
    """Learning rate"""

    max_epoch: int = key(120, "epochs to train", minimum=1, maximum=MOST_EPOCHS)
    begin_epoch: int = key(
        0,
        "epochs that the checkpoint was trained already, where the schedule goes on; not given: what the checkpoint says, where it is resumed",
        minimum=0,
    )
    end_epoch: int = key(0, "stop after so many epochs, with the schedule of max_epoch; 0: after max_epoch", minimum=0)
    max_steps: int = key(0, "stop after so many steps in all; 0: after max_epoch epochs", minimum=0)
    lr: float = key(0.1, "learning rate before any decay", minimum=0)
    lr_base_batch: int = key(
        0,
        "images per update, over all ranks, that the learning rates are meant for: another number of images multiplies them by its share; 0: they are taken as they are",
        minimum=0,
    )
    warmup_epochs: int = key(0, "epochs in which the learning rate rises from 0, step by step", minimum=0)


@dataclass(frozen=True)
class OptimizerKeys:
    """Optimizer and step"""

    optimizer: str = key("momentum", "update rule", choices=("momentum", "nesterov", "rmsprop"))
    momentum: float = key(0.9, "momentum of the update", minimum=0, maximum=1)
    weight_decay: float = key(
        1e-4, "L2 decay of weights; biases and batch norm's gamma and beta are left out", minimum=0
    )
    eps: float = key(
        0.001, "added to the mean square of the gradients, under the root", minimum=1e-12, only_with=RMSPROP
    )
    rho: float = key(0.9, "decay of the mean square of the gradients", minimum=0, maximum=1, only_with=RMSPROP)
    accumulation_steps: int = key(1, "batches whose gradients are averaged into one update", minimum=1)
    clip_norm: float = key(0.0, "largest global norm of the gradients; 0: not clipped", minimum=0)
    ema_decay: float = key(0.0, "decay of the averaged weights; 0: none are kept", minimum=0, maximum=0.99999)
    sync_batch_norm: bool = key(False, "batch norm over the images of all ranks, not of each by itself")
    amp_level: str = key(
        "auto",
        "mixed precision: O0 float32, O2 float16 but batch norm, O3 float16; auto: on Ascend that of the original's script, else O0",
        choices=("auto", "O0", "O2", "O3"),
    )
    jit_level: str = key(
        "auto",
        "how MindSpore compiles for Ascend: O0 operator by operator, O1 with small ones fused, O2 the whole graph, for the first 910 only; auto: MindSpore chooses",
        choices=("auto", "O0", "O1", "O2"),
    )
    native: str = key(
        "auto",
        "on a CPU: native operators, which are built once and train faster than MindSpore's; auto: what the variable MINDZOO_NATIVE says, else where they can be used",
        choices=NATIVE_CHOICES,
    )
    deterministic: bool = key(
        False, "on Ascend: operators that give the same bits each time, often slower ones; a CPU needs nothing for that"
    )
    loss_scale: float = key(
        1024.0, "factor on the loss against underflow in float16; the start value with a dynamic one", minimum=1
    )
    is_dynamic_loss_scale: bool = key(
        False, "halve the loss scale and skip the update on overflow, double it after 2000 good steps"
    )


@dataclass(frozen=True)
class RunKeys:
    """The run, its output and its checkpoints"""

    output_dir: str = key("output", "where the run's folder is made")
    pretrained: str = key("", "checkpoint whose weights the training starts from")
    replace_head: bool = key(
        False,
        "start with a new classifier, for num_classes of its own; the other weights are those of pretrained",
    )
    freeze: tuple[str, ...] = key(
        (), "parameters that are not trained: names, with * for any characters; batch norm in them keeps its statistics"
    )
    resume: str = key(
        "",
        "auto: go on from the newest checkpoint in output_dir; or a checkpoint to go on from; one that is not of a run of mindzoo gives its weights only",
    )
    seed: int = key(
        1, "seed of initial weights, of the order of images and of augmentation", minimum=0, maximum=2**32 - 1
    )
    log_interval: int = key(100, "steps between two progress lines", minimum=1)
    tracker: tuple[str, ...] = key(
        (),
        "where the values of the training are shown beside the files of its folder; tensorboard: event files in that folder (extra tb); several with commas",
        choices=trackers.NAMES,
    )
    run_eval: bool = key(True, "evaluate while training, where there are images for it")
    eval_start_epoch: int = key(0, "epochs before the first evaluation while training", minimum=0)
    eval_interval: int = key(
        1,
        "epochs between two evaluations on eval_data_dir; the last epoch is evaluated in any case, unless max_steps ends within it",
        minimum=1,
    )
    patience: int = key(
        0, "end the training after so many evaluations without a better one; 0: it is not ended for that", minimum=0
    )
    min_delta: float = key(
        0.0, "how much higher, in 0..1, an accuracy has to be to count as better for patience", minimum=0, maximum=1
    )
    save_checkpoint: bool = key(True, "write checkpoints; false: none at all")
    save_best_ckpt: bool = key(True, "keep the checkpoint of the best evaluation as best.ckpt")
    ckpt_interval: int = key(
        0, "steps between two checkpoints; 0: none by steps; the last step is always saved", minimum=0
    )
    save_checkpoint_epochs: int = key(0, "epochs between two checkpoints; 0: none by epochs", minimum=0)
    save_minutes: float = key(
        10.0,
        "minutes between two writings of last.ckpt, the newest state, beside each epoch's end; 0: those only",
        minimum=0,
    )
    keep_checkpoint_max: int = key(10, "numbered checkpoints of the run to keep, the newest; 0: all", minimum=0)
    is_save_on_master: bool = key(True, "only rank 0 writes checkpoints; false: every rank writes its own")
    sink_mode: bool = key(
        True,
        "an Ascend card takes its batches from a queue (MindSpore's data sink); false: the host hands over each of them, and waits for each step",
    )
    sink_size: int = key(
        0,
        "steps of a block with sink_mode: reports, checkpoints, signals wait for its end; 0: about 50 on Ascend; elsewhere steps run one by one unless it is given",
        minimum=0,
        only_with=("sink_mode", (True,)),
    )


@dataclass(frozen=True)
class TrainConfig(
    RunKeys,
    OptimizerKeys,
    ScheduleKeys,
    ClassWeightKeys,
    LossKeys,
    PreprocessingKeys,
    TrainDataKeys,
    StorageKeys,
    RanksKeys,
    RecipeKeys,
):
    """All keys of a training"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("crop_scale", "crop_ratio"):
            value = getattr(self, name)
            if len(value) != 2 or value[0] > value[1]:
                raise UserError(f"{name} is {','.join(map(str, value))}; wanted smallest,largest")
        if len(self.color_jitter) not in (0, 3):
            raise UserError(
                f"color_jitter has {counted(len(self.color_jitter), 'number')}; wanted brightness,contrast,saturation"
            )
        if self.batch_size % self.repeats:
            near = max(round(self.batch_size / self.repeats), 1) * self.repeats
            raise UserError(
                f"batch_size is {self.batch_size}, and each image is in it {self.repeats} times (repeats); wanted a "
                f"multiple of {self.repeats}: use {near}"
            )

    @property
    def last_epoch(self) -> int:
        """Where the run ends, in epochs."""
        return min(self.end_epoch or self.max_epoch, self.max_epoch)


@dataclass(frozen=True)
class ThorConfig(TrainConfig):
    """Second-order updates"""

    optimizer: str = key(
        "thor",
        "update rule; thor: momentum, with gradients multiplied by the inverse of an approximate Fisher information",
        choices=("thor", "momentum", "nesterov", "rmsprop"),
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


@dataclass(frozen=True)
class CheckpointKeys:
    """The checkpoint"""

    checkpoint: str = key("", "checkpoint file")
    weights: str = key("averaged", "which weights of a checkpoint that holds both", choices=("averaged", "raw"))
    allow_nonfinite: bool = key(
        False,
        "use weights that are not finite, or a negative variance, which are refused otherwise; results mean nothing",
    )


@dataclass(frozen=True)
class EngineKeys:
    """Engine"""

    engine: str = key(
        "auto",
        "what computes; onnxruntime: a graph of the network, made once for all its checkpoints; auto: what the variable MINDZOO_ENGINE says, else onnxruntime on a CPU where it is installed (extra onnx)",
        choices=ENGINE_CHOICES,
    )
    verify: bool = key(
        False, "compute everything with MindSpore as well, and say how much ONNX Runtime differs from it"
    )


@dataclass(frozen=True)
class ClassNameKeys:
    """Class names"""

    classes: str = key(
        "",
        "class names for a checkpoint that has none, in the order of its outputs: a file with one a line, or a JSON list",
    )


@dataclass(frozen=True)
class EvalConfig(
    CheckpointKeys,
    EngineKeys,
    ClassNameKeys,
    PreprocessingKeys,
    BadImageKeys,
    StorageKeys,
    RanksKeys,
    RecipeKeys,
):
    """Evaluation"""

    checkpoint: str = key("", "checkpoint file, or a folder of which every checkpoint is evaluated, newest first")
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
