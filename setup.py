"""Packaging: the root of the repository is the package `mindzoo`."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
REQUIREMENTS = runpy.run_path(str(ROOT / "scripts" / "requirements.py"))["PARTS"]
INIT = (ROOT / "__init__.py").read_text(encoding="utf-8")


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
        return [m for m in found if package != "mindzoo" or m[1] in ("__init__", "__main__", "api", "cli")]


setup(
    name="mindzoo",
    version=re.findall(r'__version__ = "(.+)"', INIT)[0],
    description="Image classification and retrieval networks for MindSpore, from training to export",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    package_dir={"mindzoo": "."},
    packages=packages(),
    package_data={
        "mindzoo": ["scripts/launchers.sh"],
        "mindzoo.models": [
            "*/config/*.yaml",
            "*/scripts/*.sh",
            "*/README*.md",
            "*/first_losses.json",
            "*/public_weights.yaml",
        ],
        "mindzoo.utils": [
            "data/*.png",
            "native/source/*",
            "native/jpeg/*",
            *(f"{room}/assets/*" for room in ("answers", "reports", "watching")),
        ],
    },
    include_package_data=False,
    cmdclass={"build_py": BuildPy},
    python_requires=">=3.10,<3.13",
    install_requires=REQUIREMENTS["core"],
    extras_require={part: listed for part, listed in REQUIREMENTS.items() if part != "core"},
    entry_points={"console_scripts": ["mindzoo=mindzoo.cli:main"]},
)
