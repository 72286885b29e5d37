"""What a network said of one image."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

UNSURE = "unsure"


@dataclass(frozen=True)
class Answer:
    """The most probable classes of an image, or why it could not be read."""

    image: str
    classes: tuple[tuple[str, float], ...] = ()  # names with their probabilities, the most probable first
    unsure: bool | None = None  # whether the first is below the threshold; None: there is none
    heat_map: str = ""  # the file that was drawn
    fault: str = ""  # the end of a sentence that begins with `image`

    @property
    def line(self) -> str:
        """What is said of it on the terminal, behind its name."""
        named = ", ".join(f"{name} {share(probability)}" for name, probability in self.classes)
        return f"{UNSURE}: {named}" if self.unsure else named

    def row(self) -> dict[str, Any]:
        """For files: {"image": …, "classes": [{"name", "probability"}, …]}; "unsure" where there is a threshold."""
        classes = [{"name": name, "probability": probability} for name, probability in self.classes]
        row: dict[str, Any] = {"image": self.image, "classes": classes}
        return row if self.unsure is None else {**row, "unsure": self.unsure}

    def to_json(self) -> dict[str, Any]:
        """Everything, for another rank."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Answer:
        """The inverse of `to_json`."""
        classes = tuple((str(name), float(probability)) for name, probability in values["classes"])
        return cls(**{**values, "classes": classes})


def is_unsure(probability: float, threshold: float) -> bool | None:
    """Whether a most probable class is below the threshold, as one that is not a number is; None where that is 0."""
    return not probability >= threshold if threshold else None


def share(probability: float) -> str:
    """A probability for people."""
    return "nan" if math.isnan(probability) else f"{probability:.1%}"
