"""What the page says of one run, section by section."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mindzoo.utils.errors import visible, without_middle
from mindzoo.utils.pages.frame import escaped
from mindzoo.utils.records import HELD_OUT
from mindzoo.utils.reports import drawings, figures
from mindzoo.utils.reports.figures import ClassFigures, Pair
from mindzoo.utils.reports.markup import (
    Column,
    duration,
    facts,
    folded,
    gallery,
    number,
    percent,
    plain,
    section,
    table,
    tile,
    word,
)
from mindzoo.utils.reports.pictures import Album
from mindzoo.utils.reports.predictions import Predictions
from mindzoo.utils.reports.reading import Row, Run, finite, of_what
from mindzoo.utils.scores.calibration import BINS
from mindzoo.utils.scores.metric import TOP1

MOST_DRAWN = 50  # classes in the matrix
MOST_PAIRS = 50
LONGEST_IN_PAIR = 80  # characters of a name


def of_run(run: Run) -> str:
    """All sections of a run, but for its overview and its curves."""
    return "".join(_sections(run))


def _sections(run: Run) -> Iterator[str]:
    found = run.predictions
    if found is not None:
        mistaken = figures.pairs(found)
        yield _classes(found, figures.by_class(found, mistaken))
        yield _confusion(found, mistaken)
        yield _images(found)
        yield _calibration(found)
    if run.evaluations:
        yield _evaluations(run)
    yield origin(run)


def overview(run: Run) -> str:
    """The numbers that people look for first, and what could not be read."""
    return f"{cards(run)}{notes(run)}\n"


def cards(run: Run) -> str:
    """The numbers that people look for first."""
    told = []
    if best := run.best:
        chosen = "" if run.metric.field == TOP1 else f", best by {run.metric.title}"
        told.append(
            ("best top-1" if not chosen else "top-1", percent(best["top1"] / best["total"]), of_what(best) + chosen)
        )
        told += [
            (name, percent(value), of_what(best))
            for name, key in (("balanced accuracy", "balanced_accuracy"), ("macro F1", "macro_f1"))
            if math.isfinite(value := finite(best, key))
        ]
        told.append(("evaluated on", f"{best['total']:,}", "images"))
    if run.epochs:
        last = run.epochs[-1]
        told.append(("epochs", f"{last['epoch'] + 1}", f"of {last.get('epochs', '-')}"))
        told.append(("mean loss", number(finite(last, "mean_loss")), "of the last epoch"))
        told.append(("images/s", number(finite(last, "images_per_second")), "in the last epoch"))
        told.append(("trained for", duration(run.seconds), "h:mm:ss, in steps"))
    shown = "".join(
        f"<li><span>{escaped(name)}</span><b>{escaped(value)}</b><small>{word(more, 60)}</small></li>"
        for name, value, more in told
    )
    return f'<ul class="cards">{shown}</ul>\n'


def notes(run: Run) -> str:
    """What could not be read of a run."""
    if run.predictions is None and not run.notes:
        return '<p class="note">There are no predictions: nothing was evaluated, or by an older version.</p>'
    return "".join(f'<p class="note">{word(note, 400)}</p>' for note in run.notes)


def _classes(found: Predictions, rows: Sequence[ClassFigures]) -> str:
    columns = [Column("Class"), *(Column(name, True) for name in ("Images", "Hits", "Recall", "Top-5"))]
    columns += [Column("Precision", True), Column("F1", True), Column("Mostly taken for"), Column("Times", True)]
    if has_few := found.best.shape[1] < 5:
        del columns[4]
    cells = []
    for row in rows:
        said = "" if row.taken_for is None else word(found.name(row.taken_for), LONGEST_IN_PAIR)
        shares = [percent(row.top1 / row.images), *([] if has_few else [percent(row.top5 / row.images)])]
        shares += [percent(row.precision), percent(row.f1)]
        cells.append([word(found.name(row.label)), f"{row.images:,}", f"{row.top1:,}", *shares, said, f"{row.times:,}"])
    without = len({*range(len(found.classes))} - {row.label for row in rows})
    said = (
        f"{len(rows):,} classes with {len(found):,} images. Recall is top-1 within the class, precision the share that is right "
        f"of what was taken for it{f'; {without:,} classes without images count nowhere' if without else ''}. "
        "The heads of the columns sort."
    )
    return section("Accuracy by class", said, table("Accuracy by class", columns, cells))


def _confusion(found: Predictions, mistaken: list[Pair]) -> str:
    labels = figures.worst_classes(found, mistaken, MOST_DRAWN)
    names = [found.name(label) for label in labels]
    drawn = drawings.matrix(figures.confusion(found, labels), names)
    count = len(np.union1d(found.labels, found.best[:, 0]))
    part = "" if count == len(labels) else f" The {len(labels)} classes with most mistakes, of {count:,}, are drawn."
    said = f"{sum(pair.times for pair in mistaken):,} of {len(found):,} images were taken for another class.{part}"
    if not mistaken:
        return section("Confusion", said, drawn)
    images = np.bincount(found.labels)
    rows = [
        [
            word(found.name(pair.label), LONGEST_IN_PAIR),
            word(found.name(pair.said), LONGEST_IN_PAIR),
            f"{pair.times:,}",
            percent(pair.times / images[pair.label]),
        ]
        for pair in mistaken[:MOST_PAIRS]
    ]
    columns = [Column("Class"), Column("Taken for"), Column("Images", True), Column("Of its class", True)]
    title = f"The worst pairs, {len(rows)} of {len(mistaken):,}"
    return section("Confusion", said, f"{drawn}<p>{title}</p>{table(title, columns, rows)}")


def _images(found: Predictions) -> str:
    album = Album(Path(found.root), str(found.about.get("orientation", "stored")))
    wrong = _gallery(found, figures.surest_mistakes(found), album)
    right = _gallery(found, figures.unsurest_hits(found), album)
    return (
        section("Most confident mistakes", "What the network was sure of, and wrong.", wrong or "<p>There are none.</p>")
        + section("Least confident hits", "What it got right, and was least sure of.", right or "<p>There are none.</p>")
    )  # fmt: skip


def _gallery(found: Predictions, places: Sequence[int], album: Album) -> str:
    items = []
    for place in places:
        file, label, said = (
            found.files[place],
            found.name(int(found.labels[place])),
            found.name(int(found.best[place, 0])),
        )
        verdict = f"{word(said, 40)} {percent(float(found.shares[place, 0]))}"
        wrong = "" if said == label else f"is {word(label, 40)}"
        items.append(tile(album.picture(file), verdict, wrong, word(file, LONGEST_IN_PAIR)))
    return gallery(items) if items else ""


def _calibration(found: Predictions) -> str:
    sure = figures.calibration(found)
    bins = BINS
    rows = [
        [f"{i / bins:.0%} to {(i + 1) / bins:.0%}", f"{sure.counts[i]:,}", percent(sure.confidence[i]), percent(sure.accuracy[i])]
        for i in range(bins)
    ]  # fmt: skip
    columns = [Column("Probability"), *(Column(name, True) for name in ("Images", "Mean probability", "Accuracy"))]
    said = (
        f"The expected calibration error is {percent(sure.error)}, over {bins} bins (Guo et al. 2017). A bar is as high as the share of "
        "images that were right. Where bars end on the line, the probabilities mean what they say; below it the network is too sure."
    )
    return section(
        "Reliability", said, drawings.reliability(sure) + folded("As a table", table("Reliability", columns, rows))
    )


def _evaluations(run: Run) -> str:
    titles = ("Top-1", "Hits", "Images", "Loss", "Balanced accuracy", "Macro F1", "ECE")
    columns = [Column("Of"), *(Column(name, True) for name in titles)]
    cells = [
        [
            of_what(row) if "epoch" in row else word(row.get("checkpoint", "-")),
            percent(row["top1"] / row["total"]),
            f"{row['top1']:,}",
            f"{row['total']:,}",
            number(finite(row, "loss")),
            *(percent(finite(row, key)) for key in ("balanced_accuracy", "macro_f1", "calibration_error")),
        ]
        for row in run.evaluations
    ]
    return section("Evaluations", _held_out(run.settings), table("Evaluations", columns, cells))


def _held_out(settings: Row) -> str:
    """Which images of a training folder were evaluated; "" where they were other images."""
    if isinstance(share := settings.get("val_split"), float) and share:
        return f"The images are those that val_split {share:g} held out of the training folder; {HELD_OUT} beside this page names them."
    if isinstance(source := settings.get("held_out"), str) and source:
        return f"The images are those that a training held out of its folder, as {without_middle(visible(source), 200)} names them."
    return ""


def origin(run: Run) -> str:
    """Settings, environment, and the command."""
    about = dict(run.environment)
    command = about.pop("command", None)
    shown = ""
    if isinstance(command, list):
        shown = f'<p>The command was:</p><pre tabindex="0">{word(shlex.join(map(str, command)), 4000)}</pre>'
    rows = [(name, value) for name, value in (("folder", run.folder.absolute()), *about.items())]
    environment = folded("Environment", facts(rows))
    settings = folded("Settings", facts((str(name), plain(value)) for name, value in run.settings.items()))
    return section("Where it comes from", "", shown + environment + settings)
