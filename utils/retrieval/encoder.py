"""Image files -> vectors, through one compiled graph with one batch shape."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindzoo.utils.checkpoints import checkpoint_file, network_plan, soundness
from mindzoo.utils.checkpoints.checkpoint_facts import checkpoint_facts
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.values import checked_values
from mindzoo.utils.data.look import Marks
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.data.workers import worker_count
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
    """

    def __init__(self, network: nn.Cell, how: Preprocessing, batch_size: int, workers: int = 0) -> None:
        self.forward, self.how = _Embedding(network), how
        self.batch_size, self.threads = batch_size, worker_count(workers)
        self.forward.set_train(False)
        self.marks = Marks()

    def encode(self, paths: Iterable[Path]) -> Iterator[Encoded]:
        """The vectors of `paths`, in their order, batch by batch.

        Raises:
            UserError: the network gives a vector that is not finite.
        """
        remaining = iter(paths)
        with ThreadPoolExecutor(self.threads) as pool:
            following = self._read(pool, remaining)
            if following:
                empty = Tensor(np.zeros((self.batch_size, 3, *self.how.image_size), np.float32))
                graphs.compile_cell(self.forward, "the graph, once for all images", (empty,))
            while following:
                reading, following = following, self._read(pool, remaining)
                yield self._encode(reading)
        if line := self.marks.line(self.how.orientation):
            logger.info("%s", line)

    def _read(self, pool: ThreadPoolExecutor, remaining: Iterator[Path]) -> list[tuple[Path, Future[Any]]]:
        return [(path, pool.submit(self._load, path)) for path in itertools.islice(remaining, self.batch_size)]

    def _load(self, path: Path) -> np.ndarray | str:
        """The image, or why it cannot be read; an image that cannot be resized is no better than a broken one."""
        try:
            return load_image(path, self.how, self.marks)
        except Exception as error:  # a decoder of broken bytes may raise anything, and a million images go on
            return " ".join(str(error).replace(str(path), "it").split())[:200]

    def _encode(self, reading: list[tuple[Path, Future[Any]]]) -> Encoded:
        batch = np.zeros((self.batch_size, 3, *self.how.image_size), np.float32)
        good, paths, unreadable = [], [], []
        for place, (path, future) in enumerate(reading):
            image = future.result()
            if isinstance(image, str):
                unreadable.append((path, image))
                continue
            batch[place] = image
            good.append(place)
            paths.append(path)
        vectors = self.forward(Tensor(batch)).asnumpy()[good]
        if not np.isfinite(vectors).all():
            worst = paths[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            raise UserError(f"the network's vector of {worst} is not finite; use another checkpoint")
        return Encoded(paths, vectors, unreadable)


class _Embedding(nn.Cell):
    """(B, 3, H, W) -> (B, D) float32: `embed` of a network as a graph of its own."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images: Tensor) -> Tensor:
        return self.network.embed(images).astype(ms.float32)


def source_facts(spec: ModelSpec, made_from: Source, network: nn.Cell, which: str) -> dict[str, Any]:
    """What decides over the vectors: network, options, checkpoint and preprocessing."""
    # Averaged weights hold other values than the plan, which goes by the raw ones.
    held = network.parameters_dict()
    values = {option: float(held[parameter].asnumpy()) for option, parameter in spec.parameter_options.items()}
    options = {**made_from.plan.options, **values}
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
    found, wanted = checkpoint_file.sha256(path), facts["checkpoint"]["sha256"]
    if found != wanted:
        raise UserError(
            f"{path} (SHA-256 {found[:12]}) is another checkpoint than that of the vectors ({wanted[:12]}, "
            f"{facts['checkpoint']['file']}); give that one"
        )
    soundness.check(path, content.chosen(facts["checkpoint"]["weights"]))
    plan = network_plan.plan_network(spec, content, options=options)
    return Source(content, plan, Preprocessing.from_dict(facts["preprocessing"]))
