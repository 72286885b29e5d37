"""Which Ascend card computes here, in what surroundings: all that depends on it asks this module.

`generation_of` goes by the name that the driver gives the chip (SoC), as MindSpore's own table does; MindSpore itself
knows generations only. Documents of Ascend call what holds one kind: 910A is the "Atlas training series", A2 the 910B,
A3 the 910C with two dies.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mindzoo.utils.errors import UserError, shorten

Generation = Literal["910A", "A2", "A3", ""]  # empty: none of these, or not known

CANN_VARIABLE = "ASCEND_HOME_PATH"
SATURATION = ("MS_ASCEND_CHECK_OVERFLOW_MODE", "SATURATION_MODE")
# What MindSpore itself calls the generations.
_FAMILIES: dict[str, Generation] = {"ascend910": "910A", "ascend910b": "A2", "ascend910_93": "A3"}
# Names of chips. "Ascend910B" without a number is a bin of the first generation; with one it is the second.
_CHIPS: tuple[tuple[str, Generation], ...] = (
    (r"(Ascend)?910_93\d*", "A3"),
    (r"(Ascend)?910B[1-9]C?(-\d+)?", "A2"),
    (r"Ascend910(A|B|PremiumA|ProA|ProB)?", "910A"),
)
_CONTAINER_FILES = (".dockerenv", "run/.containerenv")
_CONTAINER_WORDS = re.compile(r"docker|kubepods|containerd|libpod|lxc")


@dataclass(frozen=True)
class Card:
    """The Ascend card of this process; all fields are empty where it has none."""

    soc: str = ""  # as the driver, or MindSpore, names it
    cann: str = ""  # version
    saturation_asked: bool = False  # a card that could do otherwise is told to saturate

    @property
    def generation(self) -> Generation:
        """910A, A2 or A3."""
        return generation_of(self.soc)

    @property
    def saturates(self) -> bool:
        """Whether a number that is too large becomes the largest one, and NaN 0, so that no finite test sees it.

        The first generation knows nothing else; later ones have infinity, unless they are told not to.
        """
        return self.generation == "910A" or (self.generation != "" and self.saturation_asked)

    def __str__(self) -> str:
        words = [f"Ascend {self.generation or 'of an unknown generation'}", f"({self.soc or 'no name'})"]
        return " ".join([*words, *([f"CANN {self.cann}"] if self.cann else [])])


NONE = Card()


def find(ask: Callable[[], str], environ: Mapping[str, str] = os.environ) -> Card:
    """The card; `ask` gives the name of its chip or family, as `compat.soc_version` does."""
    name, wanted = SATURATION
    return Card(ask(), cann_version(environ), environ.get(name) == wanted)


def generation_of(soc: str) -> Generation:
    """The generation of the chip or family `soc`: Ascend910ProA is a 910A, Ascend910B3 an A2, Ascend910_9391 an A3."""
    # Capitals tell apart: Ascend910B is a chip of the first generation, ascend910b MindSpore's word for the second.
    if soc in _FAMILIES:
        return _FAMILIES[soc]
    return next((generation for pattern, generation in _CHIPS if re.fullmatch(pattern, soc)), "")


def in_container(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in a container, whose devices are counted anew."""
    if "KUBERNETES_SERVICE_HOST" in environ or environ.get("container"):
        return True
    if any((root / name).exists() for name in _CONTAINER_FILES):
        return True
    try:
        groups = (root / "proc/1/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return bool(_CONTAINER_WORDS.search(groups))


def logical(physical: Sequence[int], present: Sequence[int]) -> tuple[int, ...]:
    """The numbers by which a container's own runtime knows devices: their places among the nodes that it has.

    Args:
        physical: as a rank table and the names of the nodes count; numbers below the count of nodes that are no names
            of them are taken for logical ones.
        present: see `environment.device_numbers`; none: nothing can be said.

    Raises:
        UserError: a device is not there.
    """
    places = {number: place for place, number in enumerate(present)}
    if not present or (not places.keys() & set(physical) and max(physical) < len(present)):
        return tuple(physical)
    absent = [str(number) for number in physical if number not in places]
    if absent:
        raise UserError(
            f"this container has no device {shorten(absent)}; it has {shorten(map(str, present), 16)}: hand over those "
            "that are missing, or name these"
        )
    return tuple(places[number] for number in physical)


def cann_version(environ: Mapping[str, str] = os.environ) -> str:
    """The version of CANN that the environment leads to, such as 8.5.0; empty where it leads to none."""
    home = environ.get(CANN_VARIABLE, "")
    return version_in(Path(home) / "compiler" / "version.info") if home else ""


def version_in(path: Path) -> str:
    """The value of the line `Version=...` of a file of CANN or of the driver; empty where there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^Version=(\S+)", text, flags=re.MULTILINE)
    return found[1] if found else ""
