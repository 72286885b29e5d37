"""What each of two ranks runs, as it would train: it joins the others, and adds what each has."""

from __future__ import annotations

import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "importable.py"), run_name="importable")

import numpy as np  # noqa: E402

from mindzoo.utils import log, ranks, runtime  # noqa: E402
from mindzoo.utils.config import reading  # noqa: E402
from mindzoo.utils.config.machine_keys import RanksKeys  # noqa: E402
from mindzoo.utils.exits import exit_status  # noqa: E402
from mindzoo.utils.files import write_json  # noqa: E402

OWN = (1.0, 2.0, 3.0)  # what rank 0 has; rank r has r + 1 times as much


@dataclass(frozen=True)
class SumConfig(RanksKeys):
    """Where to write"""

    output_dir: str = reading.key(".", "folder that each rank writes its sum into")


def expected(size: int) -> list[float]:
    """The sum over so many ranks."""
    return [value * size * (size + 1) / 2 for value in OWN]


def main(words: list[str]) -> None:
    """Write the sum as JSON, in a file named by the rank."""
    log.start()
    config = reading.read_config(SumConfig, words).config
    world = ranks.meet(config, runtime.start(config.device_target))
    sums = ranks.total(world, np.array(OWN, np.float32) * (world.rank + 1))
    write_json(Path(config.output_dir) / f"{world.rank}.json", sums.tolist())


if __name__ == "__main__":
    raise SystemExit(exit_status(lambda: main(sys.argv[1:])))
