"""The configuration keys of images: how they are preprocessed, and which are read."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError, counted

MOST_PIXELS = 4096  # per side
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DECODER_CHOICES = ("auto", "mindspore", "native")
# Whose way of evaluating there is, for weights that do not say how images were preprocessed for them.
EVALUATIONS = ("zoo", "timm", "torchvision")


@dataclass(frozen=True)
class PreprocessingKeys:
    """Preprocessing of evaluation images; where a checkpoint is given, what it records, unless a key is given"""

    image_size: tuple[int, ...] = key(
        (224, 224), "height,width of the network's input; one number means both", minimum=1, maximum=MOST_PIXELS
    )
    crop_pct: float = key(
        0.875, "the centre crop's share of the resized image: 224 of 256 by default", minimum=0.01, maximum=1
    )
    resize_mode: str = key(
        "square",
        "square: resize to exactly the size, not keeping the aspect ratio; shorter: resize the shorter side",
        choices=("square", "shorter"),
    )
    mean: tuple[float, ...] = key(IMAGENET_MEAN, "mean of the three channels, of values in 0..1")
    std: tuple[float, ...] = key(
        IMAGENET_STD, "standard deviation of the three channels, of values in 0..1", minimum=1e-6
    )

    orientation: str = key(
        "stored",
        "which way up; stored: pixels as they are in the file; exif: turned as the camera's mark in the file says",
        choices=("stored", "exif"),
    )

    def __post_init__(self) -> None:
        if len(self.image_size) == 1:
            object.__setattr__(self, "image_size", self.image_size * 2)
        if len(self.image_size) != 2:
            raise UserError(f"image_size has {counted(len(self.image_size), 'number')}; wanted height,width")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != 3:
                raise UserError(
                    f"{name} has {counted(len(getattr(self, name)), 'number')}; wanted three, for red, green, blue"
                )


@dataclass(frozen=True)
class ShorterSideKeys(PreprocessingKeys):
    """Preprocessing of evaluation images; the original resizes the shorter side"""

    resize_mode: str = key(
        "shorter",
        "square: resize to exactly the size, not keeping the aspect ratio; shorter: resize the shorter side",
        choices=("square", "shorter"),
    )


@dataclass(frozen=True)
class BadImageKeys:
    """Images that cannot be read"""

    on_bad_image: str = key(
        "stop",
        "an image that cannot be read; stop: end with its name; skip: look at all images first, and leave out, count and list those that cannot be read",
        choices=("stop", "skip"),
    )
    skip_list: str = key("", "file with names of images to leave out, one a line, as mindzoo check-data writes it")


@dataclass(frozen=True)
class TrainDataKeys(BadImageKeys):
    """Training data"""

    data_dir: str = key(
        "",
        "folder with one folder of images per class; or a folder that holds only train/, val/ and test/; or a pack of either",
    )
    eval_data_dir: str = key(
        "",
        "class folders, or a pack, to evaluate on while training; a folder val/ beside the training folder is compared anyway",
    )
    num_classes: int = key(
        0, "outputs of the classifier; 0: as many as there are class folders", minimum=0, maximum=1_000_000
    )
    batch_size: int = key(32, "images per rank and step", minimum=1)
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)
    repeats: int = key(
        1,
        "times each image is in a batch, every time with other random changes; batch_size must be a multiple of it, and an epoch has as many batches as without",
        minimum=1,
    )
    decoder: str = key(
        "auto",
        "what decodes JPEG files of a training; native: the libjpeg-turbo of Pillow, only the random part, by code that is built once; mindspore; auto: what the variable MINDZOO_DECODER says, else native where it can be used",
        choices=DECODER_CHOICES,
    )
    sampling: str = key(
        "uniform",
        "which images an epoch draws; uniform: each once; balanced: as many of each class; square_root: halfway between",
        choices=("uniform", "balanced", "square_root"),
    )
