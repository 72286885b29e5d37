"""Classes: which are in one split only, which have few images, how even their sizes are."""

from __future__ import annotations

from mindzoo.utils.data.listing import composed
from mindzoo.utils.inspection import names
from mindzoo.utils.inspection.findings import Findings
from mindzoo.utils.inspection.survey import Split

UNEVEN = 10  # times as many images in the largest class as in the smallest


def compare(splits: list[Split], findings: Findings) -> None:
    """Add what is found of the classes of all splits; their images have been looked at."""
    for split in splits:
        _look_at_sizes(split, findings)
    train = next((split for split in splits if split.kind == "train"), None)
    for split in splits:
        if train is not None and split is not train:
            _compare_with(train, split, findings)


def _look_at_sizes(split: Split, findings: Findings) -> None:
    for name, good in split.good.items():
        if not good:
            found = len(split.classes[name])
            findings.add("no_image", f"{split.name}/{name}", f"none of its {found} can be read" if found else "")
        elif good == 1:
            findings.add("one_image", f"{split.name}/{name}")
    sizes = {name: good for name, good in split.good.items() if good}
    if not sizes:
        return
    least, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[most] >= UNEVEN * sizes[least]:
        what = f"{most} has {sizes[most]} images, {least} has {sizes[least]}"
        findings.add("imbalance", split.name, f"{what}: {sizes[most] / sizes[least]:.1f} times as many")


def _compare_with(train: Split, other: Split, findings: Findings) -> None:
    """In both directions; names that differ in Unicode normalisation only are one class to a training."""
    exact = {composed(name): name for name in train.classes}
    near = {names.form(name): name for name in train.classes}
    seen = set()
    for name in other.classes:
        twin = exact.get(composed(name))
        seen.add(twin)
        if twin is None:
            hint = near.get(names.form(name)) or names.twin_in(near, name)
            differs = f"{train.name} has {hint}, which differs in {names.difference(hint, name)}" if hint else ""
            findings.add("not_in_train", f"{other.name}/{name}", differs)
        elif twin != name:
            findings.add("alike_splits", f"{other.name}/{name}", f"is {train.name}/{twin}")
    for name in train.classes:
        if name not in seen:
            findings.add("only_in_train", f"{train.name}/{name}", f"{other.name} lacks it")
