"""Which images are searched for and which should be found, by the names of the files; and what an answer is worth."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from mindzoo.utils.errors import UserError, shorten

HOLIDAYS_GROUP = 100  # numbers of one scene: 100000 is searched for, 100001, 100002, … should be found
UKBENCH_GROUP = 4


@dataclass(frozen=True)
class Query:
    """A row that is searched for, and the rows that should be found."""

    row: int
    positives: np.ndarray  # int64, ascending


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated."""

    queries: Callable[[Sequence[str]], list[Query]]  # of the paths of all rows
    counts_itself: bool  # the query is one of the answers; otherwise it is taken out of the ranking
    values: Callable[[np.ndarray], dict[str, float]]  # of the places of the positives in the ranking, from 0, ascending


def holidays(paths: Sequence[str]) -> list[Query]:
    """INRIA Holidays: a group is what has the same number but for the last two digits, its first image the query.

    Jegou, Douze and Schmid 2008, "Hamming embedding and weak geometric consistency for large scale image search".

    Raises:
        UserError: a name is no number, or a group has no query or nothing but the query.
    """
    queries = []
    for group, members in _numbered(paths, r"(\d+)", HOLIDAYS_GROUP).items():
        first = group * HOLIDAYS_GROUP
        if first not in members or len(members) < 2:
            lacking = "its query" if first not in members else "any image but its query"
            raise UserError(
                f"the group of {first:06} lacks {lacking}; wanted the images of INRIA Holidays under their own names"
            )
        positives = sorted(row for number, row in members.items() if number != first)
        queries.append(Query(members[first], np.array(positives)))
    return queries


def ukbench(paths: Sequence[str]) -> list[Query]:
    """UKBench: four numbers in a row show one object, and every image is searched for.

    Nister and Stewenius 2006, "Scalable recognition with a vocabulary tree".

    Raises:
        UserError: a name has no number, or a group is not complete.
    """
    queries = []
    for group, members in _numbered(paths, r"(?:ukbench)?(\d+)", UKBENCH_GROUP).items():
        if len(members) < UKBENCH_GROUP:
            first = group * UKBENCH_GROUP
            raise UserError(
                f"of the images {first:05} to {first + UKBENCH_GROUP - 1:05}, which show one object, "
                f"{len(members)} are there; wanted all four"
            )
        rows = np.array(sorted(members.values()))
        queries += [Query(row, rows) for row in members.values()]
    return queries


def folders(paths: Sequence[str]) -> list[Query]:
    """What lies in one folder belongs together, and each image that is not alone is searched for.

    Raises:
        UserError: no folder has two images.
    """
    rows = defaultdict(list)
    for row, path in enumerate(paths):
        rows[PurePosixPath(path).parent].append(row)
    together = {row: members for folder, members in rows.items() if folder != PurePosixPath() for row in members}
    queries = [
        Query(row, np.array([other for other in together[row] if other != row]))
        for row in sorted(together)
        if len(together[row]) > 1
    ]
    if not queries:
        raise UserError("no folder below the images' own holds two images; wanted one folder per thing that is shown")
    return queries


def average_precision(places: np.ndarray) -> float:
    """The mean of the precision at each positive, in a ranking in which it stands at `places`, from 0, ascending."""
    return float((np.arange(1, len(places) + 1) / (places + 1)).mean())


def average_precision_by_trapezoids(places: np.ndarray) -> float:
    """The area under precision over recall, by trapezoids, as the evaluation of INRIA Holidays takes it.

    At the n-th positive (from 0), which stands at `places[n]`, recall grows by 1 / len(places), and precision is
    n / places[n] before it (1 at the very top) and (n + 1) / (places[n] + 1) with it. A little below
    `average_precision`.
    """
    found = np.arange(len(places))
    before = np.where(places == 0, 1.0, found / np.maximum(places, 1))
    after = (found + 1) / (places + 1)
    return float(((before + after) / 2).mean())


def _ranking(places: np.ndarray) -> dict[str, float]:
    return {"average precision": average_precision(places), "recall at 1": float(places[0] == 0)}


def _trapezoids(places: np.ndarray) -> dict[str, float]:
    return {"average precision": average_precision_by_trapezoids(places)}


def _four(places: np.ndarray) -> dict[str, float]:
    found = int((places < UKBENCH_GROUP).sum())
    return {"found of 4": float(found), "recall at 4": found / UKBENCH_GROUP}


def _numbered(paths: Sequence[str], pattern: str, size: int) -> dict[int, dict[int, int]]:
    """Row by number, in groups of `size` numbers that follow each other, by the number of the group."""
    groups: dict[int, dict[int, int]] = defaultdict(dict)
    others = [path for path in paths if not re.fullmatch(pattern, PurePosixPath(path).stem)]
    if others:
        raise UserError(f"these images have no number for a name: {shorten(others, 3)}; is it this data set?")
    for row, path in enumerate(paths):
        found = re.fullmatch(pattern, PurePosixPath(path).stem)
        number = int(found[1]) if found else 0
        group = groups[number // size]
        if number in group:
            raise UserError(f"{paths[group[number]]} and {path} have the same number; wanted each image once")
        group[number] = row
    return dict(sorted(groups.items()))


PROTOCOLS = {
    "folders": Protocol(folders, False, _ranking),
    "holidays": Protocol(holidays, False, _trapezoids),
    "ukbench": Protocol(ukbench, True, _four),
}
