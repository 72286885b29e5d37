"""Which training meets which faults."""

from __future__ import annotations

from pathlib import Path

from mindzoo.tests.faults import places
from mindzoo.tests.faults.chain import Chain
from mindzoo.tests.faults.kills import (
    COMPILING,
    DAMAGED,
    EVALUATING,
    OTHERS,
    SAVING,
    SECOND_RUN,
    SIGINT,
    SIGKILL,
    SIGTERM,
)
from mindzoo.tests.faults.places import FROZEN, FULL, IMAGES, READ_ONLY, VANISH
from mindzoo.tests.faults.ranks import ASKED, KILLED, SCHEDULER, STOPPED, SUPERVISOR
from mindzoo.tests.faults.variants import PARALLEL, SINGLE

KILLS = (SIGKILL, SAVING, EVALUATING, SIGKILL, COMPILING, SAVING, EVALUATING, SIGKILL, SAVING)
TROUBLES = (VANISH, *IMAGES, SIGTERM, DAMAGED, SIGINT, DAMAGED, SECOND_RUN)
ON_A_DISK = (FULL, READ_ONLY, SIGKILL, FULL, READ_ONLY)
ON_ANOTHER = (FROZEN, SIGKILL, FROZEN, SAVING, FROZEN)
OF_RANKS = (KILLED, SUPERVISOR, ASKED, KILLED, SCHEDULER, KILLED)
WITH_TROUBLES = (
    "densenet121 state",
    "densenet121 sampling",
    "genet_res50 rmsprop",
    "glore_res50 momentum",
    "hrnet_w48 rmsprop",
    "multigrain margin",
    "densenet121 jitter",
)
WITH_DISKS = ("densenet121 momentum", "densenet121 defaults", "genet_res50 momentum", "hrnet_w48 rmsprop")


def chains(folder: Path) -> tuple[list[Chain], list[Chain]]:
    """Those of one process, and those of several ranks. Disks that cannot be mounted in `folder` are left out, and said."""
    single = [Chain(variant, KILLS) for variant in SINGLE]
    single += [Chain(variant, TROUBLES) for variant in SINGLE if variant.name in WITH_TROUBLES]
    single += [Chain(variant, (other,)) for variant in SINGLE if variant.name in WITH_DISKS for other in OTHERS]
    disks = [
        (places.can_mount, places.small_disk, ON_A_DISK, "a disk that is full or read-only"),
        (places.can_freeze, places.freezable_disk, ON_ANOTHER, "a frozen disk"),
    ]
    for possible, disk, faults, name in disks:
        if possible(folder / "disk"):
            single += [Chain(variant, faults, disk) for variant in SINGLE if variant.name in WITH_DISKS]
        else:
            print(f"not tried: {name}; this process may mount none", flush=True)
    return single, [Chain(variant, OF_RANKS) for variant in PARALLEL] + [Chain(PARALLEL[0], (STOPPED,))]
