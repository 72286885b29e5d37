"""`mindzoo check-data`: look at every file of a data folder, and say what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from mindzoo.utils.data import skip_list
from mindzoo.utils.data.listing import absolute, is_image_name
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.drawing import figures
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.files import check_file, check_output, write_json
from mindzoo.utils.inspection import classes, pictures, plot, report
from mindzoo.utils.inspection.findings import Findings
from mindzoo.utils.inspection.keys import CheckDataConfig
from mindzoo.utils.inspection.survey import survey
from mindzoo.utils.log import logger

# Files that cannot be read; a training and an evaluation can do without them.
SKIPPED = ("not_a_file", "empty", "cut_off", "damaged", "unsupported", "too_large")


def check(config: CheckDataConfig) -> Findings:
    """Look at the folder, say what was found, and write the files that are asked for.

    Raises:
        UserError: the folder cannot be looked at, or a file cannot be written.
        FoundProblems: something is wrong with the data.
    """
    root = _root(config)
    _check_outputs(config, root)
    findings = Findings()
    splits = survey(root, findings)
    speed = pictures.look_through(splits, worker_count(config.workers), findings)
    classes.compare(splits, findings)
    report.tell(splits, findings, config.output)
    if config.output:
        write_json(Path(config.output), report.facts(config.folder[0], splits, findings))
    if config.plot:
        plot.draw(Path(config.plot), splits)
    if config.write_skip_list:
        images = {f"{split.name}/{name}/{image}" for split in splits for name, image in split.images()}
        # What is no file has a place in a class folder too, and is none of its images.
        odd = {entry.name for entry in findings.of("not_a_file") if entry.name.count("/") == 2}
        bad = [entry.name for kind in SKIPPED for entry in findings.of(kind) if entry.name in images | odd]
        skip_list.write(Path(config.write_skip_list), bad)
        logger.info("%s: %s, which --skip_list leaves out", config.write_skip_list, counted(len(bad), "image"))
    logger.info(
        "%s; looked at %s, %.1f images/s", report.summary(findings), counted(sum(map(len, splits)), "image"), speed
    )
    if findings.problems:
        raise FoundProblems
    return findings


def _root(config: CheckDataConfig) -> Path:
    root = Path(config.folder[0])
    if not root.is_dir():
        raise UserError(f"the folder is {root}, which is {'no folder' if root.exists() else 'missing'}")
    return root


def _check_outputs(config: CheckDataConfig, root: Path) -> None:
    """Refuse files that cannot be written, or would be among the images, before an hour of looking."""
    for key in ("output", "plot", "write_skip_list"):
        target = Path(getattr(config, key))
        inside = absolute(target).parent.resolve()
        is_among = inside.is_relative_to(root.resolve()) and inside != root.resolve()
        if getattr(config, key) and (is_among or (key == "write_skip_list" and is_image_name(target.name))):
            raise UserError(f"{key} is {target}, which is among the images or called like one; give another place")
    check_output("output", config.output, (".json",))
    check_output("plot", config.plot, (".png",))
    if config.plot:
        figures.check_library("plot is given", "leave --plot out")
    if config.write_skip_list:
        target = Path(config.write_skip_list)
        check_file("write_skip_list", target, (target.suffix,))
