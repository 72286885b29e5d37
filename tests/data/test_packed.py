"""A pack is read as the class folders that it was made of: the same images, names, labels and errors."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore.dataset as ds
import numpy as np
import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.utils.config.image_keys import BadImageKeys
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data import bad_images, data_set, listing, pack_files, skip_list
from mindzoo.utils.data.image_set import ImageSet
from mindzoo.utils.data.loader import EvalData, TrainData
from mindzoo.utils.data.packed import Packed
from mindzoo.utils.data.transforms import Preprocessing, evaluation_operations, training_operations
from mindzoo.utils.errors import UserError
from mindzoo.utils.files import sha256
from mindzoo.utils.runtime import World

PLAIN = Preprocessing((32, 32), 1.0, "square", (0.0,) * 3, (1.0,) * 3)
SKIP, STOP = BadImageKeys(on_bad_image="skip"), BadImageKeys()
ODD = os.fsdecode(b"\xc4\xe3.png")  # no UTF-8


@pytest.fixture(scope="module")
def places(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Class folders with odd names in them, and their pack of several shards."""
    root = Path(shutil.copytree(colors, tmp_path_factory.mktemp("packed") / "colors ü"))
    shutil.move(root / "train" / "green" / "003.png", root / "train" / "green" / ODD)
    Image.effect_noise((1500, 1200), 99).save(
        root / "train" / "green" / "large\n.BMP"
    )  # 1.8 MB: a shard ends behind it
    Image.effect_noise((60, 50), 50).save(root / "val" / "red" / "B.Jpg", "JPEG")
    (root / "train" / "red" / "notes.txt").write_text("no image")
    out = root.parent / "out"
    assert cli.main(["pack", str(root), str(out), "--shard_mb", "1", "--workers", "2"]) == 0
    return root, out


def both(places: tuple[Path, Path], split: str = "train", **more: Any) -> tuple[ImageSet, ImageSet]:
    root, out = places
    return data_set.open_set(root / split, **more), data_set.open_set(out / split, **more)


def same_data(one: ImageSet, other: ImageSet) -> None:
    assert (one.files, one.classes, one.name) == (other.files, other.classes, other.name)
    assert (one.labels.dtype, one.labels.tolist()) == (other.labels.dtype, other.labels.tolist())
    assert [one.content(k) for k in range(len(one))] == [other.content(k) for k in range(len(other))]
    assert one.digest == other.digest
    assert [*one.sizes()] == [*other.sizes()] == [len(one.content(k)) for k in range(len(one))]


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_pack_holds_what_the_folders_hold(places: tuple[Path, Path], split: str) -> None:
    folders, packed = both(places, split)
    assert isinstance(packed, Packed)
    assert len({*packed.spots[:, 0].tolist()}) == {"train": 2, "val": 1}[split]
    same_data(folders, packed)


def test_commands_that_read_folders_say_so(places: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match=r"train is a pack, which train and eval read; give the folder that"):
        list(listing.images_below(places[1] / "train"))


def test_splits_are_found_as_in_folders(places: tuple[Path, Path]) -> None:
    root, out = places
    for split in ("train", "val"):
        assert data_set.find_split(str(out), split, "data_dir") == out / split
        assert data_set.find_split(str(out / split), split, "data_dir") == out / split
    assert data_set.guess_order(out / "val", 3) == data_set.guess_order(root / "val", 3)
    data_set.compare_sibling(data_set.open_set(out / "train"))


def test_classes_of_a_training_give_the_labels(places: tuple[Path, Path]) -> None:
    """Other classes between, and names that macOS writes otherwise."""
    folders, packed = both(places, "val", classes=("blue", "cyan", "green", "red"))
    same_data(folders, packed)
    assert {*packed.labels.tolist()} == {0, 2, 3}
    with pytest.raises(UserError, match="has 1 class folder that training lacks: green"):
        both(places, "val", classes=("blue", "red"))[1]
    with pytest.raises(UserError, match="out/val has 1 class folder that training lacks: green"):
        data_set.open_set(places[1] / "val", ("blue", "red"))


@pytest.mark.parametrize("more", [{}, {"sampling": "balanced"}, {"repeats": 2}, {"world": World(rank=1, size=2)}])
def test_batches_of_a_training_are_the_same_to_the_bit(places: tuple[Path, Path], more: dict[str, Any]) -> None:
    """In two epochs, and from the middle of one, with two threads and everything that is random."""
    config = TrainConfig(image_size=(32,), auto_augment=True)
    read = []
    for images in both(places):
        values: dict[str, Any] = {"batch_size": 4, "world": World(), "seed": 3, "workers": 2, **more}
        data = TrainData(images, training_operations(config), **values)
        batches = [
            row
            for epoch, first in ((0, 0), (1, 0), (1, 2))
            for row in data.epoch(epoch, first).create_tuple_iterator(num_epochs=1, output_numpy=True)
        ]
        read.append([np.stack(column) for column in zip(*batches, strict=True)])
    for one, other in zip(*read, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


def test_batches_of_an_evaluation_are_the_same(places: tuple[Path, Path]) -> None:
    """Over three ranks each image once."""
    for rank in range(3):
        read = []
        for images in both(places, "val"):
            data = EvalData(images, evaluation_operations(PLAIN), batch_size=3, world=World(rank=rank, size=3))
            read.append([(x.asnumpy(), y.asnumpy(), mask) for x, y, mask in data])
        for one, other in zip(*read, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_skip_list_is_the_same_for_both(places: tuple[Path, Path], tmp_path: Path) -> None:
    skip_list.write(tmp_path / "skip.txt", ["train/red/000.png", f"train/green/{ODD}", "val/red/001.png"])
    folders, packed = both(places, skip=skip_list.read(tmp_path / "skip.txt"))
    same_data(folders, packed)
    assert folders.left_out == packed.left_out != {}


@pytest.mark.parametrize("keys", [STOP, SKIP])
def test_images_that_cannot_be_resized_are_found_as_in_folders(keys: BadImageKeys, tmp_path: Path) -> None:
    """A pack takes them: what is too thin depends on the run."""
    for name in ("a/ok.png", "a/zz.png", "b/ok.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5000, 1) if "zz" in name else (40, 40)).save(tmp_path / "data" / name)
    assert cli.main(["pack", str(tmp_path / "data"), str(tmp_path / "out")]) == 0
    how = Preprocessing((224, 224), 1.0, "shorter", (0.0,) * 3, (1.0,) * 3)
    for root in (tmp_path / "data", tmp_path / "out"):
        found = bad_images.usable(root, keys, World(), check=how.check_size)
        reason = "is 5000 x 1 pixels, too long and thin to be resized to 224"
        if keys is SKIP:
            assert found.left_out == {"a/zz.png": reason}
            bad_images.write_list(tmp_path, [found])
            assert (tmp_path / bad_images.LISTED).read_text() == "data/a/zz.png\n"
            continue
        with pytest.raises(UserError) as caught, bad_images.named(found):
            list(EvalData(found, evaluation_operations(how), batch_size=3, world=World()))
        assert str(caught.value) == f"{root}/a/zz.png {reason}; {bad_images.REMEDY}"


def test_shards_that_are_too_many_are_opened_for_each_image(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no file stays open without the set."""

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    monkeypatch.setattr(pack_files, "MOST_OPEN", 1)
    gc.collect()  # sets of earlier tests
    before = open_files()
    folders, packed = both(places)
    same_data(folders, packed)
    assert open_files() == before + 1
    del packed
    gc.collect()
    assert open_files() == before


@pytest.fixture
def copy(places: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the pack of training images that may be damaged."""
    return Path(shutil.copytree(places[1] / "train", tmp_path / "train"))


def test_a_damaged_image_in_a_shard_is_named(copy: Path) -> None:
    packed = data_set.open_set(copy)
    assert isinstance(packed, Packed)
    place = packed.files.index(f"green/{ODD}")
    shard, offset, size = packed.spots[place].tolist()
    with open(copy / f"{shard:05d}.mindrecord", "r+b") as file:
        file.seek(offset + size // 2)
        file.write(bytes(size // 3))
    with pytest.raises(UserError) as caught, bad_images.named(packed):
        list(EvalData(packed, evaluation_operations(PLAIN), batch_size=3, world=World()))
    assert str(caught.value).startswith(f"{copy}/green/\\xc4\\xe3.png is damaged")
    assert list(bad_images.usable(copy, SKIP, World()).left_out) == [f"green/{ODD}"]
    assert cli.main(["pack", "--verify", str(copy)]) == 1


@pytest.mark.parametrize("name", ["00000.mindrecord", "00001.mindrecord"])
@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: os.truncate(p, 1000)])
def test_a_shard_that_is_not_whole_is_found_at_once(copy: Path, name: str, spoil: Callable[[Path], object]) -> None:
    packed = data_set.open_set(copy)
    assert isinstance(packed, Packed)
    spoil(copy / name)
    for look in (packed.shards.check, lambda: data_set.open_set(copy)):
        with pytest.raises(UserError, match=rf"shard {copy / name}.*{pack_files.AGAIN}"):
            look()


def test_a_pack_without_its_index_is_none(copy: Path) -> None:
    (copy / listing.PACK_INDEX).unlink()
    with pytest.raises(UserError, match=r"holds MindRecord files without mindzoo_pack\.json"):
        data_set.open_set(copy)


def hostile(index: dict[str, Any]) -> list[dict[str, Any]]:
    shard = index["shards"][0]
    return [
        {},
        {**index, "version": 2},
        {**index, "classes": []},
        {**index, "classes": ["blue", "blue", "green"]},
        {**index, "classes": ["blue", "green", "../red"]},
        {**index, "classes": 3},
        {**index, "folder": "../up"},
        {**index, "images": 3},
        {**index, "shards": [{**shard, "number": "../../x"}]},
        {**index, "shards": [{**shard, "images": -1}]},
        {**index, "shards": [shard, shard]},
        {**index, "shards": [{**shard, "other": 1}]},
        {**index, "shards": []},
        {**index, "left_out": ["x"]},
        {name: value for name, value in index.items() if name != "shards"},
    ]


def write_index(path: Path, content: dict[str, Any]) -> None:
    """As somebody would who knows of the digest."""
    content = {name: value for name, value in content.items() if name != pack_files.DIGEST}
    path.write_text(json.dumps({**content, pack_files.DIGEST: pack_files.digest(content)}))


def test_an_index_that_was_changed_is_refused_in_a_sentence(copy: Path) -> None:
    path = copy / listing.PACK_INDEX
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, "folder": "other"}))
    with pytest.raises(UserError, match="is damaged, or was changed"):
        data_set.open_set(copy)
    for content in hostile(index):
        write_index(path, content)
        with pytest.raises(
            UserError, match=r"is no index of a pack|is damaged, or was changed|of version 2|do not fit"
        ):
            data_set.open_set(copy)


@pytest.mark.parametrize(
    "row",
    [["red/x.png", 0], ["red/x.png", -1, 5], ["red/x.png", 1 << 40, 5], ["red/x.png", 10, 1 << 40], ["x.png", 1, 5],
     ["../red/x.png", 1, 5], ["red/x.png", True, 5], ["pink/x.png", 1, 5], ["red/x.txt", 1, 5], "red"],
)  # fmt: skip
def test_a_table_that_was_changed_is_refused_in_a_sentence(copy: Path, row: Any) -> None:
    path = copy / "00000.json"
    content = json.loads(path.read_text(errors="surrogateescape"))
    content["images"][0] = row
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"00000.json is damaged, or was changed"):
        data_set.open_set(copy)
    index = json.loads((copy / listing.PACK_INDEX).read_text())
    index["shards"][0]["table_sha256"] = sha256(path)
    write_index(copy / listing.PACK_INDEX, index)
    with pytest.raises(UserError, match=r"is damaged, or was changed|do not fit its index"):
        data_set.open_set(copy)


def test_mindspore_reads_the_shards(places: tuple[Path, Path]) -> None:
    """In their order; names that are no UTF-8 with escapes."""
    folders, _ = both(places)
    shards = [str(path) for path in sorted((places[1] / "train").glob("*.mindrecord"))]
    rows = ds.MindDataset(shards, shuffle=False).create_dict_iterator(num_epochs=1, output_numpy=True)
    found = [(str(row["file"]), int(row["label"]), row["image"].tobytes()) for row in rows]
    names = [name.encode("utf-8", "backslashreplace").decode() for name in folders.files]
    assert found == [(names[k], folders.labels[k], folders.content(k)) for k in range(len(folders))]
