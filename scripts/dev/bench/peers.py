"""The environments of the peers: made at need, in the user's cache, one for each list of requirements."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mindzoo.scripts.dev.bench.children import run

COMPLETE = "complete"
VERSIONS = (
    "import importlib.metadata as m, json, sys; print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
)


@dataclass(frozen=True)
class Peer:
    """What one environment holds, as pip takes it."""

    requirements: tuple[str, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        """The names of what is required."""
        return tuple(re.split("[<>=]", one)[0] for one in self.requirements)

    @property
    def folder(self) -> Path:
        """Where the environment is, or will be."""
        said = " ".join((*self.requirements, platform.python_version()))
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "mindzoo" / "benchmark" / hashlib.sha256(said.encode()).hexdigest()[:16]

    def python(self) -> str:
        """Its interpreter; the environment is made where it is not there, or was never finished.

        Raises:
            ChildFailed: pip could not install it.
        """
        interpreter = self.folder / "bin" / "python"
        if not (self.folder / COMPLETE).exists():
            sys.stderr.write(f"installing {' '.join(self.requirements)} ...\n")
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            run([sys.executable, "-m", "venv", str(self.folder)], {}, folder=self.folder)
            run([str(interpreter), "-m", "pip", "install", "-q", *self.requirements], {}, folder=self.folder)
            (self.folder / COMPLETE).touch()
        return str(interpreter)


# torchvision is for PyTorch 2.13. Without CUDA its operators are missing, of which nothing here needs one.
TORCH = Peer(("torch==2.13.0", "torchvision==0.28.0", "timm==1.0.22", "pillow>=11.3", "numpy<2"))
MINDCV = Peer(("mindcv==0.3.0", "mindspore==2.10.0", "numpy<2"))
ONNX_RUNTIME = Peer(("onnxruntime==1.32.0", "numpy<2"))
SIMPLEJPEG = Peer(("simplejpeg==1.9.0", "numpy<2"))


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """By package the version that is installed for an interpreter."""
    words = [python, "-c", VERSIONS, *packages]
    found: dict[str, str] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return found
