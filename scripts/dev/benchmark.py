"""Measures mindzoo beside others that do the same work: PyTorch with timm, mindcv, ONNX Runtime, torchvision.

    python scripts/dev/benchmark.py [--peers] [--only NAME,...] [--rounds 5] [--seconds 10] [--write docs/BENCHMARKS.md]

The arms of a comparison take turns, round by round; what is told is the ratio of each round, with the quartiles. Without
--peers only mindzoo is measured, beside itself with other environment variables (--ours-env NAME=VALUE). The
environments of the others are made in the user's cache, once: 4 GB where PyTorch is the build for CPUs. It needs Linux,
and nothing else should run beside it.

--json FILE keeps results: comparisons that are not measured now stay in it. --write PAGE takes PAGE's own .json file,
draws PAGE's .png, and writes the tables between the marks of the page. --only none measures nothing, and writes
pages, tables and pictures of what is kept.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.scripts.dev.bench import chart, comparisons, measuring, report, results_file  # noqa: E402
from mindzoo.scripts.dev.bench.children import ChildFailed  # noqa: E402
from mindzoo.scripts.dev.bench.workspace import Scale, Workspace  # noqa: E402
from mindzoo.utils.errors import UserError, nearest  # noqa: E402
from mindzoo.utils.exits import Interrupted, exit_status  # noqa: E402
from mindzoo.utils.files import whole_file, write_text  # noqa: E402

NONE = "none"


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        return exit_status(lambda: run(options))
    except ChildFailed as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--peers", action="store_true", help="measure the others too")
    made.add_argument(
        "--only", default="", metavar="NAME,...", help=f"which comparisons, or {NONE}: {', '.join(comparisons.NAMES)}"
    )
    made.add_argument("--rounds", type=_positive, default=5, help="rounds that count, after one that warms up")
    made.add_argument("--seconds", type=float, default=10.0, help="how long a worker repeats its step in a round")
    made.add_argument("--images", type=_positive, default=Scale.images, help="JPEG files")
    made.add_argument("--size", type=_positive, default=Scale.size, help="pixels per side of the networks' images")
    made.add_argument(
        "--small", action="store_true", help="tiny networks, to see that everything runs; without --peers"
    )
    made.add_argument("--ours-env", action="append", default=[], metavar="NAME=VALUE", help="a further arm of mindzoo")
    made.add_argument("--json", type=Path, metavar="FILE", help="results; those of other comparisons in it stay")
    for name in ("markdown", "png"):
        made.add_argument(f"--{name}", type=Path, metavar="FILE", help="tables" if name == "markdown" else "bars")
    made.add_argument(
        "--write", type=Path, metavar="PAGE", help="page to put the tables into; takes its .json and .png"
    )
    return made


def run(options: argparse.Namespace) -> None:
    """Measure, and write after each comparison what was asked for.

    Raises:
        UserError: names, variables or files that do not fit.
        ChildFailed: something that was to be measured failed.
    """
    names, variants = wanted_names(options.only), [variant(text) for text in options.ours_env]
    if options.small and options.peers:
        raise UserError("small networks have no equals among the peers; leave out --small or --peers")
    stored = options.json or (options.write.with_suffix(".json") if options.write else None)
    content = results_file.read(stored)
    if names:
        results_file.check_machine(stored, content)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), Scale(options.images, options.size, options.small))
        wanted = comparisons.Wanted(workspace, options.peers, variants)
        rules = measuring.Rules(options.rounds, options.seconds, command(options))
        for name in names:
            made = comparisons.make(name, wanted)
            found = measuring.measure(made, workspace, rules, _say)
            results_file.add(content, found, comparisons.NAMES)
            results_file.write(stored, content)
    write(options, content)


def write(options: argparse.Namespace, content: dict[str, Any]) -> None:
    """The outputs that were asked for; the tables on stdout where nothing was.

    Raises:
        UserError: the page has no marks, or a file cannot be written.
    """
    results, page = content["comparisons"], options.write
    for target in filter(None, (options.png, page.with_suffix(".png") if page and results else None)):
        with whole_file(target) as unfinished:
            chart.draw(results, unfinished)
    if options.markdown:
        write_text(options.markdown, report.markdown(content) + "\n")
    if page:
        try:
            write_text(page, report.page(page.read_text(encoding="utf-8"), content, page.with_suffix(".png").name))
        except ValueError as error:
            raise UserError(f"{page} has no place for the tables: {error}") from None
    if not (options.markdown or page):
        sys.stdout.write(report.markdown(content) + "\n")


def command(options: argparse.Namespace) -> str:
    """What decides over the figures, as one would write it: our environment variables, and options that are not usual."""
    ours = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("MINDZOO_"))
    usual, words = parser().parse_args([]), [*ours, "python scripts/dev/benchmark.py"]
    for name in ("peers", "small", "rounds", "seconds", "images", "size"):
        value = getattr(options, name)
        if value != getattr(usual, name):
            words.append(f"--{name}" if value is True else f"--{name} {value:g}")
    return " ".join([*words, *(f"--ours-env {text}" for text in options.ours_env)])


def wanted_names(only: str) -> list[str]:
    """The comparisons that were asked for; all by default.

    Raises:
        UserError: one is not known.
    """
    if only == NONE:
        return []
    names = only.split(",") if only else [*comparisons.NAMES]
    for name in names:
        if name not in comparisons.NAMES:
            raise UserError(f"unknown comparison {name}{nearest(name, comparisons.NAMES)}; --help lists them all")
    return names


def variant(text: str) -> tuple[str, str]:
    """Name and value of an environment variable.

    Raises:
        UserError: it is not written as NAME=VALUE.
    """
    name, sign, value = text.partition("=")
    if not sign or not re.fullmatch(r"\w+", name):
        raise UserError(f"--ours-env is {text}; wanted NAME=VALUE")
    return name, value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}; wanted a number from 1")
    return value


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _stop(number: int, _: object) -> NoReturn:
    raise Interrupted("stopped", number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
