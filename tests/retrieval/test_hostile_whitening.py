"""Whitenings of somebody else: damaged ones are refused in a sentence, before memory is asked for."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.retrieval_files import FACTS, npy, refused, saved
from mindzoo.utils.retrieval import whitening

COUNT, LENGTH = 40, 6
DEEP = "[" * 100_000


def archived(*changes: tuple[str, bytes | None], compress: int = zipfile.ZIP_STORED) -> bytes:
    """A whitening whose arrays are changed, added or, for None, taken away."""
    arrays = {
        "mean": saved(np.zeros(LENGTH, "<f4")),
        "components": saved(np.eye(4, LENGTH, dtype="<f4")),
        "explained_variance": saved(np.ones(4)),
        "facts": saved(np.array(json.dumps({**FACTS, "count": COUNT, "dimension": LENGTH}))),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as archive:
        for name, content in {**arrays, **dict(changes)}.items():
            if content is not None:
                archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def facts(**values: Any) -> tuple[str, bytes]:
    return "facts", saved(np.array(json.dumps({**FACTS, "count": COUNT, "dimension": LENGTH, **values})))


PLAIN = archived()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PK\3\4", "it is no file of arrays"),
        (PLAIN[:-1], "it is no file of arrays, or ends too early"),
        (PLAIN + b"x", "it is no file of arrays, or ends too early"),
        (PLAIN[:100] + b"\xff\xff" + PLAIN[102:], "Bad CRC-32|its head is not that"),
        (archived(compress=zipfile.ZIP_DEFLATED), "is compressed"),
        (archived(("mean", saved(np.zeros(10**7, "<f4"))), compress=zipfile.ZIP_DEFLATED), "is compressed"),
        (archived(("more", saved(np.zeros(2)))), "it has 5 arrays instead of 4"),
        (archived(("mean", None)), "it has 3 arrays instead of 4"),
        (archived(("mean", None), ("more", saved(np.zeros(2)))), "There is no item named"),
        (
            archived(("mean", npy("(1000000000000,)"))),
            "mean.npy in it has .* bytes and speaks of 4,000,000,000,080",
        ),
        (archived(("mean", saved(np.array([{}] * LENGTH, object)))), "its head is not that of a NumPy file"),
        (archived(("mean", pickle.dumps(os.getpid))), "its head is not that of a NumPy file"),
        (archived(("mean", saved(np.zeros(5, "<f4")))), "its arrays do not fit each other"),
        (archived(("mean", saved(np.zeros(LENGTH)))), "its arrays do not fit each other"),
        (archived(("mean", saved(np.zeros(LENGTH, "<f4") + np.float32("nan")))), "numbers that are not finite"),
        (archived(("components", saved(np.zeros((7, LENGTH), "<f4")))), "its arrays do not fit each other"),
        (archived(("components", saved(np.float32(1)))), "its arrays do not fit each other"),
        (archived(("explained_variance", saved(np.zeros(4)))), "or variances of nothing"),
        (archived(("explained_variance", saved(np.array([1, 1, 1, np.inf])))), "numbers that are not finite"),
        (archived(("facts", saved(np.array("[")))), "is not JSON"),
        (archived(("facts", saved(np.array(DEEP)))), "nests more than 50 levels deep"),
        (archived(("facts", saved(np.zeros(3)))), "is damaged: it says nothing of the vectors"),
        (archived(("facts", saved(np.array("5")))), "is damaged: it says nothing of the vectors"),
        (archived(("facts", npy("()", "<U1", b"\xff\xff\xff\xff"))), "is no whitening, or damaged"),
        (archived(facts(dimension=5)), "its arrays do not fit each other"),
        (archived(facts(dimension=0)), "dimension is 0; wanted a number from 1"),
        (archived(facts(checkpoint=None)), "checkpoint is missing; wanted an object"),
    ],
)
def test_a_damaged_whitening_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "w.npz").write_bytes(PLAIN)
    assert whitening.read_whitening(tmp_path / "w.npz").dimension == 4
    (tmp_path / "w.npz").write_bytes(raw)
    refused(lambda: whitening.read_whitening(tmp_path / "w.npz"), said)
