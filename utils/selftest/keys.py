"""The flags of `mindzoo selftest`."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key

SECONDS = 900.0


@dataclass(frozen=True)
class SelftestConfig:
    """What to try, and where to write the result"""

    device: str = key(
        "auto", "device to try; auto is Ascend where there is one, else CPU", choices=("auto", "Ascend", "CPU")
    )
    networks: tuple[str, ...] = key((), "names of networks to try, with commas between them; by default all of them")
    small: bool = key(False, "small networks and images: under two minutes on a CPU, but no speed")
    steps: tuple[str, ...] = key((), "kinds of steps to take, such as kernel,train; by default all of them")
    output_dir: str = key("selftest", "folder for selftest.json, selftest.html, and the log of each step")
    seconds: float = key(
        SECONDS, "time for all steps together; those that it does not suffice for are left out", minimum=1
    )


@dataclass(frozen=True)
class StepConfig(SelftestConfig):
    """For mindzoo's own use"""

    inside: str = key("", "folder of an earlier call: take one step there, and leave its outcome in that folder")
