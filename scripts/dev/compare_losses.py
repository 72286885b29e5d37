"""Does the metric loss help to find instances again? MultiGrain with and without it, for the same steps.

    python scripts/dev/compare_losses.py FOLDER [--seeds 1,2,3]

Makes the photographs (scripts/prepare_photographs.py), trains a small MultiGrain on the training tiles with each loss and
seed, embeds the tiles that training never saw, and prints the mean average precision of each as a table. What is done
already is not done again.
"""

from __future__ import annotations

import argparse
import json
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import get_spec  # noqa: E402
from mindzoo.scripts.demo import run  # noqa: E402
from mindzoo.utils.training import starting_point  # noqa: E402

NETWORK, RECIPE = "multigrain", "photographs_cpu.yaml"
LOSSES = {
    "cross entropy": ["--classification_weight", "1", "--repeats", "1"],
    "mixed": [],
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, help="where everything is written")
    parser.add_argument("--seeds", default="1,2,3", help="default 1,2,3")
    options = parser.parse_args()
    folder, seeds = options.folder.resolve(), options.seeds.split(",")
    try:
        run([ROOT / "scripts" / "prepare_photographs.py", folder / "photographs"])
        precisions = {
            name: [trained_and_evaluated(folder, name, flags, seed) for seed in seeds] for name, flags in LOSSES.items()
        }
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"error: {' '.join(map(str, error.cmd))} ended with status {error.returncode}\n")
        return error.returncode
    sys.stdout.write("\n" + table(precisions, seeds))
    return 0


def trained_and_evaluated(folder: Path, name: str, flags: list[str], seed: str) -> float:
    """The mean average precision of one training."""
    run_folder = folder / f"{name.replace(' ', '_')}-{seed}"
    result = run_folder / "retrieval.json"
    if not result.is_file():
        model, data = ROOT / "models" / NETWORK, folder / "photographs"
        more = ["--data_dir", data / "train", "--output_dir", run_folder, "--seed", seed, "--resume", "auto"]
        run([model / "train.py", "--config_path", RECIPE, *flags, *more])
        # The weights after the last step.
        checkpoint = next(starting_point.newest_first(get_spec(NETWORK), run_folder))
        vectors = run_folder / "test.npy"
        given = ["--checkpoint", checkpoint, "--images", data / "test", "--output", vectors]
        run([ROOT, "embed", NETWORK, *given, "--overwrite"])
        run([ROOT, "evaluate-retrieval", vectors, "--protocol", "folders", "--output", result])
    return float(json.loads(result.read_text(encoding="utf-8"))["means"]["average precision"])


def table(precisions: dict[str, list[float]], seeds: list[str]) -> str:
    """Markdown, a row for each loss."""
    rows = [["loss", *(f"seed {seed}" for seed in seeds)], ["---"] * (len(seeds) + 1)]
    rows += [[name, *(f"{value:.4f}" for value in values)] for name, values in precisions.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    raise SystemExit(main())
