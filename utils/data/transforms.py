"""How an image becomes the network's input. One description serves evaluation, prediction and export."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mindspore.dataset import vision
from PIL import Image

from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.errors import UserError

JPEG = b"\xff\xd8"  # how such a file begins


@dataclass(frozen=True)
class Preprocessing:
    """Resize (bilinear), centre crop, normalise, HWC to CHW; the input is RGB."""

    image_size: tuple[int, ...]  # height, width
    crop_pct: float
    resize_mode: str  # "square" or "shorter"
    mean: tuple[float, ...]  # of values in 0..1
    std: tuple[float, ...]
    orientation: str = "stored"  # or "exif"; files of before have no word on it

    @classmethod
    def from_config(cls, config: PreprocessingKeys) -> Preprocessing:
        """What the configuration says."""
        return cls(**{spec.name: getattr(config, spec.name) for spec in dataclasses.fields(cls)})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `to_dict`."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: in a checkpoint, beside an exported file."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width before the centre crop."""
        height, width = (round(side / self.crop_pct) for side in self.image_size)
        return height, width


def training_operations(config: TrainConfig) -> list[Any]:
    """Random crop, flip, AutoAugment, colour jitter, normalisation: file bytes (uint8) -> (3, H, W) float32."""
    operations: list[Any] = [
        vision.RandomCropDecodeResize(config.image_size, scale=config.crop_scale, ratio=config.crop_ratio)
    ]
    if config.flip_prob:
        operations.append(vision.RandomHorizontalFlip(config.flip_prob))
    if config.auto_augment:
        operations.append(vision.AutoAugment(vision.AutoAugmentPolicy.IMAGENET))
    if any(config.color_jitter):
        brightness, contrast, saturation = config.color_jitter
        operations.append(vision.RandomColorAdjust(brightness, contrast, saturation))
    return operations + _normalise(config.mean, config.std)


def evaluation_operations(how: Preprocessing) -> list[Any]:
    """The one evaluation transform: file bytes (uint8) -> (3, H, W) float32."""
    height, width = how.resized
    size = max(height, width) if how.resize_mode == "shorter" else (height, width)
    return [vision.Decode(), vision.Resize(size), vision.CenterCrop(how.image_size), *_normalise(how.mean, how.std)]


def load_image(path: Path, how: Preprocessing) -> np.ndarray:
    """One image file, preprocessed: (3, H, W) float32.

    Pillow decodes what the data pipeline does not (WebP, GIF's first frame), and JPEG, to the same pixels: there the
    pipeline's decoder ends the whole process at some broken files.

    Raises:
        UserError: not a readable image; names the file.
    """
    decode, *rest = evaluation_operations(how)
    try:
        content = np.fromfile(path, np.uint8)
        image = _decode_with_pillow(path) if content[:2].tobytes() == JPEG else decode(content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (RuntimeError, ValueError, TypeError):
        image = _decode_with_pillow(path)
    for operation in rest:
        image = operation(image)
    return np.ascontiguousarray(image, np.float32)


def _decode_with_pillow(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:  # a decoder of broken bytes may raise anything
        raise UserError(f"{path} is not a readable image") from None


def _normalise(mean: tuple[float, ...], std: tuple[float, ...]) -> list[Any]:
    return [
        vision.Normalize([255 * value for value in mean], [255 * value for value in std]),
        vision.HWC2CHW(),
    ]
