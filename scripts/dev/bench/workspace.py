"""The folder that a benchmark works in, and the files in it that comparisons need: made at need, once."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.scripts.dev.bench import peers
from mindzoo.scripts.dev.bench.children import run
from mindzoo.scripts.dev.bench.photos import CLASSES, write_photos

ROOT = Path(__file__).resolve().parents[3]
WORKERS = Path(__file__).parent / "workers"
OUTPUTS = 1000  # classes of all networks


@dataclass(frozen=True)
class Scale:
    """How large the work is."""

    images: int = 256  # JPEG files
    size: int = 224  # pixels per side of what networks take
    small: bool = False  # tiny networks, to see that everything runs


class Workspace:
    """Files by what they are for."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self.folder, self.scale = folder, scale

    def photos(self, count: int) -> Path:
        """Class folders with so many JPEG files."""
        target = self.folder / f"photos-{count}"
        if not target.exists():
            write_photos(target, count)
        return target

    def checkpoint(self, network: str, seed: int = 1) -> Path:
        """Of one of our networks, with weights drawn from a seed."""
        target = self.folder / f"{network}-{seed}.ckpt"
        if not target.exists():
            names = [f"class{number}" for number in range(CLASSES)]
            self._work("own_checkpoint.py", network=network, seed=seed, output=str(target), names=names)
        return target

    def onnx(self, network: str, batch: int) -> Path:
        """Our export of one of our networks."""
        target = self.folder / f"{network}-{batch}.onnx"
        if not target.exists():
            words = ["--checkpoint", self.checkpoint(network), "--file_format", "ONNX", "--file_name", target]
            words += ["--batch_size", batch, "--device_target", "CPU"]
            run([sys.executable, str(ROOT), "export", network, *map(str, words)], {}, folder=self.folder)
        return target

    def torch_checkpoint(self, model: str) -> Path:
        """Of one of timm's networks, with weights drawn from a seed."""
        target = self.folder / f"{model}.pth"
        if not target.exists():
            self._work("torch_folder.py", peers.TORCH.python(), task="make", model=model, checkpoint=str(target))
        return target

    def output(self, name: str) -> Path:
        """A folder of this name."""
        target = self.folder / name
        target.mkdir(exist_ok=True)
        return target

    def cache(self, name: str) -> Path:
        """An empty folder for the caches of a round."""
        target = self.folder / "caches" / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        return target

    def settings(self, **more: Any) -> dict[str, Any]:
        """What workers are told: how large the work is, and `more`."""
        return {"size": self.scale.size, "small": self.scale.small, "classes": OUTPUTS, **more}

    def _work(self, worker: str, python: str = sys.executable, **more: Any) -> None:
        settings: Mapping[str, Any] = self.settings(**more)
        run([python, str(WORKERS / worker), json.dumps(settings)], {}, folder=self.folder)
