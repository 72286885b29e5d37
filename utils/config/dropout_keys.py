"""The configuration keys of what a training leaves out by chance."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class DropoutKeys:
    """Dropout"""

    drop_rate: float = key(
        0.0, "share of the classifier's inputs that are 0 in a step, others at each; 0: none", minimum=0, maximum=0.99
    )
