"""Takes the rounds of a comparison: its arms in turn."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mindzoo.scripts.dev.bench import peers, ratios
from mindzoo.scripts.dev.bench.arms import MEGABYTES, SECONDS, Arm, Numbers, Round, Rounds
from mindzoo.scripts.dev.bench.comparisons import Comparison
from mindzoo.scripts.dev.bench.workspace import Workspace
from mindzoo.utils import environment

LESS_IS_BETTER = (SECONDS, MEGABYTES)


@dataclass(frozen=True)
class Rules:
    """How rounds are taken: `rounds` of them, of `seconds` each where a worker repeats its step; `command` says all."""

    rounds: int
    seconds: float
    command: str


def measure(
    comparison: Comparison, workspace: Workspace, rules: Rules, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The results of a comparison, one for each unit. The round before the first one warms up and is dropped.

    Raises:
        ChildFailed: an arm failed.
    """
    taken: dict[str, list[Numbers]] = {arm.name: [] for arm in comparison.arms}
    versions = {arm.name: peers.versions(arm.python, arm.packages) for arm in comparison.arms}
    with contextlib.ExitStack() as stack:
        ready = {}
        for arm in comparison.arms:
            say(f"{comparison.name}: {arm.name} gets ready")
            ready[arm.name] = stack.enter_context(arm.open(workspace.folder))
        for number in range(rules.rounds + 1):
            round_ = Round(
                rules.seconds, workspace.folder, workspace.cache(f"{comparison.name}-{number}".replace(":", "-"))
            )
            for arm, numbers in _turns(comparison, ready, round_, number):
                said = ", ".join(f"{numbers[unit]:.4g} {unit}" for unit in comparison.units)
                say(f"{comparison.name}: {f'round {number}' if number else 'warm-up'}, {arm.name}: {said}")
                if number:
                    taken[arm.name].append(numbers)
    return [
        {
            "name": comparison.name,
            "title": comparison.title,
            "unit": unit,
            "better": "less" if unit in LESS_IS_BETTER else "more",
            "made": time.strftime("%Y-%m-%d"),
            "commit": environment.commit(),
            **dataclasses.asdict(rules),
            "size": workspace.scale.size,
            "small": workspace.scale.small,
            "base": comparison.base,
            "arms": [_arm(arm, unit, taken[arm.name], versions[arm.name]) for arm in comparison.arms],
            "ratios": _ratios(comparison, unit, taken),
        }
        for unit in comparison.units
    ]


def _turns(
    comparison: Comparison, ready: dict[str, Rounds], round_: Round, number: int
) -> Iterator[tuple[Arm, Numbers]]:
    """A round of each arm; every second time backwards, unless one arm needs what another leaves."""
    ordered = any(arm.own_cache for arm in comparison.arms)
    arms = comparison.arms if ordered or number % 2 == 0 else comparison.arms[::-1]
    for arm in arms:
        yield arm, ready[arm.name](round_)


def _arm(arm: Arm, unit: str, taken: list[Numbers], versions: dict[str, str]) -> dict[str, Any]:
    values = [numbers[unit] for numbers in taken]
    return {
        "name": arm.name,
        "does": arm.does,
        "versions": versions,
        "rounds": values,
        "median": ratios.spread(values).median,
    }


def _ratios(comparison: Comparison, unit: str, taken: dict[str, list[Numbers]]) -> list[dict[str, Any]]:
    found = []
    for arm in comparison.arms:
        if arm.name == comparison.base:
            continue
        ours, theirs = ([numbers[unit] for numbers in taken[name]] for name in (comparison.base, arm.name))
        values = ratios.ratios(ours, theirs)
        middle = ratios.spread(values)
        found.append(
            {"to": arm.name, "rounds": values, "low": middle.low, "median": middle.median, "high": middle.high}
        )
    return found
