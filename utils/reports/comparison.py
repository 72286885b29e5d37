"""What the page says of several runs: the sections that one run alone does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mindzoo.utils.pages.frame import escaped
from mindzoo.utils.reports import differences, pairing
from mindzoo.utils.reports.differences import Differing
from mindzoo.utils.reports.figures import MOST_IMAGES
from mindzoo.utils.reports.markup import Column, facts, folded, gallery, percent, section, table, tile, word
from mindzoo.utils.reports.pairing import Pairing
from mindzoo.utils.reports.pictures import Album
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.reports.reading import Run
from mindzoo.utils.reports.sections import notes, origin

LONGEST_VALUE = 200  # characters of a setting
LONGEST_IN_TILE = 40
MOST_CLASSES = 50


def results(runs: Sequence[Run], names: Sequence[str]) -> str:
    """A table with a row for each run."""
    rows = [
        [f'<a href="#run{place}">{word(name)}</a>', *(word(cell, LONGEST_IN_TILE) for cell in cells)]
        for place, (name, *cells) in enumerate(differences.results(runs, names))
    ]
    said = "Counts are of the best evaluation of each run. Balanced is the mean recall of the classes, macro F1 the mean of their F1. ECE is the expected calibration error (Guo et al. 2017)."
    return section("Results", said, table("Results", differences.RESULTS, rows))


def settings(runs: Sequence[Run], names: Sequence[str]) -> str:
    """A table of the settings that differ; folded, those that only some runs have."""
    some = differences.only_some(runs)
    others = (
        folded(f"{len(some):,} that only some of the runs have", _table("Only in some", some, names)) if some else ""
    )
    return _differing("Settings that differ", differences.settings(runs), names, others)


def environments(runs: Sequence[Run], names: Sequence[str]) -> str:
    """A table of what else differs."""
    return _differing("Environments that differ", differences.environments(runs), names)


def _differing(title: str, rows: Sequence[Differing], names: Sequence[str], more: str = "") -> str:
    """A section.

    Args:
        more: HTML below the table.
    """
    if rows:
        return section(title, "", _table(title, rows, names) + more)
    return section(title, "There are none.", more)


def _table(title: str, rows: Sequence[Differing], names: Sequence[str]) -> str:
    cells = [[word(row.name), *(word(value, LONGEST_VALUE) for value in row.values)] for row in rows]
    return table(title, [Column("Name"), *map(Column, names)], cells)


def pairs(runs: Sequence[Run], names: Sequence[str]) -> str:
    """A section for the first run with each of the others."""
    return "".join(_pair(runs[0], runs[place], names[0], names[place]) for place in range(1, len(runs)))


def _pair(first: Run, second: Run, first_name: str, second_name: str) -> str:
    said = "".join(_said(first, second, (first_name, second_name)))
    return f"<section><h2>{word(first_name)} and {word(second_name)}, image by image</h2>\n{said}</section>\n"


def _said(first: Run, second: Run, names: tuple[str, str]) -> Iterator[str]:
    """HTML of a pair."""
    without = [word(name) for run, name in zip((first, second), names, strict=True) if run.predictions is None]
    if first.predictions is None or second.predictions is None:
        yield f"<p>There are no predictions of {' and '.join(without)}: nothing was evaluated, or they cannot be read.</p>\n"
        return
    found = pairing.pair(first.predictions, second.predictions)
    yield f"<p>{escaped(differences.common(found))}</p>\n"
    if not len(found):
        return
    whose = ("both are right", f"only {names[0]} is right", f"only {names[1]} is right", "both are wrong")
    counts = zip(whose, (f"{count:,}" for count in found.table), strict=True)
    yield facts([*counts, ("McNemar's test", differences.verdict(found))])
    albums = [Album(Path(one.root), str(one.about.get("orientation", "stored"))) for one in (found.first, found.second)]
    for which in (0, 1):
        yield _only(found, which, names, albums)
    yield _classes(found, names)


def _classes(found: Pairing, names: Sequence[str]) -> str:
    """The classes that one of the two is better at."""
    rows = found.by_class()
    if not rows:
        return ""
    columns = [Column("Class"), *(Column(title, True) for title in ("Images", *names, "Difference"))]
    cells = [
        [word(found.first.name(row.label)), f"{row.images:,}", f"{row.first:,}", f"{row.second:,}", f"{row.second - row.first:+,}"]
        for row in rows[:MOST_CLASSES]
    ]  # fmt: skip
    title = f"Hits by class: {len(cells)} of the {len(rows):,} classes in which they differ"
    return f"<h3>{title}</h3>\n{table(title, columns, cells)}"


def _only(found: Pairing, which: int, names: Sequence[str], albums: Sequence[Album]) -> str:
    """The images that one alone got right."""
    places = found.only(which)
    if not len(places):
        return ""
    title = f"<h3>Only {word(names[which])} is right: {len(places):,}</h3>\n"
    shown = min(len(places), MOST_IMAGES)
    said = f"{shown} are shown, first those of which {word(names[1 - which])} was most sure: what it said, then what is right."
    tiles = [_tile(found, pair, which, albums) for pair in places[:shown].tolist()]
    return f"{title}<p>{said}</p>\n{gallery(tiles)}"


def _tile(found: Pairing, places: Sequence[int], which: int, albums: Sequence[Album]) -> str:
    both = (found.first, found.second)
    right, wrong = both[which], both[1 - which]
    file = right.files[places[which]]
    source = next(filter(None, (album.picture(file) for album in albums)), "")
    said = _answer(right, places[which])
    return tile(source, _answer(wrong, places[1 - which]), f"is {said}", word(file, 2 * LONGEST_IN_TILE))


def _answer(found: Predictions, place: int) -> str:
    """What was said of an image, and how surely, as HTML."""
    return f"{word(found.name(int(found.best[place, 0])), LONGEST_IN_TILE)} {percent(float(found.shares[place, 0]))}"


def origins(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Command, environment and settings of each run, and what could not be read of it; folded."""
    return "".join(
        f'<details class="run" id="run{place}"><summary><h2>{word(name)}</h2></summary>\n{notes(run)}{origin(run)}</details>\n'
        for place, (run, name) in enumerate(zip(runs, names, strict=True))
    )
