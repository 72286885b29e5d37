"""Several pictures as one question, and what the page shows of what the network saw."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.support.retrieval_files import FACTS, HOW, write_vectors
from mindzoo.utils.data.transforms import Preprocessing, seen
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import index, page, whitening
from mindzoo.utils.retrieval.encoder import Encoder
from mindzoo.utils.retrieval.keys import IndexConfig
from mindzoo.utils.retrieval.vectors import open_vectors

VALUES = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32) * np.geomspace(
    1, 0.1, 6, dtype=np.float32
)


@pytest.mark.parametrize("whitened", [False, True])
def test_the_answers_are_in_the_order_of_their_mean_cosine(whitened: bool) -> None:
    path = write_vectors(Path("v.npy"), VALUES)
    whitening.fit(open_vectors(path)).save(Path("w.npz"))
    found = index.build(IndexConfig((str(path),), output="i", whitening="w.npz" if whitened else ""))
    questions = VALUES[:3] * np.array([[9], [1], [0.1]], np.float32)  # how long a vector is does not weigh
    scores, rows = found.search(questions, 50, together=True)
    alone, places = found.search(questions, 50)
    cosines = np.zeros((3, 50))
    np.put_along_axis(cosines, places, alone, axis=1)
    assert scores.shape == (1, 50)
    np.testing.assert_array_equal(rows[0], np.argsort(-cosines.mean(axis=0)))
    np.testing.assert_allclose(np.diff(scores[0] / cosines.mean(axis=0)[rows[0]]), 0, atol=2e-3)  # one length for all


def test_pictures_that_cancel_each_other_out_are_no_question() -> None:
    found = index.build(IndexConfig((str(write_vectors(Path("v.npy"), VALUES)),), output="i"))
    with pytest.raises(UserError, match="cancel each other out; ask without --together"):
        found.search(np.array([[1], [-1]], np.float32) * VALUES[:1], 3, together=True)


def pixels(text: str, label: str) -> np.ndarray:
    """Of the picture of a page with this text."""
    (source,) = re.findall(f'<img src="data:image/jpeg;base64,([^"]*)" alt="{re.escape(label)}">', text)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))), np.float32)


def test_what_the_network_saw_is_turned_and_cut_as_it_was() -> None:
    """A picture with a red left, whose mark says that it is to be turned: red is on top, and only the middle is seen."""
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, :40, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save("turned.png", exif=exif)
    how = Preprocessing((16, 16), 0.5, "shorter", HOW.mean, HOW.std, "exif")
    facts = {
        "vectors": {**FACTS, "preprocessing": how.to_dict(), "count": 1},
        "dimension": 6,
        "kind": "exact",
        "whitening": False,
    }
    given: list[np.ndarray] = []

    class Forward:
        def prepare(self, shape: tuple[int, ...]) -> None: ...

        def __call__(self, images: np.ndarray) -> np.ndarray:
            given.append(images.copy())
            return np.ones((len(images), 6), np.float32)

    crops = page.Crops(facts)
    list(Encoder(Forward(), how, 2, witness=crops.take).encode([Path("turned.png")]))
    result = {"rank": 1, "score": 1.0, "path": "turned.png", "folder": ""}
    page.write(Path("p.html"), "", facts, [{"image": "turned.png", "results": [result]}], crops)
    text = Path("p.html").read_text()
    for label in ("Query: turned.png", "turned.png"):
        crop = pixels(text, f"{label}, as the network saw it")
        assert np.abs(crop - seen(given[0][0], how)).mean() < 4  # JPEG
        assert crop[0, 0, 0] > 200
        assert crop[-1, 0, 0] < 50
    assert text.count("<input") == text.count('<label for="crops">') == 1
