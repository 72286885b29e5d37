"""Preprocessing of images, against Pillow and NumPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mindspore.dataset as ds
import numpy as np
import pytest
from PIL import Image

from mindzoo.utils.config.image_keys import IMAGENET_MEAN, IMAGENET_STD
from mindzoo.utils.config.keys import EvalConfig, TrainConfig
from mindzoo.utils.data.transforms import Preprocessing, evaluation_operations, load_image, training_operations
from mindzoo.utils.errors import UserError

MEAN = np.array(IMAGENET_MEAN).reshape(3, 1, 1)
STD = np.array(IMAGENET_STD).reshape(3, 1, 1)


def how(size: tuple[int, int] = (32, 32), crop_pct: float = 1.0, mode: str = "square") -> Preprocessing:
    return Preprocessing(size, crop_pct, mode, IMAGENET_MEAN, IMAGENET_STD)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def gradient(height: int, width: int) -> np.ndarray:
    """Red rises from left to right, green from top to bottom, blue is constant: any good resize agrees on it."""
    x = np.linspace(0, 255, width)[None, :] + np.zeros((height, 1))
    y = np.linspace(0, 255, height)[:, None] + np.zeros((1, width))
    return np.stack([x, y, np.full((height, width), 90.0)], 2).round().astype(np.uint8)


def saved(folder: Path, pixels: np.ndarray, name: str = "image.png") -> Path:
    path = folder / name
    Image.fromarray(pixels).save(path)
    return path


def normalised(pixels: np.ndarray) -> np.ndarray:
    """The reference: (H, W, 3) uint8 -> (3, H, W) float64."""
    return (pixels.transpose(2, 0, 1) / 255 - MEAN) / STD


def piped(path: Path, operations: list[Any], times: int = 1) -> np.ndarray:
    """What the data pipeline makes of one file, read `times` times: (times, 3, H, W)."""
    data = ds.NumpySlicesDataset([str(path)] * times, ["path"], shuffle=False)
    data = data.map(lambda name: np.fromfile(str(name), np.uint8), "path", num_parallel_workers=1)
    data = data.map(operations, "path", num_parallel_workers=1)
    return np.stack([row[0] for row in data.create_tuple_iterator(num_epochs=1, output_numpy=True)])


def test_an_image_of_the_right_size_is_only_normalised(tmp_path: Path) -> None:
    pixels = noise(32, 48)
    found = load_image(saved(tmp_path, pixels), how((32, 48)))
    assert found.shape == (3, 32, 48)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, normalised(pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["square", "shorter"])
def test_the_crop_is_the_centre(tmp_path: Path, mode: str) -> None:
    pixels = noise(40, 40)
    found = load_image(saved(tmp_path, pixels), how((32, 32), 0.8, mode))
    np.testing.assert_allclose(found, normalised(pixels[4:36, 4:36]), rtol=0, atol=1e-5)


def test_shorter_keeps_the_aspect_ratio_and_crops_the_longer_side(tmp_path: Path) -> None:
    pixels = noise(40, 80)
    found = load_image(saved(tmp_path, pixels), how((32, 32), 0.8, "shorter"))
    np.testing.assert_allclose(found, normalised(pixels[4:36, 24:56]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "mode", "resized", "box"),
    [
        ((80, 160), "square", (40, 40), (4, 4)),
        ((80, 160), "shorter", (40, 80), (4, 24)),
        ((160, 80), "shorter", (80, 40), (24, 4)),
        ((20, 30), "square", (40, 40), (4, 4)),
    ],
)
def test_resizing_agrees_with_pillow(
    tmp_path: Path, size: tuple[int, int], mode: str, resized: tuple[int, int], box: tuple[int, int]
) -> None:
    pixels = gradient(*size)
    found = load_image(saved(tmp_path, pixels), how((32, 32), 0.8, mode))
    resize = Image.fromarray(pixels).resize(resized[::-1], Image.Resampling.BILINEAR)
    wanted = np.asarray(resize)[box[0] : box[0] + 32, box[1] : box[1] + 32]
    assert found.shape == (3, 32, 32)
    np.testing.assert_allclose(found, normalised(wanted), rtol=0, atol=2.5 / 255 / min(IMAGENET_STD))


def test_shorter_fills_an_input_that_is_wider_than_high(tmp_path: Path) -> None:
    found = load_image(saved(tmp_path, np.full((50, 50, 3), 255, np.uint8)), how((32, 48), 1.0, "shorter"))
    assert found.shape == (3, 32, 48)
    np.testing.assert_allclose(found, normalised(np.full((32, 48, 3), 255, np.uint8)), rtol=0, atol=1e-5)


def test_the_default_is_224_of_256() -> None:
    default = Preprocessing.from_config(EvalConfig())
    assert default == Preprocessing((224, 224), 0.875, "square", IMAGENET_MEAN, IMAGENET_STD)
    assert default.resized == (256, 256)


def test_a_description_survives_json() -> None:
    before = how((32, 48), 0.9, "shorter")
    assert Preprocessing.from_dict(json.loads(json.dumps(before.to_dict()))) == before


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_load_image_equals_the_pipeline(tmp_path: Path, mode: str, suffix: str) -> None:
    if suffix == ".jpg" and mode not in ("RGB", "L"):
        mode = "CMYK"
    path = tmp_path / f"image{suffix}"
    Image.fromarray(gradient(50, 60)).convert(mode).save(path)
    found = load_image(path, how((32, 32), 0.8))
    assert found.shape == (3, 32, 32)
    np.testing.assert_array_equal(found, piped(path, evaluation_operations(how((32, 32), 0.8)))[0])


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_images_have_three_equal_channels(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(noise(32, 32)).convert(mode).save(path)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_allclose(load_image(path, how()), normalised(pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kept", [2, 4, 300, 500])
def test_a_jpeg_that_is_cut_off_is_an_error_and_no_crash(tmp_path: Path, kept: int) -> None:
    """Of 300 bytes, which end before the first scan, MindSpore 2.10's decoder divides by zero."""
    path = saved(tmp_path, noise(64, 64), "image.jpg")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"is cut off|is no image"):
        load_image(path, how((32, 32)))


def test_webp_is_decoded_by_pillow(tmp_path: Path) -> None:
    pixels = noise(40, 40)
    path = tmp_path / "image.webp"
    Image.fromarray(pixels).save(path, lossless=True)
    np.testing.assert_array_equal(
        load_image(path, how((32, 32), 0.8)), load_image(saved(tmp_path, pixels), how((32, 32), 0.8))
    )


def test_the_first_frame_of_a_gif(tmp_path: Path) -> None:
    path = tmp_path / "image.gif"
    frames = [Image.new("RGB", (32, 32), color) for color in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    wanted = np.zeros((32, 32, 3), np.uint8)
    wanted[..., 0] = 255
    np.testing.assert_allclose(load_image(path, how()), normalised(wanted), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"this is no image\n", "is no image; JPEG, PNG, BMP, TIFF, WebP and GIF are read"),
        (b"", "is empty: 0 bytes"),
        (bytes(100), "holds zeros only, as a download that broke off"),
        (b"\xff\xd8\xff\xe0 cut off", "is cut off or damaged at marker e0"),
        (b"<!DOCTYPE html>", "is a web page (HTML); JPEG, PNG, BMP, TIFF, WebP and GIF are read"),
    ],
)
def test_a_file_that_is_no_image(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_image(path, how())
    assert str(caught.value) == f"{path} {said}"


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_image(tmp_path / "no.png", how())
    assert str(caught.value) == f"{tmp_path / 'no.png'} cannot be opened: No such file or directory"


def whole(**values: Any) -> TrainConfig:
    """A training whose random crop is the whole image."""
    return TrainConfig(image_size=(32,), crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), **values)


@pytest.mark.parametrize(("probability", "mirrored"), [(0.0, False), (1.0, True)])
def test_the_flip_of_training_is_horizontal(tmp_path: Path, probability: float, mirrored: bool) -> None:
    pixels = noise(32, 32)
    found = piped(saved(tmp_path, pixels), training_operations(whole(flip_prob=probability)))[0]
    wanted = pixels[:, ::-1] if mirrored else pixels
    np.testing.assert_allclose(found, normalised(wanted), rtol=0, atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("jitter", [(0.0, 0.0, 0.0), ()])
def test_no_color_jitter_leaves_the_colors(tmp_path: Path, jitter: tuple[float, ...]) -> None:
    pixels = noise(32, 32)
    found = piped(saved(tmp_path, pixels), training_operations(whole(flip_prob=0.0, color_jitter=jitter)))[0]
    np.testing.assert_allclose(found, normalised(pixels), rtol=0, atol=1e-5)


def test_brightness_multiplies_by_one_plus_or_minus_its_share(tmp_path: Path) -> None:
    path = saved(tmp_path, np.full((32, 32, 3), 100, np.uint8))
    operations = training_operations(whole(flip_prob=0.0, color_jitter=(0.4, 0.0, 0.0)))
    means = ((piped(path, operations, times=20) * STD + MEAN) * 255).mean((1, 2, 3))
    assert means.min() >= 59
    assert means.max() <= 141
    assert means.std() > 5


def test_the_crop_of_training_has_the_size_of_the_input(tmp_path: Path) -> None:
    path = saved(tmp_path, noise(50, 70))
    found = piped(path, training_operations(TrainConfig(image_size=(32, 48), color_jitter=(0.4, 0.4, 0.4))))
    assert found.shape == (1, 3, 32, 48)
