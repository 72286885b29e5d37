"""Packaging: the root of the repository is the package `mindzoo`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
ONNX = ["onnx>=1.16", "onnxruntime>=1.18"]
DEMO = ["scikit-learn>=1.3"]


def packages() -> list[str]:
    found = ["mindzoo"]
    for top in ("models", "utils"):
        for init in sorted((ROOT / top).rglob("__init__.py")):
            found.append(".".join(("mindzoo", *init.parent.relative_to(ROOT).parts)))
    return found


class BuildPy(build_py):
    """Keeps the root's own scripts out of the package, and what an earlier build left behind."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found = super().find_package_modules(package, package_dir)
        return [m for m in found if package != "mindzoo" or m[1] in ("__init__", "__main__")]


setup(
    name="mindzoo",
    version=re.search(r'__version__ = "(.+)"', (ROOT / "__init__.py").read_text(encoding="utf-8")).group(1),
    description="Image classification and retrieval networks for MindSpore, from training to export",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    package_dir={"mindzoo": "."},
    packages=packages(),
    package_data={
        "mindzoo.models": ["*/config/*.yaml", "*/scripts/*.sh", "*/README*.md"],
        "mindzoo.utils": ["data/*.png"],
    },
    include_package_data=False,
    cmdclass={"build_py": BuildPy},
    python_requires=">=3.10,<3.13",
    install_requires=["mindspore>=2.8,<2.11", "numpy>=1.26.4,<2", "pyyaml>=6", "pillow>=10"],
    extras_require={
        "onnx": ONNX,
        "demo": DEMO,
        "dev": [*ONNX, *DEMO, "pytest>=8", "ruff>=0.12", "mypy>=1.15", "types-PyYAML", "safetensors>=0.4"],
    },
    entry_points={"console_scripts": ["mindzoo=mindzoo.utils.cli:main"]},
)
