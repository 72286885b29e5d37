"""Try faults, and say what became of them.

In the folder that holds an installed clone, or in a clone itself:

    python -m mindzoo.tests.faults [--minutes N] [--seed N] [--only TEXT] [--folder NEW_FOLDER]
    python tests/faults [the same]

Without --minutes each fault is tried once in each training that it belongs to. With it rounds with other seeds follow
until the time is over. Exit status 1 where something was lost, or silently other than without the fault.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import chain
from pathlib import Path

os.environ |= {"GLOG_v": "4"}  # of what MindSpore says of damaged files here our own sentence is enough
runpy.run_path(str(Path(__file__).resolve().parents[2] / "utils" / "importable.py"), run_name="importable")

from mindzoo.tests.faults import plan, verdicts  # noqa: E402
from mindzoo.tests.faults.chain import Chain, References  # noqa: E402
from mindzoo.tests.faults.verdicts import Outcome  # noqa: E402

os.environ.pop("GLOG_v")
OWN_MOUNTS = "MINDZOO_FAULTS_OWN_MOUNTS"


def main() -> int:
    arguments = parse()
    in_own_mounts()
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="mindzoo-faults-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    started, outcomes, seed = time.monotonic(), list[Outcome](), arguments.seed
    references = References(folder / "whole")
    single, parallel = (select(chains, arguments.only) for chains in plan.chains(folder))
    while True:
        rounds = (
            run_all(single, folder / f"seed{seed}", seed, references, at_once=2),
            run_all(parallel, folder / f"seed{seed}", seed + 1, references, at_once=1),
        )
        for found in chain.from_iterable(rounds):
            outcomes += found
            verdicts.write(outcomes, folder / "outcomes.json")
            say(found, len(outcomes), started)
        seed += 1
        if time.monotonic() - started >= 60 * arguments.minutes:
            break
    print(verdicts.table(outcomes))
    print(f"{(time.monotonic() - started) / 60:.0f} minutes, seeds {arguments.seed} to {seed - 1}, all in {folder}")
    return 1 if verdicts.failed(outcomes) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mindzoo.tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.0, help="begin rounds with other seeds for so long")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--only", default="", help="chains whose training or faults have this text in their names")
    parser.add_argument("--folder", default="", help="where everything is written; what went wrong stays there")
    return parser.parse_args()


def in_own_mounts() -> None:
    """Start again in a mount namespace, so that disks that are mounted vanish with this process, whatever happens."""
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if OWN_MOUNTS in os.environ or shutil.which("unshare") is None:
        return
    if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        os.environ[OWN_MOUNTS] = "1"
        os.execvp("unshare", [*command, sys.executable, str(Path(__file__).parent), *sys.argv[1:]])


def select(chains: Sequence[Chain], text: str) -> list[Chain]:
    """Those that have the text in the name of their training, or of a fault."""
    return [one for one in chains if text in " ".join([one.variant.name, *(fault.name for fault in one.faults)])]


def run_all(
    chains: Sequence[Chain], folder: Path, seed: int, references: References, at_once: int
) -> Iterator[list[Outcome]]:
    """The outcomes of each chain, as they end."""
    with ThreadPoolExecutor(at_once) as pool:
        runs = [
            pool.submit(one.run, folder / f"{one.variant.ranks}ranks_{number}", 1000 * seed + number, references)
            for number, one in enumerate(chains)
        ]
        yield from (run.result() for run in as_completed(runs))


def say(found: Sequence[Outcome], tried: int, started: float) -> None:
    """A line per chain, and one for each of its faults that must not be."""
    if found:
        minutes = (time.monotonic() - started) / 60
        print(f"{minutes:5.1f} min, {tried:4d} tried: {found[0].variant}, {len(found)} faults", flush=True)
    for outcome in verdicts.failed(found):
        print(f"      {outcome.verdict.value}: {outcome.fault}: {outcome.detail}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
