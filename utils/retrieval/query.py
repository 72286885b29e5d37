"""The images of an index that are nearest to given ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import progress, runtime
from mindzoo.utils.checkpoints import network_source
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.reading import Loaded, show
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.network_graph import EMBEDDING
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.files import check_output, write_json
from mindzoo.utils.inference.inputs import image_files
from mindzoo.utils.log import aside, logger
from mindzoo.utils.retrieval import ann, encoder, page, whitening
from mindzoo.utils.retrieval.encoder import Encoded, Encoder
from mindzoo.utils.retrieval.index import Index, open_index
from mindzoo.utils.retrieval.keys import QueryConfig
from mindzoo.utils.retrieval.rows import check_root, leads_out
from mindzoo.utils.spec import ModelSpec


def query(spec: ModelSpec, loaded: Loaded[QueryConfig]) -> list[dict[str, Any]]:
    """Log a table per image and return the rows:
    {"image": …, "results": [{"rank", "score", "path", "folder"}, …]}; together one row, {"images": […], "results": …}.

    The images are preprocessed as those of the index were. Those that cannot be read are named at the end.

    Raises:
        UserError: no image or no index given, none that can be read, another checkpoint or whitening than the
            index's, or an output file that cannot be written.
        FoundProblems: some images could not be read.
    """
    config = loaded.config
    check_output("output", config.output, (".json",))
    check_output("html", config.html, (".html",))
    given = image_files(config.images)
    if not config.index:
        raise UserError("index is not given; wanted a folder that mindzoo index wrote: --index FOLDER")
    check_root(config.images_root)
    index = open_index(Path(config.index))
    _check_whitening(config, index)
    _check_given(spec, loaded, index)
    if config.effort and index.facts["kind"] not in ann.EFFORT:
        logger.info("effort has no effect: the index is of kind %s", index.facts["kind"])
    engine = Engine(spec, config, runtime.start(config.device_target))
    crops = page.Crops(index.facts)
    embedded = _embedded(spec, config, engine, index, [Path(image.name) for image in given if not image.lack], crops)
    begin = time.perf_counter()
    scores, rows = index.search(embedded.vectors, config.top_k, config.effort, together=config.together)
    seconds = time.perf_counter() - begin
    found = _results(index, _questions(config, embedded.paths), scores, rows)
    for row in found:
        _show(row)
    count = index.facts["vectors"]["count"]
    asked = counted(len(embedded.paths), "image") + (" together" if config.together else "")
    aside("searched %s for %s in %.3f s", counted(count, "vector"), asked, seconds)
    _write(config, index, found, crops)
    unreadable = [*((image.name, image.lack) for image in given if image.lack), *embedded.unreadable]
    for path, reason in unreadable:
        logger.info("left out: cannot read %s: %s", path, reason)
    engine.finish()
    if unreadable:
        raise FoundProblems(f"{len(unreadable)} of {counted(len(given), 'image')} could not be read")
    return found


def _embedded(
    spec: ModelSpec, config: QueryConfig, engine: Engine, index: Index, paths: Sequence[Path], crops: page.Crops
) -> Encoded:
    """The query images and their vectors, (Q, D) float32; what the network sees of them goes to `crops` for the page."""
    facts = index.facts["vectors"]
    made_from = encoder.source_of(spec, network_source.single_file(config), facts)
    graphs.start(config, runtime.World())
    runner = engine.open(made_from, facts["checkpoint"]["weights"], EMBEDDING)
    size, witness = min(config.batch_size, len(paths)), crops.take if config.html else None
    encode, batches = Encoder(runner, made_from.preprocessing, size, witness=witness).encode, []
    with progress.of("query", len(paths), "images") as work:
        for batch in encode(paths):
            batches.append(batch)
            work.advance(len(batch))
    unreadable = [entry for batch in batches for entry in batch.unreadable]
    if len(unreadable) == len(paths):
        path, reason = unreadable[0]
        raise UserError(f"cannot read {path}: {reason}")
    vectors = np.concatenate([batch.vectors for batch in batches])
    return Encoded([path for batch in batches for path in batch.paths], vectors, unreadable)


def _questions(config: QueryConfig, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """What is asked, as the rows say it."""
    if config.together:
        return [{"images": [str(path) for path in paths]}]
    return [{"image": str(path)} for path in paths]


def _results(
    index: Index, questions: Sequence[dict[str, Any]], scores: np.ndarray, rows: np.ndarray
) -> list[dict[str, Any]]:
    images = index.images(rows.ravel())
    elsewhere = {row for row, image in images.items() if leads_out(image["path"])}
    if elsewhere:
        logger.warning("left out images whose paths lead out of the index's folder of images: %d", len(elsewhere))
    found = []
    for question, its_scores, its_rows in zip(questions, scores, rows, strict=True):
        pairs = [(float(score), int(row)) for score, row in zip(its_scores, its_rows, strict=True)]
        pairs = [(score, row) for score, row in pairs if row >= 0 and row not in elsewhere]
        results = [{"rank": rank, "score": score, **images[row]} for rank, (score, row) in enumerate(pairs, 1)]
        found.append({**question, "results": results})
    return found


def _show(row: dict[str, Any]) -> None:
    for image in page.images_of(row):
        logger.info("%s", image)
    for result in row["results"]:
        logger.info("  %3d  %7.4f  %s", result["rank"], result["score"], result["path"])


def _write(config: QueryConfig, index: Index, found: list[dict[str, Any]], crops: page.Crops) -> None:
    if config.output:
        write_json(Path(config.output), found)
        logger.info("wrote %s", config.output)
    if config.html:
        root = config.images_root or index.facts["vectors"]["images"]
        elsewhere = page.write(Path(config.html), root, index.facts, found, crops)
        logger.info("wrote %s, with pictures from %s", config.html, root)
        if elsewhere:
            logger.warning("pictures left out of it, since links lead out of that folder: %d", elsewhere)


def _check_given(spec: ModelSpec, loaded: Loaded[QueryConfig], index: Index) -> None:
    """Queries are compared with what the index holds, so nothing that changes a vector can be another."""
    facts = index.facts["vectors"]
    recorded = {**facts["preprocessing"], **{name: facts["options"].get(name) for name in spec.parameter_options}}
    for name in loaded.given & recorded.keys():
        given, own = getattr(loaded.config, name), recorded[name]
        own = tuple(own) if isinstance(own, list) else own
        if given != own:
            raise UserError(
                f"{name} is {show(given)}, and the vectors of {index.folder} are of {show(own)}; leave it out, or make "
                "an index of other vectors"
            )


def _check_whitening(config: QueryConfig, index: Index) -> None:
    if not config.whitening:
        return
    given, own = whitening.read_whitening(Path(config.whitening)), index.whitening
    if own is None:
        raise UserError(
            f"{index.folder} was made without whitening; make an index with it: mindzoo index --whitening "
            f"{config.whitening}"
        )
    if not given.equals(own):
        raise UserError(f"{config.whitening} is another whitening than the one in {index.folder}; leave it out")
