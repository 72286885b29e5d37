"""Whether two runs ended with the same bits, and tell the same history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mindzoo.models import get_spec
from mindzoo.tests.faults.variants import Variant
from mindzoo.utils.checkpoints import checkpoint_file
from mindzoo.utils.checkpoints.checkpoint_file import BEST, LAST, Checkpoint
from mindzoo.utils.errors import UserError

# Of a line of metrics.jsonl: what depends on the machine, and on where the run was broken.
TIMES = ("seconds", "images_per_second", "data_seconds", "steps_in_epoch")


def differences(variant: Variant, whole: Path, found: Path) -> list[str]:
    """What the run in `found` has another of than the one in `whole`."""
    return [
        *_of_weights(_read(variant, whole / LAST), _read(variant, found / LAST)),
        *_of_weights(_read(variant, whole / BEST), _read(variant, found / BEST)),
        *_of_history(history(whole), history(found)),
        *(f"{path.name} was left over" for path in found.iterdir() if ".tmp" in path.name),
    ]


def places(variant: Variant, run: Path) -> dict[Path, int]:
    """The step of every checkpoint of a run that can be read."""
    found = {}
    for path in run.glob("*.ckpt") if run.is_dir() else ():
        try:
            meta = _read(variant, path).meta
        except UserError:
            continue
        if "step" in meta:
            found[path] = meta["step"]
    return found


def history(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what is never the same."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def _read(variant: Variant, path: Path) -> Checkpoint:
    return checkpoint_file.read_checkpoint(path, get_spec(variant.network))


def _of_weights(wanted: Checkpoint, found: Checkpoint) -> list[str]:
    before, now = dict(wanted.values()), dict(found.values())
    names = [name for name in before if name not in now or before[name].tobytes() != now[name].tobytes()]
    said = [f"{found.path.name}: {len(names)} of {len(before)} arrays, {names[0]} first"] if names else []
    if before.keys() < now.keys():
        said.append(f"{found.path.name}: more arrays than wanted")
    for name in ("step", "best", "evaluation"):
        if wanted.meta.get(name) != found.meta.get(name):
            said.append(f"{found.path.name}: {name} is {found.meta.get(name)}, not {wanted.meta.get(name)}")
    return said


def _of_history(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    if wanted == found:
        return []
    first = next((row for row in wanted if row not in found), None)
    return [f"metrics.jsonl: {len(found)} lines instead of {len(wanted)}; first that is missing: {first}"]
