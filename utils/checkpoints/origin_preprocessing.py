"""How images are to be preprocessed for weights that do not say it."""

from __future__ import annotations

import dataclasses

from mindzoo.utils.checkpoints import foreign_names
from mindzoo.utils.checkpoints.checkpoint_file import OURS, Checkpoint
from mindzoo.utils.config import image_keys
from mindzoo.utils.config.image_keys import IMAGENET_MEAN, IMAGENET_STD, PreprocessingKeys
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.log import aside

ZOO, TIMM, TORCHVISION = image_keys.EVALUATIONS
AUTO = "auto"
IMPLIED = {foreign_names.ZOO: ZOO, foreign_names.TORCH: TORCHVISION, foreign_names.OTHER_ZOO: TORCHVISION, OURS: ZOO}
CROP = 0.875  # 224 of 256
# What is not the same here as there.
DIFFERENT = {
    ZOO: "",
    TORCHVISION: "; resized bilinearly without antialiasing, there with it, and for some weights to 232",
    TIMM: "; resized bilinearly without antialiasing, there with it and often bicubically, for some weights to other sizes",
}


def settled(checkpoint: Checkpoint, own: PreprocessingKeys, wanted: str = AUTO, *, say: bool = True) -> Preprocessing:
    """What the file says, unless another way is `wanted`; else what those use that its names come from.

    Args:
        own: the network's own keys of evaluation, with the size of its images.
        wanted: AUTO, or one of `image_keys.EVALUATIONS`.
        say: log what was chosen where the file does not say it.
    """
    how = Preprocessing.from_config(own)
    recorded = checkpoint.meta.get("preprocessing")
    if recorded and wanted == AUTO:
        # Files of before have no word on some fields.
        return Preprocessing.from_dict({**how.to_dict(), **recorded})
    kind = IMPLIED[checkpoint.origin] if wanted == AUTO else wanted
    if kind != ZOO:
        how = dataclasses.replace(how, crop_pct=CROP, resize_mode="shorter", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if say:
        aside(
            "%s: images as for %s, %s: %s side to %d, centre crop %d x %d%s",
            checkpoint.path, kind, f"since its names are of {checkpoint.origin}" if wanted == AUTO else "as asked for",
            "the shorter" if how.resize_mode == "shorter" else "each", max(how.resized), *how.image_size, DIFFERENT[kind],
        )  # fmt: skip
    return how
