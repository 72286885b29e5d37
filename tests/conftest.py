"""Makes `mindzoo` importable from this clone, and provides small data and a small network."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

COLORS = {"blue": (40, 60, 220), "green": (40, 200, 60), "red": (220, 40, 50)}


@pytest.fixture(scope="session", autouse=True)
def _cpu() -> None:
    from mindzoo.utils import runtime

    runtime.start("CPU")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MindSpore leaves files in the current folder; keep them out of the clone."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)


def write_images(folder: Path, color: tuple[int, int, int], count: int, seed: int = 0, size: int = 40) -> None:
    """`count` noisy PNG files of one colour."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    for number in range(count):
        pixels = np.clip(np.array(color) + noise.normal(0, 25, (size, size, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03d}.png")


@pytest.fixture(scope="session")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with train/ (3 classes, 12 images each) and val/ (5, 5 and 3 images: no multiple of any batch size)."""
    root = tmp_path_factory.mktemp("colors")
    for number, (name, color) in enumerate(COLORS.items()):
        write_images(root / "train" / name, color, 12, seed=number)
        write_images(root / "val" / name, color, 3 if name == "red" else 5, seed=10 + number)
    return root


def tiny(network: str = "densenet121") -> list[str]:
    """Flags that make a network small enough to compile in a second or two, for 32-pixel images."""
    flags = {"densenet121": ["--block_config", "1,1", "--growth_rate", "4", "--init_features", "8"]}
    common = ["--image_size", "32", "--crop_pct", "1", "--device_target", "CPU", "--is_distributed", "0"]
    return flags[network] + common
