"""The demo: digits as image files, train, evaluate, export to MINDIR and ONNX, classify; then a table.

Run by scripts/demo.sh. Each step is the command a user would type, and is printed. A training that is complete, and
files that were exported and verified from its checkpoint, are used again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import runpy
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import get_spec  # noqa: E402
from mindzoo.utils.training import starting_point  # noqa: E402

RECIPE = "digits_cpu.yaml"
FORMATS = {"MINDIR": ".mindir", "ONNX": ".onnx"}
IMAGES_TO_CLASSIFY = 5


def main() -> int:
    networks = sorted(path.parent.parent.name for path in (ROOT / "models").glob(f"*/config/{RECIPE}"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="densenet121", choices=networks)
    parser.add_argument("--folder", type=Path, default=ROOT / "demo", help="where everything is written")
    parser.add_argument("--epochs", type=int, help="a shorter training than the recipe's")
    options = parser.parse_args()
    started = time.perf_counter()
    network, demo = options.network, options.folder.resolve()
    model, folder = ROOT / "models" / network, demo / network
    try:
        run([ROOT / "scripts" / "prepare_digits.py", demo / "digits"])
        keys = ["--config_path", RECIPE, "--data_dir", demo / "digits" / "train", "--output_dir", folder / "train"]
        shorter = ["--max_epoch", options.epochs] if options.epochs else []
        run([model / "train.py", *keys, *shorter, "--resume", "auto"])
        # The weights after the last step, not the best ones.
        checkpoint = next(starting_point.newest_first(get_spec(network), folder / "train"))
        val = ["--data_dir", demo / "digits" / "val", "--checkpoint", checkpoint]
        run([model / "eval.py", *val, "--output_dir", folder / "eval", "--is_distributed", "0"])
        files = [export(model, checkpoint, folder / network, name) for name in FORMATS]
        run(
            [
                ROOT,
                "predict",
                network,
                "--checkpoint",
                checkpoint,
                "--top_k",
                "2",
                *a_few_images(demo / "digits" / "val"),
            ]
        )
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"error: {' '.join(map(str, error.cmd))} ended with status {error.returncode}\n")
        return error.returncode
    show_table(network, folder, checkpoint, files, time.perf_counter() - started)
    return 0


def run(words: list[Any]) -> None:
    """One command of the demo, printed as it could be typed."""
    command = [sys.executable, *map(str, words)]
    sys.stdout.write(f"\n$ python {' '.join(relative(word) for word in command[1:])}\n")
    sys.stdout.flush()
    subprocess.run(command, check=True)


def relative(word: str) -> str:
    path = Path(word)
    return str(path.relative_to(ROOT)) if path.is_absolute() and path.is_relative_to(ROOT) else word


def export(model: Path, checkpoint: Path, target: Path, file_format: str) -> Path:
    """Export, or keep the file that was exported and verified from this very checkpoint."""
    path = target.with_name(target.name + FORMATS[file_format])
    facts = path.with_name(path.name + ".json")
    if path.is_file() and facts.is_file():
        said = json.loads(facts.read_text(encoding="utf-8"))
        same = said["checkpoint"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        if same and said["verification"]["verified"]:
            sys.stdout.write(f"\n{relative(str(path))} is there already, verified\n")
            return path
    run([model / "export.py", "--checkpoint", checkpoint, "--file_format", file_format, "--file_name", path])
    return path


def a_few_images(val: Path) -> list[Path]:
    """The first image of each of a few classes."""
    return [sorted(path.iterdir())[0] for path in sorted(val.iterdir())[:IMAGES_TO_CLASSIFY]]


def show_table(network: str, folder: Path, checkpoint: Path, files: list[Path], seconds: float) -> None:
    epochs = [row for row in read_lines(checkpoint.parent / "metrics.jsonl") if row["kind"] == "epoch"]
    newest = max((folder / "eval").rglob("metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    result = read_lines(newest)[-1]
    rows = [
        ("network", network),
        ("validation top-1", f"{result['accuracy']:.4f} ({result['top1']} of {result['total']} images)"),
        ("training speed", f"{median(row['images_per_second'] for row in epochs):.1f} images/s"),
        ("training epochs", f"{sum(row['seconds'] for row in epochs):.0f} s for {len(epochs)} epochs"),
        ("this demo took", f"{seconds:.0f} s"),
        *[
            ("file written", f"{relative(str(path))}, {path.stat().st_size / 1e6:.1f} MB")
            for path in [checkpoint, *files]
        ],
    ]
    width = max(len(name) for name, _ in rows)
    sys.stdout.write("\n" + "".join(f"{name:{width}}  {value}\n" for name, value in rows))


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    raise SystemExit(main())
