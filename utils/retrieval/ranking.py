"""How well the cosine of vectors ranks what belongs together: mean average precision and its kin.

Every image takes part in the ranking; of equal cosines the image that comes first in the file comes first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils import progress
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import check_output, write_json
from mindzoo.utils.log import logger
from mindzoo.utils.retrieval import whitening
from mindzoo.utils.retrieval.index import prepare
from mindzoo.utils.retrieval.keys import EvaluateRetrievalConfig
from mindzoo.utils.retrieval.protocols import PROTOCOLS, Query
from mindzoo.utils.retrieval.search import blocks
from mindzoo.utils.retrieval.vectors import open_vectors

SCORES_AT_ONCE = 1 << 26  # float32 numbers: a quarter of a gigabyte


def evaluate(config: EvaluateRetrievalConfig) -> dict[str, Any]:
    """Evaluate a file of vectors by one of the protocols; log the means in a line.

    Returns:
        {"protocol", "network", "vectors", "whitening", "images", "queries", "means": {name: value},
        "values": [{"path", name: value}, …], one for each query}.

    Raises:
        UserError: a file cannot be read or written, the whitening is of other vectors, or the names of the images
            are not those of the data set.
    """
    source = Path(config.vectors[0])
    check_output("output", config.output, (".json",))
    found = open_vectors(source)
    applied = whitening.fitting(config.whitening, found.facts, str(source))
    protocol = PROTOCOLS[config.protocol]
    paths = [image["path"] for image in found.images()]
    queries = protocol.queries(paths)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            prepared = prepare(found, applied, Path(scratch) / "vectors.npy")
            placed = places(prepared, queries, counts_itself=protocol.counts_itself)
            ranked = progress.each(placed, "evaluate-retrieval", len(queries), "queries")
            values = [protocol.values(of_query) for of_query in ranked]
    except OSError as error:
        raise UserError(
            f"cannot write a copy of the vectors into {tempfile.gettempdir()}: {error.strerror}; name another folder "
            "in the variable TMPDIR"
        ) from None
    means = {name: float(np.mean([value[name] for value in values])) for name in values[0]}
    shown = ", ".join(f"mean {name} {value:.4f}" for name, value in means.items())
    logger.info("%s: %s; %d queries, %d images", config.protocol, shown, len(queries), len(paths))
    result = {
        "protocol": config.protocol,
        "network": found.facts["network"],
        "vectors": str(source),
        "whitening": config.whitening,
        "images": len(paths),
        "queries": len(queries),
        "means": means,
        "values": [{"path": paths[query.row], **value} for query, value in zip(queries, values, strict=True)],
    }
    if config.output:
        write_json(Path(config.output), result)
        logger.info("wrote %s", config.output)
    return result


def places(vectors: np.ndarray, queries: Sequence[Query], *, counts_itself: bool) -> Iterator[np.ndarray]:
    """For each query where its positives stand in the ranking of all rows, from 0, ascending.

    Args:
        vectors: (N, D) float32 of length 1.
        counts_itself: leave the query in the ranking.
    """
    for some in blocks(len(queries), max(SCORES_AT_ONCE // len(vectors), 1)):
        block = queries[some]
        scores = vectors[[query.row for query in block]] @ vectors.T
        for query, line in zip(block, scores, strict=True):
            if not counts_itself:
                line[query.row] = -np.inf
            candidates = np.flatnonzero(line >= line[query.positives].min())
            ranking = candidates[np.argsort(-line[candidates], kind="stable")]
            yield np.flatnonzero(np.isin(ranking, query.positives))
