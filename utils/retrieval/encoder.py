"""Image files -> vectors, in batches of one shape."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import files
from mindzoo.utils.checkpoints import checkpoint_file, network_plan, network_source, soundness
from mindzoo.utils.checkpoints.checkpoint_facts import checkpoint_facts
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.config.values import checked_values
from mindzoo.utils.data.look import Marks
from mindzoo.utils.data.read_ahead import read_ahead
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.data.workers import worker_count
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.errors import UserError
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class Encoded:
    """A batch of files: `vectors[i]` (float32) is of `paths[i]`; what cannot be read is left out, with the reason."""

    paths: list[Path]
    vectors: np.ndarray
    unreadable: list[tuple[Path, str]]

    def __len__(self) -> int:
        return len(self.paths) + len(self.unreadable)


class Encoder:
    """Embeds files in batches of one shape, reading the next batch while the network works on this one.

    A file that cannot be read keeps its place in the batch, filled with zeros, and so does what the last batch
    lacks: which files make a batch, and so every vector, is the same whether or not a run was interrupted.

    Args:
        forward: images -> their embeddings.
        witness: is shown each file that can be read with its place in the batch, (3, H, W) float32, as the network gets it.
    """

    def __init__(
        self,
        forward: Runner,
        how: Preprocessing,
        batch_size: int,
        workers: int = 0,
        witness: Callable[[Path, np.ndarray], object] | None = None,
    ) -> None:
        self.forward, self.how, self.witness = forward, how, witness
        self.batch_size, self.threads = batch_size, worker_count(workers)
        self.marks = Marks()

    def encode(self, paths: Iterable[Path]) -> Iterator[Encoded]:
        """The vectors of `paths`, in their order, batch by batch.

        Raises:
            UserError: the network gives a vector that is not finite.
        """
        reading = read_ahead(paths, self._load, threads=self.threads, ahead=self.batch_size)
        batches = iter(lambda: [*itertools.islice(reading, self.batch_size)], [])
        for number, batch in enumerate(batches):
            if number == 0:
                self.forward.prepare((self.batch_size, 3, *self.how.image_size))
            yield self._encode(batch)
        if line := self.marks.line(self.how.orientation):
            logger.info("%s", line)

    def _load(self, path: Path) -> np.ndarray | str:
        """The image, or why it cannot be read; an image that cannot be resized is no better than a broken one."""
        try:
            return load_image(path, self.how, self.marks)
        except Exception as error:  # a decoder of broken bytes may raise anything, and a million images go on
            return " ".join(str(error).replace(str(path), "it").split())[:200]

    def _encode(self, reading: list[tuple[Path, Future[np.ndarray | str]]]) -> Encoded:
        batch = np.zeros((self.batch_size, 3, *self.how.image_size), np.float32)
        good, paths, unreadable = [], [], []
        for place, (path, future) in enumerate(reading):
            image = future.result()
            if isinstance(image, str):
                unreadable.append((path, image))
                continue
            batch[place] = image
            if self.witness:
                self.witness(path, batch[place])
            good.append(place)
            paths.append(path)
        vectors = self.forward(batch)[good]
        if not np.isfinite(vectors).all():
            worst = paths[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            raise UserError(f"the network's vector of {worst} is not finite; use another checkpoint")
        return Encoded(paths, vectors, unreadable)


def source_facts(spec: ModelSpec, made_from: Source, which: str) -> dict[str, Any]:
    """What decides over the vectors: network, options, checkpoint and preprocessing."""
    # Averaged weights hold other values than the plan, which goes by the raw ones.
    options = {**made_from.plan.options, **network_source.option_values(spec, made_from, which)}
    return {
        "network": spec.name,
        "options": {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
        "checkpoint": checkpoint_facts(made_from.checkpoint, which),
        "preprocessing": made_from.preprocessing.to_dict(),
    }


def source_of(spec: ModelSpec, path: Path, facts: Mapping[str, Any]) -> Source:
    """The checkpoint `path` as the vectors with `facts` were made of it.

    Raises:
        UserError: it is another checkpoint, of another network, or not finite.
    """
    if facts["network"] != spec.name:
        raise UserError(f"the vectors are of {facts['network']}, not of {spec.name}; name that network")
    options = facts["options"]
    unknown = [name for name in options if name not in spec.options]
    if unknown:
        raise UserError(f"the vectors are of a network with {unknown[0]}, which {spec.name} does not have")
    checked_values("options", options, spec.eval_config)
    content = checkpoint_file.read_checkpoint(path, spec)
    found, wanted = files.sha256(path), facts["checkpoint"]["sha256"]
    if found != wanted:
        raise UserError(
            f"{path} (SHA-256 {found[:12]}) is another checkpoint than that of the vectors ({wanted[:12]}, "
            f"{facts['checkpoint']['file']}); give that one"
        )
    soundness.check(path, content.chosen(facts["checkpoint"]["weights"]))
    plan = network_plan.plan_network(spec, content, options=options)
    return Source(content, plan, Preprocessing.from_dict(facts["preprocessing"]))
