"""The sheet of a batch: the pictures that a training gets, their classes, and both classes of mixed ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.models import get_spec
from mindzoo.tests.support.trainings import PLAIN_IMAGES, tiny, write_images
from mindzoo.utils.config import reading
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.drawing import contact_sheet
from mindzoo.utils.drawing.contact_sheet import DIM, INK, MARGIN, SIDE
from mindzoo.utils.inspection import show_batch
from mindzoo.utils.inspection.show_batch import Batch
from mindzoo.utils.learning import mixing
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup

HOSTILE = ("<script>alert(1)<", "$x^2$ \\frac{1}", "水果", "\x1b[31mred\nline", "عربي", "x" * 200)


def flags(data: Path, *more: str) -> list[str]:
    return [
        *tiny(),
        *PLAIN_IMAGES,
        "--color_jitter",
        "",
        "--batch_size",
        "6",
        "--max_epoch",
        "2",
        "--data_dir",
        str(data),
        *more,
    ]


def test_it_is_what_a_step_gets_and_mixes(colors: Path) -> None:
    """In the second epoch, the pictures of the pipeline and the draws of that step, by NumPy."""
    words = flags(colors / "train", "--mixup", "1")
    config = reading.read_config(get_spec("densenet121").train_config, words).config
    data = setup.open_data(config, World()).train
    found = show_batch.batch_of(config, data, 8, 12)
    images, labels = list(data.epoch(1).create_tuple_iterator(num_epochs=1, output_numpy=True))[2]
    share = mixing.draw(12, (32, 32), mixup=1, cutmix=0, probability=1, seed=(1, 0, 2)).shares[8]
    assert found.share == share != 1
    np.testing.assert_array_equal(found.images, images * share + images[::-1] * (np.float32(1) - share))
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.partners, labels[::-1])


def test_a_mixed_image_has_both_classes_and_their_shares() -> None:
    images = np.zeros((3, 3, 4, 4), np.float32)
    how = Preprocessing((4, 4), 1.0, "square", (0.5,) * 3, (0.5,) * 3)
    labels = np.array([0, 1, 1]), np.array([1, 1, 0])
    tiles = show_batch.tiles(Batch(images, *labels, 0.7), ("cat", "dog"), how)
    assert [tile.lines for tile in tiles] == [
        (("70% cat", INK), ("30% dog", DIM)), (("dog", INK),), (("70% dog", INK), ("30% cat", DIM)),
    ]  # fmt: skip
    assert np.asarray(tiles[0].picture()).tolist() == np.full((4, 4, 3), 128).tolist()
    plain = show_batch.tiles(Batch(images, *labels, 1.0), ("cat", "dog"), how)
    assert [tile.lines for tile in plain] == [(("cat", INK),), (("dog", INK),), (("dog", INK),)]


def test_the_command_draws_classes_of_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in HOSTILE:
        write_images(tmp_path / "data" / name, (200, 30, 30), 2)
    words = flags(tmp_path / "data", "--batch_size", "12", "--output", "shown.png", "--at_step", "1")
    assert cli.main(["show-batch", "densenet121", *words]) == 0
    assert "wrote shown.png: 12 images of step 1 of epoch 2, not mixed" in capsys.readouterr().out
    with Image.open("shown.png") as drawn:
        assert drawn.size == (4 * (SIDE + MARGIN) + MARGIN, drawn.height)
        red = np.asarray(drawn.convert("RGB")).astype(int)[MARGIN + SIDE // 2, MARGIN : MARGIN + SIDE]
    assert np.abs(red.mean(0) - (200, 30, 30)).max() < 25


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--at_step", "12"], "at_step is 12, and the training has 12 steps (2 of 6); wanted 11 at most"),
        (["--output", "x.jpg"], "output is x.jpg; wanted a name that ends in .png"),
        (["--output", "none/x.png"], "output is none/x.png"),
    ],
)
def test_what_cannot_be_drawn(colors: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show-batch", "densenet121", *flags(colors / "train", *more)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1


def test_a_sheet_shows_the_first_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_sheet, "MOST_PICTURES", 2)
    tile = contact_sheet.Tile(lambda: "gone", (("name", INK),))
    contact_sheet.write(tmp_path / "sheet.png", [tile] * 5)
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.width == 2 * (SIDE + MARGIN) + MARGIN
        assert drawn.height < 2 * SIDE
