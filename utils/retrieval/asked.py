"""An index for programs: `mindzoo.Index`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import index as indexes
from mindzoo.utils.retrieval.rows import leads_out


@dataclass(frozen=True)
class Match:
    """An image of an index."""

    path: str  # below the folder that was embedded
    score: float  # cosine
    rank: int  # from 1


class Embeds(Protocol):
    """What makes vectors of images, such as `mindzoo.Classifier`."""

    @property
    def facts(self) -> dict[str, Any]: ...

    def embed(self, images: Any) -> np.ndarray: ...


class Index:
    """A folder that `mindzoo index` wrote. Made by `open`."""

    def __init__(self, opened: indexes.Index) -> None:
        self._opened = opened

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Index:
        """Open an index.

        Raises:
            UserError: missing, damaged, or faiss is needed and absent.
        """
        return cls(indexes.open_index(Path(folder)))

    def __len__(self) -> int:
        return int(self._opened.facts["vectors"]["count"])

    def query(self, question: Any, classifier: Embeds | None = None, top_k: int = 10) -> list[list[Match]]:
        """The nearest images of each vector or image, best first.

        Args:
            question: vectors (Q, D) or (D,) as the network gives them; with a classifier, images as it takes them.
            classifier: of the checkpoint and the preprocessing that the index was made with.

        Raises:
            UserError: another classifier than the index's, vectors of another dimension, or top_k is less than 1.
        """
        if top_k < 1:
            raise UserError(f"top_k is {top_k}; wanted 1 or more")
        if classifier is not None:
            self._check(classifier)
            question = classifier.embed(question)
        vectors = self._vectors(question)
        scores, rows = self._opened.search(vectors, top_k)
        images = self._opened.images(rows.ravel())
        return [
            [
                Match(images[int(row)]["path"], float(score), rank)
                for rank, (score, row) in enumerate(zip(own_scores, own_rows, strict=True), 1)
                if row >= 0 and not leads_out(images[int(row)]["path"])
            ]
            for own_scores, own_rows in zip(scores, rows, strict=True)
        ]

    def _vectors(self, question: Any) -> np.ndarray:
        """(Q, D) float32.

        Raises:
            UserError: it is no such thing, or of another length than the vectors of the index.
        """
        try:
            vectors = np.atleast_2d(np.asarray(question, np.float32))
        except (ValueError, TypeError):
            raise UserError("the question is no vector; for pictures give a classifier too") from None
        dimension = self._opened.facts["vectors"]["dimension"]
        if vectors.ndim != 2 or vectors.shape[1] != dimension:
            raise UserError(f"the question is of the shape {vectors.shape}; wanted vectors of {dimension} numbers")
        if not np.isfinite(vectors).all():
            raise UserError("the question has numbers that are not finite")
        return vectors

    def _check(self, classifier: Embeds) -> None:
        """Only what made the vectors of an index can ask it."""
        own, other = self._opened.facts["vectors"], classifier.facts
        own_file, other_file = own["checkpoint"]["sha256"], other["checkpoint"]["sha256"]
        pairs = {
            "network": (own["network"], other["network"]),
            "checkpoint": (f"SHA-256 {own_file[:12]}", f"SHA-256 {other_file[:12]}"),
            "preprocessing": (own["preprocessing"], other["preprocessing"]),
        }
        for name, (wanted, found) in pairs.items():
            if wanted != found:
                raise UserError(f"{name} of the classifier is {found}, and that of {self._opened.folder} is {wanted}")
