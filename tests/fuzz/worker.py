"""The process that reads damaged files: `python worker.py TARGET_FILE` in a folder of its own.

Takes lines "SEED NUMBER" and answers each with a line of JSON, [verdict, detail]. Its first line says that it has read
the good files.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import sys
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

from mindzoo.tests.fuzz.target import Bench  # noqa: E402


def main() -> None:
    # What readers and libraries print must not get between the answers.
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        bench = Bench(runpy.run_path(sys.argv[1])["TARGET"])
        answers.write(f"{len(bench.good)} good files\n")
        limit_memory(bench.target.memory)
        for line in sys.stdin:
            seed, number = map(int, line.split())
            verdict, detail = bench.judge(seed, number)
            answers.write(json.dumps([verdict.value, detail]) + "\n")


def limit_memory(more: int) -> None:
    """So many bytes of address space beyond what there is: what needs them is refused by the system."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
