"""Have damaged files read, and say what became of them.

In a clone, or in the folder that holds an installed one:

    python tests/fuzz [TARGET ...] [--seconds 60 | --count N] [--seed N] [--workers N] [--folder FOLDER]
    python -m mindzoo.tests.fuzz [the same]

Without names all targets are taken, and the seconds are shared between them. Exit status 1 where a file ended or hung
the process, or gave a traceback, more than one line, or other values that could have been seen. Such files are kept in
FOLDER; `--first NUMBER --count 1` with the same seed makes one again.
"""

from __future__ import annotations

import argparse
import math
import runpy
import sys
import tempfile
import time
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

from mindzoo.tests.fuzz import runner  # noqa: E402
from mindzoo.tests.fuzz.target import Bench  # noqa: E402

MOST_SHOWN = 10


def main() -> int:
    arguments = parse()
    counts = []
    share = math.inf if arguments.count else arguments.seconds / len(arguments.targets)
    for name in arguments.targets:
        numbers = runner.numbers(arguments.first, arguments.count)
        count = runner.run(runner.targets()[name], arguments.seed, numbers, time.monotonic() + share, arguments.workers)
        counts.append(count)
        print(f"{name}: {count.verdicts.total()} files, {len(count.failed)} failed", flush=True)
        for number, judged in count.failed[:MOST_SHOWN]:
            print(f"  {judged.verdict.value}: --seed {arguments.seed} --first {number} --count 1: {judged.detail}")
    print(runner.table(counts))
    failed = [count for count in counts if count.failed]
    if failed:
        keep(failed, arguments.seed, Path(arguments.folder or tempfile.mkdtemp(prefix="mindzoo-fuzz-failed-")))
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__.partition("\n")[0])
    known = list(runner.targets())
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(known)}; by default all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--count", type=int, default=0, help="files per target, however long they take")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--workers", type=int, default=1, help="processes that read")
    parser.add_argument("--folder", default="", help="where files are kept that failed")
    arguments = parser.parse_args()
    arguments.targets = arguments.targets or known
    unknown = [name for name in arguments.targets if name not in known]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


def keep(failed: list[runner.Count], seed: int, folder: Path) -> None:
    """Write the files that failed, the first of each target."""
    folder.mkdir(parents=True, exist_ok=True)
    for count in failed:
        bench = Bench(runpy.run_path(str(runner.targets()[count.name]))["TARGET"])
        for number, _ in count.failed[:MOST_SHOWN]:
            (folder / f"{count.name}-{seed}-{number}").write_bytes(bench.damaged(seed, number)[1])
    print(f"files that failed are in {folder}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
