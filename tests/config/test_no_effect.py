"""Keys without an effect beside the values of others are named."""

from __future__ import annotations

import pytest

from mindzoo.models import SPECS
from mindzoo.utils.commands import EXPORT, TRAIN, read_command
from mindzoo.utils.config.no_effect import without_effect

NEVER_SAVED = "has no effect: save_checkpoint is false"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--max_epoch 3", []),
        ("--save_checkpoint false", []),
        ("--save_checkpoint false --ckpt_interval 7", [f"ckpt_interval {NEVER_SAVED}"]),
        (
            "--save_checkpoint 0 --keep_checkpoint_max 3 --save_best_ckpt 0",
            [f"save_best_ckpt {NEVER_SAVED}", f"keep_checkpoint_max {NEVER_SAVED}"],
        ),
        ("--run_eval false --eval_data_dir val", ["eval_data_dir has no effect: run_eval is false"]),
        ("--max_epoch 3 --end_epoch 3", []),
        (
            "--max_epoch 3 --end_epoch 5",
            ["end_epoch has no effect: it is 5, and the training ends after 3 (max_epoch)"],
        ),
        ("--mixup 0.2 --mixup_prob 0.5 --mixup_off_epoch 2", []),
        (
            "--mixup_prob 0.5 --mixup_off_epoch 2",
            [f"{name} has no effect: neither mixup nor cutmix is given" for name in ("mixup_prob", "mixup_off_epoch")],
        ),
        ("--cutmix 1 --mixup_prob 0", ["cutmix has no effect: mixup_prob is 0"]),
        (
            "--cutmix 1 --max_epoch 3 --mixup_off_epoch 3",
            ["mixup_off_epoch has no effect: it is 3, and the training ends after 3 (max_epoch)"],
        ),
        ("--max_epoch 3 --warmup_epochs 2", []),
        (
            "--max_epoch 3 --warmup_epochs 3",
            [
                "warmup_epochs is 3, and the training ends after 3 (max_epoch): the learning rate is not past its rise "
                "then"
            ],
        ),
    ],
)
def test_a_key_of_a_training_without_an_effect_is_named(words: str, said: list[str]) -> None:
    assert without_effect(read_command(TRAIN, SPECS["densenet121"], words.split(), "train")) == said


def test_the_batch_size_of_an_onnx_file_is_said_to_have_no_effect() -> None:
    for words, said in (
        ("--batch_size 4", []),
        ("--file_format ONNX", []),
        ("--file_format ONNX --batch_size 4", ["batch_size has no effect: an ONNX file takes batches of any size"]),
    ):
        assert without_effect(read_command(EXPORT, SPECS["densenet121"], words.split(), "export")) == said
