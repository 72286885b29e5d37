"""Results as text: tables and sentences, made of what is in the JSON file and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]
BEGIN, END = "<!-- side by side: written by scripts/dev/benchmark.py -->", "<!-- end -->"
NOTHING = "No run is recorded here yet."


def page(text: str, content: Mapping[str, Any], chart: str) -> str:
    """The text of a page with the results between its marks; `chart` is the name of the picture beside the page.

    Raises:
        ValueError: the page has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"wanted the lines {BEGIN} and {END}")
    picture = [f"![Ratios of the comparisons below]({chart})"] if content["comparisons"] else []
    return before + "\n\n".join([BEGIN, *picture, markdown(content), END]) + after


def markdown(content: Mapping[str, Any]) -> str:
    """Everything of a JSON file as Markdown."""
    results: Sequence[Result] = content["comparisons"]
    if not results:
        return NOTHING
    parts = [
        surroundings(content),
        "A ratio is the number of the first arm divided by that of the other one in the same round. Of images/s a ratio above "
        "1 is better, of seconds and of megabytes one below 1. Quartiles: half of the rounds lie between them.",
        ratio_table(results),
        "What each arm reached by itself:",
        arm_table(results),
        "What each arm does:",
        "\n".join(descriptions(results)),
        "Their packages:",
        "\n".join(packages(results)),
    ]
    return "\n\n".join(parts)


def surroundings(content: Mapping[str, Any]) -> str:
    """Machine, date, command and settings in sentences."""
    results: Sequence[Result] = content["comparisons"]
    found = content["machine"]
    days = sorted({result["made"] for result in results})
    commits = sorted({str(result["commit"])[:9] for result in results})
    commands = sorted({result["command"] for result in results})
    rounds, seconds, sizes = (sorted({result[key] for result in results}) for key in ("rounds", "seconds", "size"))
    small = " The networks were tiny ones: the figures say nothing but that all runs." if results[0]["small"] else ""
    return (
        f"Command: {' and '.join(f'`{one}`' for one in commands)}. Taken {_span(days)}, commit {', '.join(commits)}, on {found['cores']} cores of "
        f"{found['cpu']}, {found['memory_gb']} GB, {found['system']}, Python {found['python']}. The arms of a comparison "
        f"take turns, one round to warm up and then {_span(rounds)} that count; where a worker repeats a step, a round lasts at least "
        f"{_span(seconds)} s. Images are of {_span(sizes)} pixels for the networks, and JPEG files of 500 x 375 pixels made from "
        f"a seed.{small}"
    )


def ratio_table(results: Iterable[Result]) -> str:
    """A row for each arm that another one is compared with."""
    heads = ("Comparison", "Unit", "Ratio of", "to", "Median", "Quartiles")
    rows = (
        (
            result["title"],
            result["unit"],
            result["base"],
            ratio["to"],
            f"**{ratio['median']:.2f}**",
            f"{ratio['low']:.2f} to {ratio['high']:.2f}",
        )
        for result in results
        for ratio in result["ratios"]
    )
    return _table(heads, rows)


def arm_table(results: Iterable[Result]) -> str:
    """A row for each arm."""
    heads = ("Comparison", "Arm", "Unit", "Median", "Least and most")
    rows = (
        (
            f"`{result['name']}`",
            arm["name"],
            result["unit"],
            number(arm["median"]),
            f"{number(min(arm['rounds']))} to {number(max(arm['rounds']))}",
        )
        for result in results
        for arm in result["arms"]
    )
    return _table(heads, rows)


def descriptions(results: Iterable[Result]) -> list[str]:
    """A line for each comparison, with the sentences of its arms."""
    lines = {}
    for result in results:
        arms = (f"{arm['name']}: {arm['does']}" for arm in result["arms"])
        lines[result["name"]] = f"- `{result['name']}`. {'. '.join(arms)}."
    return [*lines.values()]


def packages(results: Iterable[Result]) -> list[str]:
    """A line for each set of versions, with the arms that have it."""
    arms: dict[str, list[str]] = {}
    for arm in (arm for result in results for arm in result["arms"] if arm["versions"]):
        names = arms.setdefault(", ".join(f"{name} {version}" for name, version in arm["versions"].items()), [])
        if arm["name"] not in names:
            names.append(arm["name"])
    return [f"- {'; '.join(names)}: {versions}" for versions, names in arms.items()]


def number(value: float) -> str:
    """Three digits that count, as in 1,234 and 12.3 and 0.123."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _span(values: Sequence[Any]) -> str:
    first, last = (f"{value:g}" if isinstance(value, float) else str(value) for value in (values[0], values[-1]))
    return first if first == last else f"{first} to {last}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))
