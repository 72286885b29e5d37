"""What a test of learning rates found: lines, a picture, and files with the numbers."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.config.reading import show
from mindzoo.utils.drawing import figures
from mindzoo.utils.errors import counted
from mindzoo.utils.files import check_file, write_json, write_text
from mindzoo.utils.log import logger
from mindzoo.utils.rate_finding import picture, repeated
from mindzoo.utils.rate_finding.curve import Curve
from mindzoo.utils.rate_finding.suggestion import Suggestions, suggestions
from mindzoo.utils.spec import ModelSpec

TABLE, FACTS = ".csv", ".json"  # what is added to the name of the picture
COLUMNS = ("update", "lr", "loss", "smoothed")


def check(output: str) -> None:
    """Refuse files that cannot be written, before anything is computed.

    Raises:
        UserError: see `check_file`; or nothing is there to draw with.
    """
    if output:
        check_file("output", Path(output), (".png",), beside=(TABLE, FACTS))
        figures.check_library(f"output is {output}", "give --output '' for the lines alone")


def tell(spec: ModelSpec, config: Any, curve: Curve, given: Mapping[str, Any]) -> None:
    """Say what the curve of the test suggests, and write it where `output` says.

    Args:
        given: keys of the training, see `repeated.command`.

    Raises:
        UserError: a file cannot be written.
    """
    found = suggestions(curve)
    if config.output:
        write(Path(config.output), spec, curve, found)
        logger.info("wrote %s, and beside it the same name with %s and %s", config.output, TABLE, FACTS)
    if curve.has_diverged:
        logger.info("the loss diverges at %.2g, after %s", curve.rates[-1], counted(len(curve.rates), "update"))
    if found is None:
        logger.info("lr_find: suggests nothing: %s", why_nothing(config, curve))
        return
    if found.still_falls:
        logger.info("the loss still falls at the last rate; a higher --lr_to would show more")
    logger.info(
        "lr_find: suggests --lr %s (the middle of the longest fall; the steepest point: %s, a tenth of the rate of the least "
        "loss: %s)",
        *map(show, (found.valley, found.steepest, found.least)),
    )
    logger.info("to train with it: %s", repeated.command(spec, given, found.valley))


def why_nothing(config: Any, curve: Curve) -> str:
    """Why a curve suggests no rate, and what to try."""
    tested = f"from {show(config.lr_from)} to {curve.rates[-1]:.2g}"
    if curve.has_diverged:
        return f"the loss does not fall {tested}, where it diverges; try a lower --lr_from"
    return (
        f"the loss does not fall {tested} by more than chance would have it; try more --lr_steps, a larger --batch_size, or other "
        "--lr_from and --lr_to"
    )


def write(target: Path, spec: ModelSpec, curve: Curve, found: Suggestions | None) -> None:
    """The picture, and beside it a table with a row for each update, and an object with what was found.

    Raises:
        UserError: one of them cannot be written.
    """
    picture.draw(target, f"{spec.title}: loss by learning rate", curve, found)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(zip(range(1, len(curve.rates) + 1), curve.rates, curve.losses, curve.smoothed, strict=True))
    write_text(target.with_name(target.name + TABLE), text.getvalue())
    facts = {
        "network": spec.name,
        "suggestion": found.valley if found else None,
        "suggestions": dataclasses.asdict(found) if found else None,
        "diverged": curve.has_diverged,
    }
    write_json(target.with_name(target.name + FACTS), facts)
