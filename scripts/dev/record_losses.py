"""Records what `mindzoo selftest` compares with: the losses of a first and a second training step of each network.

    python scripts/dev/record_losses.py [--small | --full] [NETWORK ...]

It computes in float32 on the CPU, and writes first_losses.json into the folder of each network. Both sizes by default;
those of full networks take minutes. To be run again where a network, a loss or an update rule is changed on purpose.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.models import SPECS  # noqa: E402
from mindzoo.utils import log, runtime  # noqa: E402
from mindzoo.utils.files import write_json  # noqa: E402
from mindzoo.utils.selftest import first_losses  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="by default all")
    parser.add_argument("--small", action="store_true", help="small networks only")
    parser.add_argument("--full", action="store_true", help="networks as they are published only")
    options = parser.parse_args()
    log.start()
    runtime.start("CPU")
    sizes = [size for size in (True, False) if not (options.full if size else options.small)]
    for name in options.networks or SPECS:
        spec = SPECS[name]
        path, content = spec.folder / first_losses.FILE, first_losses.recorded(spec)
        for small in sizes:
            config = first_losses.configuration(spec, small=small)
            found = first_losses.losses(spec, config, "O0", first_losses.classes(small))
            content[first_losses.size_name(small)] = [round(loss, 6) for loss in found]
            write_json(path, content)
            log.logger.info("%s %s: %s", name, first_losses.size_name(small), found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
