"""What became of a training that met a fault, and the table of all of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path


class Verdict(Enum):
    """How a training went on after a fault."""

    EXACT = "exact"  # it ended with the bits of one without a break
    STATED = "stated difference"  # it said that it goes on, but not to the bit
    LOST = "lost"  # it could not go on, lost more than it promises, or did not end as it should
    SILENT = "silent"  # it ended with other bits and said nothing


@dataclass
class Outcome:
    """One fault."""

    fault: str
    variant: str
    ranks: int
    verdict: Verdict = Verdict.EXACT
    detail: str = ""

    def fail(self, verdict: Verdict, detail: str) -> None:
        """Keep the first thing that went wrong."""
        if self.verdict in (Verdict.EXACT, Verdict.STATED):
            self.verdict, self.detail = verdict, detail


def table(outcomes: Iterable[Outcome]) -> str:
    """Markdown: one line for each kind of fault, and their sum."""
    by_fault: dict[str, Counter[Verdict]] = {}
    for outcome in outcomes:
        name = f"{outcome.fault}, {outcome.ranks} ranks" if outcome.ranks > 1 else outcome.fault
        by_fault.setdefault(name, Counter())[outcome.verdict] += 1
    rows = [_row(name, counted) for name, counted in sorted(by_fault.items())]
    rows.append(_row("all", sum(by_fault.values(), Counter())))
    head = _line(["fault", "tried", *(verdict.value for verdict in Verdict)])
    return "\n".join([head, _line(["---"] * (2 + len(Verdict))), *rows])


def write(outcomes: Sequence[Outcome], path: Path) -> None:
    """All faults as JSON."""
    rows = [{**asdict(outcome), "verdict": outcome.verdict.value} for outcome in outcomes]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def failed(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that must not be."""
    return [outcome for outcome in outcomes if outcome.verdict in (Verdict.LOST, Verdict.SILENT)]


def _row(name: str, counted: Counter[Verdict]) -> str:
    return _line([name, str(counted.total()), *(str(counted[verdict]) for verdict in Verdict)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
