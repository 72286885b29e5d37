"""The configuration keys of what is random in the pictures of a training."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key, show
from mindzoo.utils.errors import UserError, counted

# Of which a picture gets one at most.
POLICIES = ("auto_augment", "rand_augment", "trivial_augment")
# What mixes the pictures of a batch.
MIXES = ("mixup", "cutmix")
MOST_MAGNITUDE = 30


@dataclass(frozen=True)
class AugmentationKeys:
    """Random changes of training images"""

    crop_scale: tuple[float, ...] = key(
        (0.08, 1.0), "smallest,largest share of the image's area in a random crop", minimum=1e-4, maximum=1
    )
    crop_ratio: tuple[float, ...] = key(
        (0.75, 1.333), "smallest,largest width:height of a random crop", minimum=0.01, maximum=100
    )
    flip_prob: float = key(0.5, "probability of a horizontal flip", minimum=0, maximum=1)
    color_jitter: tuple[float, ...] = key(
        (),
        "random change of brightness,contrast,saturation, each up to that share; empty for none",
        minimum=0,
        maximum=1,
    )
    auto_augment: bool = key(False, "one random policy of AutoAugment's for ImageNet per image")
    rand_augment: tuple[int, ...] = key(
        (),
        "RandAugment: operations,magnitude, such as 2,9: so many random operations per image, each of this magnitude from 0 to 30; empty for none",
        minimum=0,
        maximum=MOST_MAGNITUDE,
    )
    trivial_augment: bool = key(False, "TrivialAugmentWide: one random operation of a random magnitude per image")
    random_erasing: float = key(
        0.0,
        "probability that a random rectangle of an image, 2 to 33 % of its area, becomes the mean colour",
        minimum=0,
        maximum=1,
    )
    mixup: float = key(
        0.0,
        "mix each image of a batch with another one, and their labels as much: alpha of the beta distribution of the share, such as 0.2; 0: not",
        minimum=0,
        maximum=1000,
    )
    cutmix: float = key(
        0.0,
        "put a rectangle of another image of the batch into each, and mix their labels by its area: alpha of the beta distribution of the share, such as 1; 0: not; beside mixup each batch gets one of them, by chance",
        minimum=0,
        maximum=1000,
    )
    mixup_prob: float = key(1.0, "probability that a batch is mixed, by mixup or cutmix", minimum=0, maximum=1)
    mixup_off_epoch: int = key(
        0, "epochs after which batches are not mixed any more, by mixup or cutmix; 0: they always are", minimum=0
    )

    @property
    def mixes(self) -> bool:
        """Whether the images of a batch are mixed."""
        return bool(self.mixup or self.cutmix) and self.mixup_prob > 0

    @property
    def mixing_given(self) -> str:
        """Which of them are, for people: mixup 0.2 and cutmix 1."""
        return " and ".join(f"{name} {show(getattr(self, name))}" for name in MIXES if getattr(self, name))

    def check_augmentation(self) -> None:
        """Refuse values that do not go together.

        Raises:
            UserError: says which, and what to give.
        """
        for name in ("crop_scale", "crop_ratio"):
            value = getattr(self, name)
            if len(value) != 2 or value[0] > value[1]:
                raise UserError(f"{name} is {','.join(map(str, value))}; wanted smallest,largest")
        if len(self.color_jitter) not in (0, 3):
            raise UserError(
                f"color_jitter has {counted(len(self.color_jitter), 'number')}; wanted brightness,contrast,saturation"
            )
        if self.rand_augment and (len(self.rand_augment) != 2 or self.rand_augment[0] < 1):
            raise UserError(
                f"rand_augment is {show(self.rand_augment)}; wanted operations,magnitude with at least one operation, such as 2,9"
            )
        chosen = [name for name in POLICIES if getattr(self, name)]
        if len(chosen) > 1:
            given = " and ".join(f"{name} {show(getattr(self, name))}" for name in chosen)
            raise UserError(
                f"an image gets one policy of random operations, and there are {given}; wanted one of them: leave the "
                "others out, or give --auto_augment false where it is the network's own"
            )

    def check_mixing(self, distinct: int) -> None:
        """Refuse to mix the images of a batch that has `distinct` different ones, where that is one.

        Raises:
            UserError: says so.
        """
        if self.mixes and distinct < 2:
            raise UserError(
                f"{self.mixing_given}: there is one image in a batch, and no other to mix it with; use a larger --batch_size"
            )
