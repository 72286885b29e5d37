"""Writes the table of models/README.md, and its Chinese twin, and draws models/README.png: the networks beside each other.

    python scripts/dev/compare_networks.py [--check] [--count]

Accuracies are claims of the original READMEs, as each network's SPEC has them. Images per second are those of docs/BENCHMARKS.json. What
the networks compute is counted by `mindzoo info` with --count, which takes a minute, and kept in network_costs.json beside this
script. --check changes nothing, names the pages that are out of date and ends with status 1 if there are any. Needs matplotlib
(mindzoo's extra plots) to draw.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import SPECS  # noqa: E402

COSTS = Path(__file__).with_name("network_costs.json")
BENCHMARKS = ROOT / "docs" / "BENCHMARKS.json"
PICTURE = ROOT / "models" / "README.png"
SIZE, CLASSES = (224, 224), 1000
PLACE = re.compile(
    r"(<!-- networks: written by scripts/dev/compare_networks.py -->)(?:(?!<!--).)*(<!-- end -->)", re.DOTALL
)
OURS = "mindzoo"  # the arm of a benchmark that is this code
HEADS = {
    "README.md": (
        "Network",
        "Parameters",
        "Multiply-adds",
        "Receptive field",
        "Top-1 claimed",
        "Training step, images/s",
        "`eval`, images/s",
    ),
    "README_CN.md": ("网络", "参数", "乘加", "感受野", "声称的 Top-1", "训练步，图片/秒", "`eval`，图片/秒"),
}
WORDS = {
    "README.md": ("the whole image; {} without its units", "not measured", "{} (batch {})"),
    "README_CN.md": ("整张图片；不计其单元时 {}", "未测量", "{}（批大小 {}）"),
}
BLUE, INK, GRID = "#2563a8", "#222222", "#dddddd"
NEAR = 0.06  # share of both axes within which two points would have their names over each other


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only name the pages that are out of date")
    parser.add_argument("--count", action="store_true", help="count anew what the networks compute")
    options = parser.parse_args()
    if options.count and not options.check:
        COSTS.write_text(json.dumps(counted(), indent=2) + "\n", encoding="utf-8")
    changed = outdated()
    for path, text in changed.items():
        if not options.check:
            path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{'out of date' if options.check else 'written'}: {path}\n")
    if not options.check:
        draw(PICTURE)
        sys.stdout.write(f"drawn: {PICTURE}\n")
    return int(options.check and bool(changed))


def counted() -> dict[str, dict[str, Any]]:
    """What `mindzoo info` says of each network with its defaults."""
    from mindzoo.utils.information.network_info import describe

    found = {}
    for name, spec in sorted(SPECS.items()):
        facts = describe(spec, CLASSES, SIZE, {})
        field = facts["receptive_field"]
        found[name] = {
            "parameters": facts["parameters"]["trainable"],
            "multiply_adds": facts["multiply_adds"],
            "receptive_field": field["pixels"],
            "sees_the_whole_image": bool(field["whole_image_by"]),
        }
    return found


def measured(kind: str) -> dict[str, tuple[float, str]]:
    """{network: (images per second, batch size where the benchmark names one)} of the comparisons `kind:NETWORK`."""
    found = {}
    for one in json.loads(BENCHMARKS.read_text(encoding="utf-8"))["comparisons"]:
        what, _, network = one["name"].partition(":")
        if what == kind and one["unit"] == "images/s":
            (speed,) = (arm["median"] for arm in one["arms"] if arm["name"] == OURS)
            batch = re.search(r"batch (\d+)", one["title"])
            found[network] = speed, batch[1] if batch else ""
    return found


def outdated() -> dict[Path, str]:
    """The pages whose tables are not as they are to be, with what they should hold.

    Raises:
        ValueError: a page has no place for the table, or more than one.
    """
    changed = {}
    for name in HEADS:
        path = ROOT / "models" / name
        old = path.read_text(encoding="utf-8")
        lines = "\n".join(table(name))
        text, places = PLACE.subn(lambda found, lines=lines: f"{found[1]}\n\n{lines}\n\n{found[2]}", old)  # type: ignore[misc]
        if places != 1:
            raise ValueError(f"{path} has {places} places for the table; wanted one")
        if text != old:
            changed[path] = text
    return changed


def table(page: str) -> list[str]:
    """The lines of the table, for one language."""
    costs: Mapping[str, Mapping[str, Any]] = json.loads(COSTS.read_text(encoding="utf-8"))
    whole, unmeasured, with_batch = WORDS[page]
    steps, evaluations = measured("train"), measured("evaluate")

    def speed(found: tuple[float, str] | None) -> str:
        if found is None:
            return unmeasured
        number = f"{found[0]:.3g}"
        return with_batch.format(number, found[1]) if found[1] else number

    rows: list[Sequence[str]] = [HEADS[page], ["---"] * len(HEADS[page])]
    for name, spec in sorted(SPECS.items()):
        cost = costs[name]
        pixels = f"{cost['receptive_field']:,}"
        rows.append(
            (
                f"[{name}]({name}/{page})",
                f"{cost['parameters'] / 1e6:.2f} M",
                f"{cost['multiply_adds'] / 1e9:.2f} G",
                whole.format(pixels) if cost["sees_the_whole_image"] else pixels,
                f"{spec.published['top1']:.2f} %",
                speed(steps.get(name)),
                speed(evaluations.get(name)),
            )
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def draw(target: Path) -> None:
    """Published accuracy over multiply-adds, and over the measured speed of a training step; a PNG file."""
    from matplotlib.figure import Figure

    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    steps, names = measured("train"), sorted(SPECS)
    heights = [SPECS[name].published["top1"] for name in names]
    figure = Figure(figsize=(10, 4.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _scatter(left, names, [costs[name]["multiply_adds"] / 1e9 for name in names], heights)
    _scatter(right, names, [steps[name][0] for name in names], heights)
    left.set(
        ylabel="top-1 in %, as the original READMEs claim",
        xlabel="multiply-adds per image of 224 pixels, in G",
        xlim=(0, 20),
    )
    right.set(xlabel="training step on two cores of a CPU, images/s, measured", xlim=(0, 11))
    left.set_ylim(74, 80.5)
    # Without the version of matplotlib the same numbers give the same file.
    figure.savefig(target, metadata={"Software": None})


def _scatter(axes: Any, names: Sequence[str], across: Sequence[float], up: Sequence[float]) -> None:
    axes.scatter(across, up, s=60, color=BLUE, zorder=3)
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    for place, name in enumerate(names):
        # Of two points in one place the second has its name below.
        hidden = any(
            abs(across[place] - across[other]) < NEAR * max(across) and abs(up[place] - up[other]) < NEAR * 6.5
            for other in range(place)
        )
        axes.annotate(
            name,
            (across[place], up[place]),
            xytext=(0, -9 if hidden else 8),
            textcoords="offset points",
            ha="center",
            va="top" if hidden else "bottom",
            color=INK,
            fontsize=10,
        )


if __name__ == "__main__":
    raise SystemExit(main())
