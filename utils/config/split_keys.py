"""The configuration keys of images that are held out of a training folder, where there are no others to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass

from mindzoo.utils.config.reading import key


@dataclass(frozen=True)
class SplitKeys:
    """Images held out of the training folder"""

    val_split: float = key(
        0.0,
        "share of each class's training images that is held out, to evaluate on while training; drawn by seed, once, and kept in the run's folder as held_out.txt; 0: none",
        minimum=0,
        maximum=0.9,
    )
    group_by: str = key(
        "",
        "which images val_split keeps together, by the names of their files: a text such as _, before which names of one group are the same; or a regular expression with one group, '^(.+)-[0-9]+'",
    )


@dataclass(frozen=True)
class HeldOutKeys:
    """Images that a training held out"""

    held_out: str = key(
        "", "folder of a run that was trained with val_split: evaluate the images of data_dir that it held out"
    )
