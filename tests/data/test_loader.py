"""Which images are read, in which order, with which labels."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore.dataset import vision
from PIL import Image

from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data import bad_images
from mindzoo.utils.data.class_folders import ClassFolders, scan
from mindzoo.utils.data.loader import EvalData, TrainData, draw_probabilities
from mindzoo.utils.data.look import Prepare
from mindzoo.utils.data.transforms import Preprocessing, evaluation_operations, training_operations
from mindzoo.utils.errors import UserError
from mindzoo.utils.runtime import World

DECODE = [Prepare("stored"), vision.Decode()]
PLAIN = Preprocessing((32, 32), 0.8, "square", (0.5,) * 3, (0.5,) * 3)
# Names whose order differs between sorted names, sorted paths and sorted lower-case names.
NAMES = {
    "a": ["2.png", "10.png", "B.PNG", "a.png", "ü.png"],
    "a b": ["x.png", "y .png"],
    "a-b": ["1.bmp", "日本.png", "0.Png"],
    "B": ["one.png", "é.jpeg.png"],
    "犬": ["犬.png", "a.b.png"],
}


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> ClassFolders:
    """Every file holds its own index as its grey value times 10; other files lie beside them."""
    root = tmp_path_factory.mktemp("numbered") / "with space ü"
    for folder, names in NAMES.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).touch()
        (root / folder / "notes.txt").write_text("no image", encoding="utf-8")
        (root / folder / "._0.png").write_text("no image", encoding="utf-8")
    (root / "README.txt").write_text("no image", encoding="utf-8")
    folders = scan(root)
    for number, name in enumerate(folders.files):
        kind = "BMP" if name.endswith("bmp") else "PNG"
        Image.new("RGB", (4, 4), (number * 10,) * 3).save(root / name, kind)
    return folders


def train_data(folders: ClassFolders, operations: list[Any], **values: Any) -> TrainData:
    settings = {"batch_size": 2, "world": World(), "seed": 1, "workers": 2}
    return TrainData(folders, operations, **{**settings, **values})


def read(data: TrainData, epoch: int, first_step: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """All (images, labels) of an epoch: (steps, batch, ...)."""
    rows = list(data.epoch(epoch, first_step).create_tuple_iterator(num_epochs=1, output_numpy=True))
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])


def indices(images: np.ndarray) -> np.ndarray:
    """The files that undistorted images of `numbered` came from."""
    return images[:, :, 0, 0, 0] // 10


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_the_order_depends_on_seed_and_epoch_only(numbered: ClassFolders, batch: int) -> None:
    def order(seed: int, epoch: int, workers: int = 1) -> list[int]:
        data = train_data(numbered, [], batch_size=batch, seed=seed, workers=workers)
        return data.order(epoch).reshape(-1).tolist()

    first = order(1, 0)
    np.random.seed(5)
    assert order(1, 0, workers=2) == first
    assert order(1, 1) != first
    assert order(2, 0) != first


def test_asking_again_gives_the_same_order(numbered: ClassFolders) -> None:
    data = train_data(numbered, [])
    first = data.order(3)
    data.order(4)
    np.testing.assert_array_equal(data.order(3), first)


@pytest.mark.parametrize(("batch", "size", "steps"), [(2, 1, 7), (3, 1, 4), (2, 2, 3), (14, 1, 1), (2, 3, 2)])
def test_an_epoch_reads_every_image_at_most_once(numbered: ClassFolders, batch: int, size: int, steps: int) -> None:
    ranks = [train_data(numbered, [], batch_size=batch, world=World(rank, size)) for rank in range(size)]
    seen = np.concatenate([rank.order(2).reshape(-1) for rank in ranks])
    assert [rank.steps_per_epoch for rank in ranks] == [steps] * size
    assert len(set(seen.tolist())) == len(seen) == steps * batch * size
    assert set(seen.tolist()) <= set(range(14))


def test_over_the_epochs_every_image_is_read(numbered: ClassFolders) -> None:
    data = train_data(numbered, [], batch_size=4)
    assert {index for epoch in range(20) for index in data.order(epoch).reshape(-1).tolist()} == set(range(14))


def test_a_batch_larger_than_the_data(numbered: ClassFolders) -> None:
    with pytest.raises(UserError) as caught:
        train_data(numbered, [], batch_size=8, world=World(0, 2))
    assert str(caught.value) == (
        f"batch_size 8 on 2 ranks is more than the 14 images of {numbered.root}; use a smaller --batch_size"
    )


def test_files_and_labels_are_those_of_the_order(numbered: ClassFolders) -> None:
    data = train_data(numbered, DECODE)
    for epoch in (0, 1):
        images, labels = read(data, epoch)
        np.testing.assert_array_equal(indices(images), data.order(epoch))
        np.testing.assert_array_equal(labels, numbered.labels[data.order(epoch)])
    assert labels.dtype == np.int32


def test_labels_are_those_of_training_where_validation_lacks_a_class(numbered: ClassFolders, tmp_path: Path) -> None:
    root = tmp_path / "val"
    shutil.copytree(numbered.root, root)
    shutil.rmtree(root / "a")
    shutil.rmtree(root / "a-b")
    folders = scan(root, numbered.classes)
    found = [(images, labels) for images, labels, _ in EvalData(folders, DECODE, batch_size=3, world=World())]
    wanted = [numbered.files.index(name) for name in folders.files]
    read_files = np.concatenate([indices(images.asnumpy()[None])[0] for images, _ in found])
    labels = np.concatenate([labels.asnumpy() for _, labels in found])
    np.testing.assert_array_equal(read_files, wanted)
    np.testing.assert_array_equal(labels, numbered.labels[wanted])
    assert set(labels.tolist()) == {numbered.classes.index(name) for name in ("a b", "B", "犬")}


def test_two_ranks_see_what_one_with_twice_the_batch_sees(numbered: ClassFolders) -> None:
    alone = train_data(numbered, DECODE, batch_size=4)
    ranks = [train_data(numbered, DECODE, batch_size=2, world=World(rank, 2)) for rank in (0, 1)]
    images, labels = read(alone, 1)
    halves = [read(rank, 1) for rank in ranks]
    np.testing.assert_array_equal(np.concatenate([half[0] for half in halves], 1), images)
    np.testing.assert_array_equal(np.concatenate([half[1] for half in halves], 1), labels)


def test_first_step_continues_the_order(numbered: ClassFolders) -> None:
    data = train_data(numbered, DECODE)
    images, labels = read(data, 2)
    later, later_labels = read(data, 2, first_step=3)
    assert len(later) == 4
    np.testing.assert_array_equal(later, images[3:])
    np.testing.assert_array_equal(later_labels, labels[3:])


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_to_the_bit_for_seed_and_epoch(colors: Path, workers: int) -> None:
    operations = training_operations(TrainConfig(image_size=(32,), color_jitter=(0.4, 0.4, 0.4)))
    folders = scan(colors / "train")

    def batches(epoch: int, seed: int = 1) -> np.ndarray:
        return read(train_data(folders, operations, batch_size=6, seed=seed, workers=workers), epoch)[0]

    first = batches(0)
    assert first.shape == (6, 6, 3, 32, 32)
    assert first.dtype == np.float32
    for _ in range(3):
        np.testing.assert_array_equal(batches(0), first)
    assert not np.array_equal(batches(1), first)
    assert not np.array_equal(batches(0, seed=2), first)


def test_augmentation_differs_between_epochs_and_ranks_for_one_image(tmp_path: Path) -> None:
    for number in range(2):
        path = tmp_path / "data" / "a" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)).save(path)
    operations = training_operations(TrainConfig(image_size=(32,)))
    folders = scan(tmp_path / "data")

    def crop(epoch: int, rank: int) -> np.ndarray:
        data = train_data(folders, operations, batch_size=1, world=World(rank, 2), workers=1)
        return read(data, epoch)[0]

    assert not np.array_equal(crop(0, 0), crop(1, 0))
    assert not np.array_equal(crop(0, 0), crop(0, 1))


def evaluated(data: Sequence[EvalData]) -> list[list[tuple[int, int]]]:
    """(file, label) of every image that counts, for each rank."""
    ranks = []
    for rank in data:
        rows: list[tuple[int, int]] = []
        for images, labels, mask in rank:
            assert images.shape[0] == labels.shape[0] == len(mask) == rank.batch_size
            assert mask.dtype == np.float32
            files = indices(images.asnumpy()[None])[0]
            rows += [(int(f), int(n)) for f, n, m in zip(files, labels.asnumpy(), mask, strict=True) if m]
        ranks.append(rows)
    return ranks


@pytest.mark.parametrize(("size", "batch"), [(1, 4), (1, 14), (1, 50), (2, 4), (3, 2), (3, 5)])
def test_evaluation_covers_each_image_once(numbered: ClassFolders, size: int, batch: int) -> None:
    ranks = [EvalData(numbered, DECODE, batch_size=batch, world=World(r, size), workers=1) for r in range(size)]
    assert len({rank.batches for rank in ranks}) == 1
    assert all(len(rank.indices) == rank.batches * batch for rank in ranks)
    found = evaluated(ranks)
    assert [row[0] for row in found[0]] == list(range(0, 14, size))
    assert sorted(row for rank in found for row in rank) == list(enumerate(numbered.labels.tolist()))


def test_more_ranks_than_images_have_equally_many_batches(numbered: ClassFolders) -> None:
    ranks = [EvalData(numbered, DECODE, batch_size=2, world=World(rank, 16)) for rank in range(16)]
    assert {rank.batches for rank in ranks} == {1}
    assert [rank.valid for rank in ranks] == [1] * 14 + [0, 0]
    assert evaluated(ranks[15:]) == [[]]


def test_evaluation_can_be_repeated(numbered: ClassFolders) -> None:
    data = EvalData(numbered, DECODE, batch_size=4, world=World())
    assert evaluated([data]) == evaluated([data])


@pytest.mark.parametrize("name", ["bad.png", "bad ü.jpg", "Error in 3. try.png"])
@pytest.mark.parametrize("kind", ["evaluation", "training"])
def test_an_unreadable_image_is_named(colors: Path, tmp_path: Path, name: str, kind: str) -> None:
    root = tmp_path / "broken data"
    shutil.copytree(colors / "val", root)
    (root / "green" / name).write_text("this is no image", encoding="utf-8")
    folders = scan(root)

    def read_all() -> None:
        if kind == "evaluation":
            list(EvalData(folders, evaluation_operations(PLAIN), batch_size=4, world=World()))
        else:
            operations = training_operations(TrainConfig(image_size=(32,)))
            read(train_data(folders, operations, batch_size=len(folders)), 0)

    with pytest.raises(UserError) as caught, bad_images.named(folders):
        read_all()
    wanted = "is no image; JPEG, PNG, BMP, TIFF, WebP and GIF are read"
    assert str(caught.value) == f"{root / 'green' / name} {wanted}; {bad_images.REMEDY}"


@pytest.mark.parametrize("kind", ["evaluation", "training"])
@pytest.mark.parametrize("change", ["gone", "all gone", "a folder", "new"])
def test_an_image_that_went_is_named_and_one_that_came_changes_nothing(
    colors: Path, tmp_path: Path, kind: str, change: str
) -> None:
    """MindSpore's own reader would number them anew: one more makes each pass read others than it says."""
    root = tmp_path / "data"
    shutil.copytree(colors / "val", root)
    folders = scan(root)
    data: Any = (
        EvalData(folders, evaluation_operations(PLAIN), batch_size=4, world=World())
        if kind == "evaluation"
        else train_data(folders, training_operations(TrainConfig(image_size=(32,))), batch_size=4)
    )

    def read_all() -> Any:
        return [rows[0].asnumpy() for rows in data] if kind == "evaluation" else read(data, 0)[0]

    before = read_all()
    image = root / "green" / "003.png"
    if change == "new":
        shutil.copy(image, image.with_name("0035.png"))
        np.testing.assert_array_equal(read_all(), before)
        return
    if change == "all gone":
        shutil.rmtree(root)
    else:
        image.unlink()
        if change == "a folder":
            image.mkdir()
    with pytest.raises(UserError) as caught, bad_images.named(folders):
        read_all()
    wanted = {"gone": f"{image} cannot be opened: No such file", "a folder": f"{image} is a folder; replace or remove"}
    assert wanted.get(change, "cannot be opened: No such file or directory; put it back") in str(caught.value)


def test_an_image_that_cannot_be_opened_is_named(colors: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(colors / "val", root)
    image, target = root / "green" / "003.png", tmp_path / "elsewhere.png"
    shutil.move(image, target)
    image.symlink_to(target)
    data = EvalData(scan(root), evaluation_operations(PLAIN), batch_size=4, world=World())
    target.unlink()
    with pytest.raises(UserError, match=rf"^{image} cannot be opened: No such file"):
        list(data)


def test_other_errors_pass_through() -> None:
    with pytest.raises(RuntimeError, match=r"^out of memory$"), bad_images.named():
        raise RuntimeError("out of memory")


def test_draw_probabilities() -> None:
    labels = np.array([0] * 9 + [1], np.int32)
    np.testing.assert_allclose(draw_probabilities(labels, "balanced"), [1 / 18] * 9 + [1 / 2])
    np.testing.assert_allclose(draw_probabilities(labels, "square_root"), [1 / 12] * 9 + [1 / 4])


@pytest.mark.parametrize("sampling", ["balanced", "square_root"])
def test_sampling_follows_the_probabilities_and_the_seed(numbered: ClassFolders, sampling: str) -> None:
    data = train_data(numbered, evaluation_operations(PLAIN), batch_size=2, sampling=sampling)
    drawn = np.concatenate([data.order(epoch).ravel() for epoch in range(400)])
    share = np.bincount(numbered.labels[drawn], minlength=2) / len(drawn)
    wanted = np.bincount(numbered.labels, weights=draw_probabilities(numbered.labels, sampling))
    np.testing.assert_allclose(share, wanted, atol=0.04)
    np.testing.assert_array_equal(data.order(3), train_data(numbered, [], sampling=sampling).order(3))
    assert len(read(data, 0)[1]) == data.steps_per_epoch


@pytest.mark.parametrize(
    ("batch", "size", "repeats", "steps"), [(6, 1, 3, 2), (4, 1, 2, 3), (4, 2, 4, 1), (3, 2, 3, 2)]
)
def test_copies_of_an_image_follow_each_other_in_one_batch(
    numbered: ClassFolders, batch: int, size: int, repeats: int, steps: int
) -> None:
    """And no image is in an epoch twice over: it has as many steps as without copies, and a share of the images."""
    ranks = [
        train_data(numbered, DECODE, batch_size=batch, world=World(rank, size), repeats=repeats) for rank in range(size)
    ]
    assert [rank.steps_per_epoch for rank in ranks] == [14 // (batch * size)] * size == [steps] * size
    groups = np.concatenate([rank.order(1) for rank in ranks]).reshape(-1, repeats)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0].tolist())) == len(groups) == steps * batch * size // repeats
    for rank in ranks:
        images, labels = read(rank, 1)
        np.testing.assert_array_equal(indices(images), rank.order(1))
        np.testing.assert_array_equal(labels, numbered.labels[rank.order(1)])


def test_copies_are_changed_each_in_its_own_way(colors: Path) -> None:
    operations = training_operations(TrainConfig(image_size=(32,)))
    data = train_data(scan(colors / "train"), operations, batch_size=6, repeats=3)
    images, labels = read(data, 0)
    groups = images.reshape(-1, 3, *images.shape[2:])
    assert (labels.reshape(-1, 3).std(1) == 0).all()
    assert not any(np.array_equal(group[a], group[b]) for group in groups for a, b in [(0, 1), (0, 2), (1, 2)])
    np.testing.assert_array_equal(read(data, 0)[0], images)


def test_each_epoch_has_its_own_share_of_the_images(numbered: ClassFolders) -> None:
    data = train_data(numbered, [], batch_size=6, repeats=3)
    shares = [set(data.order(epoch).ravel().tolist()) for epoch in range(20)]
    assert [len(share) for share in shares] == [4] * 20
    assert len({frozenset(share) for share in shares}) > 10
    assert set().union(*shares) == set(range(14))
    np.testing.assert_array_equal(data.order(3), train_data(numbered, [], batch_size=6, repeats=3).order(3))
    assert shares != [
        set(train_data(numbered, [], batch_size=6, repeats=3, seed=2).order(e).ravel()) for e in range(20)
    ]


def test_two_ranks_see_the_copies_that_one_with_twice_the_batch_sees(numbered: ClassFolders) -> None:
    alone = train_data(numbered, DECODE, batch_size=6, repeats=3)
    ranks = [train_data(numbered, DECODE, batch_size=3, world=World(r, 2), repeats=3) for r in (0, 1)]
    halves = [read(rank, 4)[0] for rank in ranks]
    np.testing.assert_array_equal(np.concatenate(halves, 1), read(alone, 4)[0])


def test_copies_go_on_in_the_middle_of_an_epoch(numbered: ClassFolders) -> None:
    data = train_data(numbered, DECODE, batch_size=3, repeats=3)
    np.testing.assert_array_equal(read(data, 2, first_step=2)[0], read(data, 2)[0][2:])


def test_copies_of_images_that_are_drawn_by_class(numbered: ClassFolders) -> None:
    data = train_data(numbered, [], batch_size=6, repeats=3, sampling="balanced")
    groups = np.concatenate([data.order(epoch) for epoch in range(200)]).reshape(-1, 3)
    assert (groups == groups[:, :1]).all()
    share = np.bincount(numbered.labels[groups[:, 0]], minlength=5) / len(groups)
    np.testing.assert_allclose(share, 1 / 5, atol=0.05)


@pytest.mark.parametrize(("batch", "repeats", "near"), [(32, 3, 33), (31, 3, 30), (1, 4, 4), (5, 2, 4)])
def test_a_batch_that_is_no_multiple_of_the_copies_is_refused(batch: int, repeats: int, near: int) -> None:
    with pytest.raises(UserError) as caught:
        TrainConfig(batch_size=batch, repeats=repeats)
    assert str(caught.value) == (
        f"batch_size is {batch}, and each image is in it {repeats} times (repeats); wanted a multiple of {repeats}: "
        f"use {near}"
    )
