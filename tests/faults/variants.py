"""The small trainings that meet faults: each network, each optimizer, and each kind of randomness."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mindzoo.tests.support.trainings import COLORS, tiny, write_images

EPOCHS = 12
STEPS = 6  # per epoch
WEIGHTS = "weights.ckpt"  # beside the images, for a fine-tuning
IMAGES = (16, 12, 8)  # of the classes
COMMON = ["--workers", "1", "--log_interval", "1", "--max_epoch", str(EPOCHS), "--eval_interval", "1"]


@dataclass(frozen=True)
class Variant:
    """One training on three classes of 36 images in all: twelve epochs of six steps, with an evaluation after each."""

    name: str
    network: str
    more: tuple[str, ...]
    ranks: int = 1
    command: str = "train"  # or finetune, which begins from weights

    def flags(self, data: Path, output: Path) -> list[str]:
        """What the command gets."""
        splits = "--val_split" in self.more
        # What a split leaves of the images takes as many steps.
        batch = (sum(IMAGES) * 3 // 4 if splits else sum(IMAGES)) // STEPS // self.ranks
        own = [*tiny(self.network), "--color_jitter", "", "--crop_scale", "0.5,1", *COMMON, *self.more]
        places = ["--data_dir", str(data / "train" if splits else data), "--output_dir", str(output)]
        weights = ["--pretrained", str(data / WEIGHTS)] if self.command == "finetune" else []
        return [*own, "--batch_size", str(batch), *places, *weights]


def _variant(name: str, network: str, more: str, ranks: int = 1, command: str = "train") -> Variant:
    return Variant(name, network, tuple(more.split()), ranks, command)


RMSPROP = "--optimizer rmsprop --lr 0.001 --ckpt_interval 2"
# It watches MindSpore's own convolutions: MINDZOO_NATIVE=on would end it.
THOR = "--optimizer thor --lr_init 0.0005 --frequency 3 --ckpt_interval 2 --native off"
UNFREEZING = "--lr 0.05 --ckpt_interval 2 --freeze backbone.features.denseblock1* --unfreeze_epoch 6 --ema_decay 0.9 --ema_warmup 1"
# By so much no evaluation is better than the first, so the rate falls after each second one, and the run ends after eleven.
PLATEAU = "--val_split 0.25 --metric macro_f1 --schedule plateau --plateau_patience 2 --decay_factor 0.7 --min_delta 1 --patience 10"
RARE_CLASSES = "--loss focal --logit_adjustment 1 --class_weights effective --effective_beta 0.9"
ADAMW = f"--optimizer adamw --lr 0.004 --layer_decay 0.7 {RARE_CLASSES} --ema_decay 0.9 --ema_warmup 1"
SINGLE = (
    _variant("densenet121 momentum", "densenet121", "--lr 0.05 --ckpt_interval 2"),
    _variant("densenet121 defaults", "densenet121", "--lr 0.05"),
    _variant("densenet121 jitter", "densenet121", "--lr 0.05 --ckpt_interval 4 --color_jitter 0.4,0.4,0.4"),
    _variant(
        "densenet121 state",
        "densenet121",
        "--lr 0.05 --ckpt_interval 1 --keep_checkpoint_max 3 --accumulation_steps 4 --clip_norm 1 --ema_decay 0.9 --drop_rate 0.3 "
        "--is_dynamic_loss_scale 1",
    ),
    _variant(
        "densenet121 sampling", "densenet121", "--lr 0.05 --ckpt_interval 4 --auto_augment 1 --sampling square_root"
    ),
    _variant(
        "densenet121 mixing",
        "densenet121",
        "--lr 0.05 --ckpt_interval 2 --accumulation_steps 2 --rand_augment 2,9 --random_erasing 0.5 --mixup 0.4 --cutmix 1 "
        "--mixup_prob 0.8 --mixup_off_epoch 9",
    ),
    _variant("densenet121 unfreezing", "densenet121", UNFREEZING),
    _variant("densenet121 plateau", "densenet121", f"--lr 0.05 --ckpt_interval 2 {PLATEAU}"),
    _variant("densenet121 adamw", "densenet121", f"--ckpt_interval 2 {ADAMW}"),
    _variant(
        "densenet121 finetune", "densenet121", "--replace_head 1 --val_split 0.25 --ckpt_interval 2", command="finetune"
    ),
    _variant("genet_res50 rmsprop", "genet_res50", RMSPROP),
    _variant("genet_res50 momentum", "genet_res50", "--optimizer momentum --lr 0.02 --save_checkpoint_epochs 1"),
    _variant("glore_res50 momentum", "glore_res50", "--lr 0.02 --ckpt_interval 2"),
    _variant("hrnet_w48 rmsprop", "hrnet_w48", RMSPROP),
    _variant(
        "multigrain margin",
        "multigrain",
        "--optimizer momentum --lr 0.01 --metric_loss margin --repeats 3 --ckpt_interval 2",
    ),
    _variant("multigrain thor", "multigrain", THOR),
)
PARALLEL = (
    _variant("densenet121 momentum", "densenet121", "--lr 0.05 --ckpt_interval 2", 2),
    _variant("genet_res50 rmsprop", "genet_res50", RMSPROP, 2),
    _variant("glore_res50 momentum", "glore_res50", "--lr 0.02 --ckpt_interval 2 --drop_rate 0.3", 3),
    _variant("hrnet_w48 rmsprop", "hrnet_w48", RMSPROP, 2),
    _variant("densenet121 jitter", "densenet121", "--lr 0.05 --color_jitter 0.4,0.4,0.4", 3),
    _variant("multigrain margin", "multigrain", "--optimizer momentum --lr 0.01 --metric_loss margin --repeats 3", 2),
    _variant("multigrain thor", "multigrain", THOR, 2),
    _variant(
        "densenet121 mixing",
        "densenet121",
        "--lr 0.05 --trivial_augment 1 --random_erasing 0.5 --mixup 0.4 --cutmix 1",
        2,
    ),
    _variant("densenet121 plateau adamw", "densenet121", f"{ADAMW} {PLATEAU}", 2),
)


def write_data(root: Path) -> None:
    """train/ and val/ with the same three classes."""
    for number, (count, (name, color)) in enumerate(zip(IMAGES, COLORS.items(), strict=True)):
        write_images(root / "train" / name, color, count, seed=number)
        write_images(root / "val" / name, color, 5, seed=10 + number)
