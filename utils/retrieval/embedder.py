"""A folder of images -> a file of vectors, of any size: nothing but a batch is in memory."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms

from mindzoo import __version__
from mindzoo.utils import progress, ranks, runtime
from mindzoo.utils.checkpoints import network_source
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.data.listing import images_below
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.network_graph import EMBEDDING
from mindzoo.utils.errors import UserError, counted
from mindzoo.utils.exits import FoundProblems, Interrupted
from mindzoo.utils.files import check_file
from mindzoo.utils.log import aside, logger
from mindzoo.utils.retrieval import encoder, shares
from mindzoo.utils.retrieval.encoder import Encoder
from mindzoo.utils.retrieval.keys import EmbedConfig
from mindzoo.utils.retrieval.shares import ShareWriter
from mindzoo.utils.retrieval.vectors import Vectors, open_vectors
from mindzoo.utils.retrieval.writer import BESIDE, VectorWriter
from mindzoo.utils.spec import ModelSpec

MOST_NAMED = 20


def embed(spec: ModelSpec, loaded: Loaded[EmbedConfig]) -> Vectors:
    """Embed the images below a folder, in the order of their names; see `vectors` for the files that are written.

    An image that cannot be read is left out, so that the rest follow each other in the same order, and is named at
    the end and in the facts. A run that was stopped or killed goes on when it is started again. Ranks share the batches
    among them, see `shares`.

    Raises:
        UserError: a file or folder is missing or cannot be written, or no image can be read.
        FoundProblems: some images could not be read.
        Interrupted: by a signal, after what was done is saved.
    """
    config = loaded.config
    target, root = _target(config), _root(config)
    device = runtime.start(config.device_target)
    world = ranks.whole_set(ranks.meet(config, device), "an embedding")
    graphs.start(config, world)
    made_from = network_source.read_source(spec, network_source.single_file(config), loaded)
    engine = Engine(spec, config, device)
    runner = engine.open(made_from, config.weights, EMBEDDING)
    facts = {
        **encoder.source_facts(spec, made_from, config.weights),
        "images": str(root),
        "batch_size": config.batch_size,
        "device": device,
        "engine": engine.description,
        "mindzoo": __version__,
        "mindspore": ms.__version__,
    }
    encode = Encoder(runner, made_from.preprocessing, config.batch_size, config.workers)
    writer = VectorWriter(target, facts, images_below(root), overwrite=config.overwrite) if world.rank == 0 else None
    if writer and writer.resumed:
        aside("going on at image %d of the %d that the run began with", writer.resumed, writer.progress.images)
    if world.connected:
        begin, digest = shares.begin_together(target, writer, world)
        _write(ShareWriter(target, facts, world, begin, digest), encode)
        ranks.wait_for_all(world)
        if writer:
            shares.put_together(target, writer, world.size, config.batch_size)
            writer.close()
        ranks.wait_for_all(world)
    elif writer:
        _write(writer, encode)
    found = open_vectors(target)
    if writer:
        logger.info("wrote %s: %d vectors of %d numbers", target, *found.array.shape)
    engine.finish()
    _name_unreadable(found)
    return found


def _write(writer: VectorWriter, encoder: Encoder) -> None:
    state = writer.progress
    with runtime.stop_on_signals() as stop, progress.of("embed", state.images, "images", done=state.done) as work:
        try:
            for batch in encoder.encode(writer.remaining()):
                writer.add(batch)
                work.advance(len(batch))
                if stop and state.done < state.images:
                    writer.save()
                    raise Interrupted(
                        f"stopped at image {state.done} of {state.images}; the same command goes on", stop.signal
                    )
            writer.finish()
        finally:
            writer.close()


def _name_unreadable(found: Vectors) -> None:
    left_out = found.facts["unreadable"]
    if not left_out:
        return
    logger.info("left out %s that cannot be read:", counted(len(left_out), "image"))
    for entry in left_out[:MOST_NAMED]:
        logger.info("  %s: %s", Path(found.facts["images"]) / entry["path"], entry["reason"])
    if len(left_out) > MOST_NAMED:
        logger.info("  and %d more, named in %s", len(left_out) - MOST_NAMED, found.lines.with_suffix(".json"))
    raise FoundProblems(f"{counted(len(left_out), 'image')} could not be read")


def _target(config: EmbedConfig) -> Path:
    if not config.output:
        raise UserError("output is not given; wanted the file to write: --output FILE.npy")
    target = Path(config.output)
    check_file("output", target, (".npy",), overwrite=config.overwrite, beside=BESIDE)
    return target


def _root(config: EmbedConfig) -> Path:
    if not config.images:
        raise UserError("images is not given; wanted the folder of images: --images FOLDER")
    root = Path(config.images)
    if not root.is_dir():
        raise UserError(f"images is {root}, which is {'not a folder' if root.exists() else 'missing'}")
    return root.resolve()
