"""The batches of a whole run as one data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from mindspore import dataset as ds

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data import stream
from mindzoo.utils.data.class_folders import scan
from mindzoo.utils.data.loader import TrainData
from mindzoo.utils.data.stream import Batches, OneDataSet
from mindzoo.utils.data.transforms import training_operations
from mindzoo.utils.errors import UserError
from mindzoo.utils.runtime import World


def augmented(root: Path) -> TrainData:
    """Six batches in an epoch, of images that are changed at random."""
    config = TrainConfig(image_size=(32, 32), crop_scale=(0.3, 1.0))
    return TrainData(scan(root), training_operations(config), batch_size=6, world=World(), seed=1, workers=2)


@pytest.mark.parametrize(("epoch", "first_step", "count"), [(0, 0, 12), (1, 4, 5), (0, 6, 1)])
def test_the_images_are_those_of_one_epoch_after_the_other(
    colors: Path, epoch: int, first_step: int, count: int
) -> None:
    """To the bit; they may begin within an epoch or at its end, and end within one."""
    data = augmented(colors / "train")
    together = OneDataSet(Batches(data, epoch=epoch, first_step=first_step, count=count), (32, 32))
    assert together.get_dataset_size() == count
    rows = list(together.create_tuple_iterator(num_epochs=1, output_numpy=True))
    apart = [
        row
        for number in range(epoch, epoch + 3)
        for row in data.epoch(number).create_tuple_iterator(num_epochs=1, output_numpy=True)
    ][first_step:][:count]
    assert len(rows) == count
    for (images, labels), (wanted, names) in zip(rows, apart, strict=True):
        assert np.array_equal(images, wanted)
        assert np.array_equal(labels, names)


def test_shapes_and_types_are_those_that_mindspore_finds(colors: Path) -> None:
    together = OneDataSet(Batches(augmented(colors / "train"), epoch=0, first_step=0, count=1), (32, 32))
    assert together.output_shapes() == ds.Dataset.output_shapes(together) == [[6, 3, 32, 32], [6]]
    assert together.output_types() == ds.Dataset.output_types(together)


def test_a_bad_image_is_named_where_mindspore_says_that_something_was_interrupted(colors: Path, tmp_path: Path) -> None:
    """It says no more to the thread that asks for batches; and a device that gets none says nothing of images at all."""
    root = Path(shutil.copytree(colors / "train", tmp_path / "train"))
    data = augmented(root)
    bad = data.folders.root / data.folders.files[data.order(0)[2, 3]]
    bad.write_bytes(bad.read_bytes()[:300])
    batches = Batches(data, epoch=0, first_step=0, count=12)
    with pytest.raises(RuntimeError):
        list(OneDataSet(batches, (32, 32)).create_tuple_iterator(num_epochs=1))
    assert isinstance(batches.error, RuntimeError)
    found = batches.why(RuntimeError(f"{stream.INTERRUPTED}. "))
    assert isinstance(found, UserError)
    assert str(found).startswith(f"{bad} is cut off: its end is missing; replace or remove it")
    other = RuntimeError("the device is gone")
    assert batches.why(other) is other
