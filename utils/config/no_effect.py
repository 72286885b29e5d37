"""Keys that were given and can have no effect for the value of another one, where that is more than being set."""

from __future__ import annotations

import dataclasses
from typing import Any

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.config.reading import Loaded

SAVING = (
    "save_best_ckpt", "ckpt_interval", "save_checkpoint_epochs", "save_minutes", "keep_checkpoint_max",
    "is_save_on_master",
)  # fmt: skip

MIXING = ("mixup_prob", "mixup_off_epoch")
# Of an average of checkpoints: what is of images.
ON_IMAGES = ("data_dir", "batch_size", "workers", "engine", "verify", "on_bad_image", "skip_list")


def without_effect(loaded: Loaded[Any]) -> list[str]:
    """One line for each such key, as `Loaded.notes` has them."""
    config = loaded.config
    values = {spec.name: getattr(config, spec.name) for spec in dataclasses.fields(config)}
    defaults = {spec.name: spec.default for spec in dataclasses.fields(config)}
    reasons: dict[str, str] = dict(config.without_use()) if isinstance(config, TrainConfig) else {}
    if not values.get("save_checkpoint", True):
        reasons.update(dict.fromkeys(SAVING, "save_checkpoint is false"))
    if not values.get("run_eval", True):
        reasons["eval_data_dir"] = "run_eval is false"
    if not values.get("val_split", 1):
        reasons["group_by"] = "val_split is 0"
    if "end_epoch" in values and config.end_epoch > config.max_epoch:
        reasons["end_epoch"] = f"it is {config.end_epoch}, and the training ends after {config.max_epoch} (max_epoch)"
    if not (values.get("mixup") or values.get("cutmix")):
        reasons.update(dict.fromkeys(MIXING, "neither mixup nor cutmix is given"))
    elif values["mixup_prob"] == 0:
        reasons.update(dict.fromkeys(("mixup", "cutmix", "mixup_off_epoch"), "mixup_prob is 0"))
    elif config.mixup_off_epoch >= config.max_epoch:
        ends = f"the training ends after {config.max_epoch} (max_epoch)"
        reasons["mixup_off_epoch"] = f"it is {config.mixup_off_epoch}, and {ends}"
    if not values.get("ema_decay", True):
        reasons["ema_warmup"] = "ema_decay is 0, and no weights are averaged"
    if not values.get("freeze", True):
        reasons["unfreeze_epoch"] = "nothing is frozen; freeze says what"
    elif "freeze" in values and config.unfreeze_epoch >= config.last_epoch:
        reasons["unfreeze_epoch"] = f"it is {config.unfreeze_epoch}, and the training ends after {config.last_epoch}"
    if not (values.get("greedy", True) or config.recalibrate):
        reasons.update(dict.fromkeys(ON_IMAGES, "neither greedy nor recalibrate is given, and no image is read"))
    if values.get("file_format") == "ONNX":
        reasons["batch_size"] = "an ONNX file takes batches of any size"
    if not values.get("html", True):
        reasons["images_root"] = "html is not given"
    given = [name for name in loaded.given if values[name] != defaults[name]]
    lines = [f"{name} has no effect: {reason}" for name, reason in reasons.items() if name in given]
    if "warmup_epochs" in given and config.warmup_epochs >= config.max_epoch:
        lines.append(
            f"warmup_epochs is {config.warmup_epochs}, and the training ends after {config.max_epoch} (max_epoch): the "
            "learning rate is not past its rise then"
        )
    return lines
