"""The configuration keys of a training as a run: where it starts, when it is evaluated, what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key
from mindzoo.utils.scores.metric import METRIC_KINDS, TOP1
from mindzoo.utils.trackers import registry as trackers


@dataclass(frozen=True)
class RunKeys:
    """The run, its output and its checkpoints"""

    output_dir: str = key("output", "where the run's folder is made")
    pretrained: str = key(
        "",
        "checkpoint whose weights the training starts from: a file, its address on the web, or a name that list-weights shows",
    )
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
        0.0,
        "by how much, in 0..1, an evaluation has to be better by its metric to count as better for patience",
        minimum=0,
        maximum=1,
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
    metric: str = key(
        TOP1,
        "by which number of an evaluation it is the best so far: for best.ckpt, patience and the report; balanced: the mean recall of the classes; macro_f1: the mean of their F1; loss: the lowest",
        choices=tuple(METRIC_KINDS),
    )
