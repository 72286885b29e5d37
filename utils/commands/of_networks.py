"""What one does with a network: train, evaluate, classify, export, look at. Entry points are sentences: `train(SPEC)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mindzoo.utils.commands.command import Command, run_command
from mindzoo.utils.config.keys import CHECKPOINT_ALIASES, TRAIN_ALIASES
from mindzoo.utils.config.reading import Aliases, Loaded
from mindzoo.utils.finetuning.keys import finetune_config
from mindzoo.utils.inference.keys import PredictConfig
from mindzoo.utils.information.keys import network_info_config
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.rate_finding.keys import lr_find_config

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec


def train(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str = "") -> int:
    """Train; the flags are those of `spec.train_config`."""
    return run_command(TRAIN, spec, argv, prog)


def evaluate(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str = "") -> int:
    """Evaluate one checkpoint, or every checkpoint of a folder."""
    return run_command(EVAL, spec, argv, prog)


def export(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str = "") -> int:
    """Write a checkpoint as MINDIR, ONNX or AIR."""
    return run_command(EXPORT, spec, argv, prog)


def _train(spec: ModelSpec, loaded: Loaded[Any], progress: ProgressDisplay) -> None:
    from mindzoo.utils.training import trainer

    trainer.train(spec, loaded, progress)


def _finetune(spec: ModelSpec, loaded: Loaded[Any], progress: ProgressDisplay) -> None:
    from mindzoo.utils.finetuning import finetune

    finetune.finetune(spec, loaded, progress)


def _lr_find(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.rate_finding import lr_find

    lr_find.find(spec, loaded)


def _evaluate(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.inference import evaluate_checkpoints

    evaluate_checkpoints.evaluate(spec, loaded)


def _export(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.inference import export_checkpoint

    export_checkpoint.export(spec, loaded)


def _predict(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.inference import classify_images

    classify_images.predict(spec, loaded)


def _info(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.information import network_info

    network_info.show(spec, loaded)


def aliases_of_training(spec: ModelSpec) -> Aliases:
    return {**TRAIN_ALIASES, **spec.train_aliases}


def aliases_of_evaluation(spec: ModelSpec) -> Aliases:
    return {**CHECKPOINT_ALIASES, **spec.eval_aliases}


def aliases_of_export(spec: ModelSpec) -> Aliases:
    return {**CHECKPOINT_ALIASES, **spec.export_aliases}


TRAIN = Command(
    name="train",
    help="train a network on class folders",
    config=lambda spec: spec.train_config,
    run=_train,
    verb="Train",
    aliases=aliases_of_training,
    examples=(
        "--data_dir ROOT",
        "--config_path digits_cpu --data_dir digits --output_dir run",
        "--data_dir ROOT --resume auto",
    ),
    original_lines=True,
)


FINETUNE = Command(
    name="finetune",
    help="train on your own pictures, from weights, with keys that are chosen by their number and the machine",
    config=finetune_config,
    run=_finetune,
    verb="Choose how to fine-tune, say why, and train",
    aliases=aliases_of_training,
    examples=(
        "--pretrained FILE --data_dir ROOT",
        "--pretrained FILE --data_dir ROOT --max_epoch 5 --write_recipe mine.yaml",
    ),
    original_lines=True,
)


LR_FIND = Command(
    name="lr-find",
    help="try ever higher learning rates in a training's step, draw the loss, and suggest one",
    config=lr_find_config,
    run=_lr_find,
    verb="Try ever higher learning rates in a training's step, draw the loss, and suggest one, for",
    aliases=aliases_of_training,
    examples=(
        "--data_dir ROOT",
        "--data_dir ROOT --pretrained FILE --optimizer adamw --lr_from 1e-6 --lr_to 1",
        "--config_path digits_cpu --data_dir digits --output rates.png",
    ),
)


EVAL = Command(
    name="eval",
    help="evaluate a checkpoint, or every checkpoint of a folder",
    config=lambda spec: spec.eval_config,
    run=_evaluate,
    verb="Evaluate",
    aliases=aliases_of_evaluation,
    examples=("--data_dir ROOT --checkpoint best.ckpt", "--data_dir ROOT/val --checkpoint FOLDER"),
    original_lines=True,
)


EXPORT = Command(
    name="export",
    help="write a checkpoint as MINDIR, ONNX or AIR, and verify it",
    config=lambda spec: spec.export_config,
    run=_export,
    verb="Export",
    aliases=aliases_of_export,
    examples=("--checkpoint best.ckpt", "--checkpoint best.ckpt --file_format ONNX --file_name network"),
)


PREDICT = Command(
    name="predict",
    help="name the classes of images",
    config=lambda spec: spec.preprocessed(PredictConfig),
    run=_predict,
    verb="Classify images with",
    aliases=aliases_of_evaluation,
    examples=(
        "--checkpoint best.ckpt photo.jpg",
        "--checkpoint best.ckpt FOLDER --top_k 1 --output classes.csv",
        "--checkpoint best.ckpt 'photos/*.jpg' --html classes.html --explain gradcam",
    ),
    operands=" [IMAGE ...]",
)


INFO = Command(
    name="info",
    help="what a network costs and how far it sees, or what a file holds: info NETWORK|FILE",
    config=network_info_config,
    run=_info,
    verb="Say what there is to know of",
    examples=(
        "",
        "--image_size 320 --num_classes 10 --batch_size 8",
        "--layer_table --depth 1",
        "--parameters --output net.json",
    ),
)
