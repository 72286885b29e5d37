"""PCA whitening of vectors: every direction in which they vary gets the same variance.

Jegou and Chum 2012, "Negative evidences and co-occurences in image retrieval: the benefit of PCA and whitening",
https://doi.org/10.1007/978-3-642-33709-3_55: directions in which all images vary together say little about which
images show the same thing, and count as much as any other afterwards. With x a vector of length 1,

    y = diag(l1, ..., lK)^(-1/2) P (x - m)        divided by its length,

where m is the mean, the rows of P are the K directions of largest variance, and l1 >= ... >= lK their variances.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import progress
from mindzoo.utils.config.json_file import parse_json
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_file, said_of, whole_file
from mindzoo.utils.log import logger
from mindzoo.utils.pca import principal_components
from mindzoo.utils.retrieval.arrays import read_arrays
from mindzoo.utils.retrieval.facts import check_facts
from mindzoo.utils.retrieval.keys import WhitenConfig
from mindzoo.utils.retrieval.search import blocks, normalised
from mindzoo.utils.retrieval.vectors import Vectors, check_same_source, open_vectors

ROWS = 4096


@dataclass(frozen=True)
class VectorWhitening:
    """A whitening of vectors of dimension D to dimension K, and the facts of the vectors it was fitted on."""

    mean: np.ndarray  # (D,) float32
    components: np.ndarray  # (K, D) float32, rows of length 1
    explained_variance: np.ndarray  # (K,) float64, largest first
    facts: dict[str, Any]

    @property
    def dimension(self) -> int:
        """K."""
        return len(self.components)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) float32, of any length -> (N, K) float32 of length 1."""
        scaled = (self.components / np.sqrt(self.explained_variance)[:, None]).astype(np.float32)
        return normalised((normalised(vectors) - self.mean) @ scaled.T)

    def equals(self, other: VectorWhitening) -> bool:
        """Whether the numbers of both are the same."""
        names = ("mean", "components", "explained_variance")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def save(self, path: Path) -> None:
        """Write a .npz file, complete or not at all.

        Raises:
            UserError: it cannot be written.
        """
        with said_of(path), whole_file(path) as unfinished:
            np.savez(
                unfinished,
                mean=self.mean,
                components=self.components,
                explained_variance=self.explained_variance,
                facts=np.array(json.dumps(self.facts)),
            )


def whiten(config: WhitenConfig) -> VectorWhitening:
    """Fit a whitening on a file of vectors and write it.

    Raises:
        UserError: a file cannot be read or written, or the vectors do not vary in so many directions.
    """
    source, target = Path(config.vectors[0]), _target(config)
    found = fit(open_vectors(source), config.dimension)
    found.save(target)
    count, length = found.facts["count"], found.facts["dimension"]
    logger.info("wrote %s: from %d to %d numbers, fitted on %d vectors", target, length, found.dimension, count)
    if count <= length:
        logger.warning(
            "%d vectors are few for %d directions; more, or a smaller --dimension, fit better", count, length
        )
    return found


def fit(vectors: Vectors, dimension: int = 0) -> VectorWhitening:
    """The whitening of `vectors`, read in blocks, to `dimension` numbers; 0: every direction in which they vary.

    Raises:
        UserError: they vary in fewer directions.
    """
    count, length = vectors.array.shape
    if dimension > length:
        raise UserError(f"dimension is {dimension}, and the vectors have {length} numbers; wanted at most that")
    with progress.of("whiten", 2 * count, "vectors") as work:  # read twice: for their mean, and for what is around it

        def read() -> Iterator[np.ndarray]:
            for some in blocks(count, ROWS):
                yield normalised(vectors.rows(some))
                work.advance(some.stop - some.start)

        found = principal_components(read)
    kept = len(found.directions)
    if not kept or dimension > kept:
        raise UserError(
            f"the {count} vectors vary in {kept} directions, and {dimension or 'at least 1'} are wanted; "
            "use more images or a smaller --dimension"
        )
    kept = dimension or kept
    # A whitening travels with an index: it says of which kind the images were, not where they lie on this machine.
    facts = {name: value for name, value in vectors.facts.items() if name not in ("unreadable", "images")}
    mean, components = found.mean.astype(np.float32), found.directions[:kept].astype(np.float32)
    return VectorWhitening(mean, components, found.variances[:kept], facts)


def read_whitening(path: Path) -> VectorWhitening:
    """Read what `Whitening.save` wrote.

    Raises:
        UserError: missing or something else.
    """
    if not path.is_file():
        raise UserError(f"the whitening {path} is {'a folder' if path.is_dir() else 'missing'}; wanted a file")
    if not path.stat().st_size:
        raise UserError(f"the whitening {path} is empty; wanted what mindzoo whiten wrote")
    wanted = "wanted what mindzoo whiten wrote"
    try:
        mean, components, variance, text = read_arrays(path, ("mean", "components", "explained_variance", "facts"))
        # Not by way of `str`: of bytes that are no text NumPy makes an error of the interpreter.
        facts: Any = parse_json(text.tobytes().decode("utf-32-le")) if text.dtype.kind == "U" else None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; {wanted}") from None
    except ValueError as error:
        raise UserError(f"{path} is no whitening, or damaged ({error}); {wanted}") from None
    check_facts(path, facts)
    length, kept = facts["dimension"], components.size // facts["dimension"]
    found = [(array.dtype.str, array.shape) for array in (mean, components, variance)]
    if found != [("<f4", (length,)), ("<f4", (kept, length)), ("<f8", (kept,))] or not 0 < kept <= length:
        raise UserError(f"{path} is no whitening, or damaged (its arrays do not fit each other); {wanted}")
    if not (
        np.isfinite(mean).all() and np.isfinite(components).all() and np.isfinite(variance).all() and variance.min() > 0
    ):
        raise UserError(f"{path} holds numbers that are not finite, or variances of nothing; {wanted}")
    return VectorWhitening(mean, components, variance, facts)


def fitting(path: str, facts: Mapping[str, Any], of: str) -> VectorWhitening | None:
    """The whitening in the file `path`, for vectors with `facts`; None where `path` is empty.

    Raises:
        UserError: it was fitted on vectors of another network, checkpoint or preprocessing.
    """
    if not path:
        return None
    found = read_whitening(Path(path))
    check_same_source(found.facts, facts, f"the whitening {path}", of)
    return found


def _target(config: WhitenConfig) -> Path:
    if not config.output:
        raise UserError("output is not given; wanted the file to write: --output FILE.npz")
    target = Path(config.output if Path(config.output).suffix else f"{config.output}.npz")
    check_file("output", target, (".npz",), overwrite=config.overwrite)
    return target
