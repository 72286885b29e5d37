"""Images that cannot be read stop a run with their names, or are left out where that is asked for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained, newest_run, tiny, training
from mindzoo.utils import commands
from mindzoo.utils.config.image_keys import BadImageKeys
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data import bad_images, look, skip_list
from mindzoo.utils.data.class_folders import scan
from mindzoo.utils.data.loader import EvalData, TrainData
from mindzoo.utils.data.transforms import Preprocessing, evaluation_operations, load_image, training_operations
from mindzoo.utils.errors import UserError
from mindzoo.utils.runtime import World

PLAIN = Preprocessing((32, 32), 1.0, "square", (0.0,) * 3, (1.0,) * 3)
SKIP, STOP = BadImageKeys(on_bad_image="skip"), BadImageKeys()


@pytest.fixture
def root(colors: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(colors / "val", tmp_path / "val"))


def cut_jpeg(path: Path) -> Path:
    Image.effect_noise((64, 64), 50).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:300])
    return path


@pytest.mark.parametrize("content", [b"", b"x" * 9])
def test_a_class_of_broken_files_is_found_before_the_run(root: Path, content: bytes) -> None:
    """R11."""
    for path in (root / "green").iterdir():
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{root}/green/000\.png is (empty|no image)"):
        bad_images.usable(root, STOP, World())
    with pytest.raises(
        UserError, match=rf"^class folder {root}/green holds no image that can be used: green/000.png is "
    ):
        bad_images.usable(root, SKIP, World())


def test_a_file_that_is_larger_than_any_image_is_found_before_it_is_read(root: Path) -> None:
    with open(root / "red" / "zz.jpg", "wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(UserError, match=r"zz\.jpg has 1024 MB or more; is it an image\?"):
        bad_images.usable(root, STOP, World())
    assert bad_images.usable(root, SKIP, World()).left_out["red/zz.jpg"].startswith("has 1024 MB")


def test_what_cannot_be_read_is_left_out_and_listed(root: Path, tmp_path: Path) -> None:
    cut_jpeg(root / "green" / "zz.jpg")
    (root / "red" / "000.png").write_bytes(b"no image")
    (root / "red" / "0.png").symlink_to("/nowhere")
    whole = len(list(root.glob("*/*.png"))) - 2
    found = bad_images.usable(root, SKIP, World())
    assert len(found) == len(found.labels) == whole
    assert list(found.left_out) == ["red/0.png", "green/zz.jpg", "red/000.png"]
    bad_images.write_list(tmp_path, [found])
    listed = skip_list.read(tmp_path / bad_images.LISTED)
    assert listed.names == {f"val/{name}" for name in found.left_out}
    images = [row[0] for row in EvalData(found, evaluation_operations(PLAIN), batch_size=1, world=World())]
    wanted = [load_image(root / name, PLAIN) for name in found.files]
    np.testing.assert_array_equal(np.concatenate([i.asnumpy() for i in images])[: len(wanted)], np.stack(wanted))


@pytest.mark.parametrize("kind", ["evaluation", "training"])
def test_an_image_that_only_the_decoder_refuses_is_found(root: Path, kind: str) -> None:
    """Its report names no file: MindSpore forgets the name behind an operation of Python."""
    path = root / "green" / "001.bmp"
    Image.new("P", (40, 40)).save(path)
    content = bytearray(path.read_bytes())
    content[28:30], content[30:34] = b"\x07\0", b"\x09\0\0\0"  # 7 bits, packed in a way that is not known
    path.write_bytes(content)
    folders = scan(root)
    operations = training_operations(TrainConfig(image_size=(32,)))

    def read_all() -> None:
        if kind == "evaluation":
            list(EvalData(folders, evaluation_operations(PLAIN), batch_size=3, world=World()))
        else:
            data = TrainData(folders, operations, batch_size=len(folders), world=World(), seed=1)
            list(data.epoch(0).create_tuple_iterator(num_epochs=1))

    with pytest.raises(UserError) as caught, bad_images.named(folders):
        read_all()
    assert str(caught.value) == f"{path} is damaged: its BMP data cannot be decoded; {bad_images.REMEDY}"


def test_a_run_that_skips_is_not_told_to_skip(root: Path) -> None:
    """An image that breaks after all were looked at."""
    cut_jpeg(root / "green" / "zz.jpg")
    found = bad_images.usable(root, TrainConfig(on_bad_image="skip"), World())
    (root / "green" / "000.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"green/000\.png .*") as caught:
        list(EvalData(found, evaluation_operations(PLAIN), batch_size=3, world=World()))
    assert str(caught.value).endswith(f"; {bad_images.LIST_IT}")
    assert "on_bad_image" not in str(caught.value)


def test_a_name_that_is_not_utf8_is_read_and_named(root: Path) -> None:
    """R9."""
    name = os.fsdecode(b"\xc4\xe3.png")
    shutil.copy(root / "green" / "000.png", root / "green" / name)
    folders = scan(root)
    data = EvalData(folders, evaluation_operations(PLAIN), batch_size=len(folders), world=World())
    images = next(iter(data))[0].asnumpy()
    place = folders.files.index(f"green/{name}")
    np.testing.assert_array_equal(images[place], load_image(root / "green" / name, PLAIN))
    (root / "green" / name).write_bytes(b"no image")
    with pytest.raises(UserError, match=r"/green/\\xc4\\xe3\.png is no image"):
        list(data)


def test_a_path_that_is_not_utf8_is_read(root: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"d\xe9")
    shutil.copytree(root, odd)
    folders = scan(odd)
    data = EvalData(folders, evaluation_operations(PLAIN), batch_size=len(folders), world=World())
    assert len(next(iter(data))[0]) == len(folders)


def test_what_is_too_thin_to_be_resized_is_left_out_with_the_rest(root: Path) -> None:
    Image.new("L", (5000, 1)).save(root / "green" / "zz.png")
    how = Preprocessing((224, 224), 1.0, "shorter", (0.0,) * 3, (1.0,) * 3)
    assert bad_images.usable(root, SKIP, World()).left_out == {}
    found = bad_images.usable(root, SKIP, World(), check=how.check_size)
    assert found.left_out == {"green/zz.png": "is 5000 x 1 pixels, too long and thin to be resized to 224"}


def test_a_path_of_any_length_is_read(root: Path, tmp_path: Path) -> None:
    """R9: MindSpore's own reader takes a folder's path of some 250 bytes."""
    deep = tmp_path / ("y" * 200) / ("ü" * 90)
    shutil.copytree(root, deep)
    folders = scan(deep)
    data = EvalData(folders, evaluation_operations(PLAIN), batch_size=len(folders), world=World())
    assert len(next(iter(data))[0]) == len(folders)


def test_a_training_and_an_evaluation_leave_out_what_cannot_be_read(
    colors: Path, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(colors, tmp_path / "data"))
    cut_jpeg(data / "train" / "red" / "zz.jpg")
    cut_jpeg(data / "val" / "red" / "zz.jpg")
    flags = training(data, tmp_path / "out", "--max_epoch", "1")
    assert commands.train(SPEC, flags) == 2
    assert f"zz.jpg is cut off or damaged at marker c4; {bad_images.REMEDY}" in capsys.readouterr().err
    assert commands.train(SPEC, [*flags, "--on_bad_image", "skip"]) == 0
    said = "".join(capsys.readouterr())
    total = len(list((data / "train").glob("*/*")))
    assert (
        f"training uses {total - 1} of {total} images: left out are red/zz.jpg is cut off or damaged at marker c4"
        in said
    )
    run = newest_run(tmp_path / "out")
    assert (run / bad_images.LISTED).read_text() == "train/red/zz.jpg\nval/red/zz.jpg\n"
    common = [*tiny(), "--checkpoint", str(trained.checkpoint), "--data_dir", str(data / "val"), "--batch_size", "6"]
    assert commands.evaluate(SPEC, [*common, "--output_dir", str(tmp_path / "eval1")]) == 2
    listed = ["--skip_list", str(run / bad_images.LISTED)]
    for more in (listed, ["--on_bad_image", "skip"]):
        out = tmp_path / f"eval{len(more[1])}"
        assert commands.evaluate(SPEC, [*common, *more, "--output_dir", str(out)]) == 0
        whole = len(list((data / "val").glob("*/*")))
        assert f"this evaluation uses {whole - 1} of {whole} images: left out are red/zz.jpg" in "".join(
            capsys.readouterr()
        )
        metrics = json.loads(next(out.rglob("metrics.jsonl")).read_text().splitlines()[-1])
        assert (metrics["total"], metrics["left_out"]) == (whole - 1, 1)


def test_a_run_says_how_many_pictures_carry_a_mark(
    colors: Path, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R6."""
    data = Path(shutil.copytree(colors / "val", tmp_path / "data"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in (data / "blue" / "000.png", next(data.glob("red/*.png"))):  # the first one fills the last batch too
        Image.open(path).save(path.with_suffix(".jpg"), exif=exif)
    common = [
        "--checkpoint",
        str(trained.checkpoint),
        "--image_size",
        "32",
        "--crop_pct",
        "1",
        "--device_target",
        "CPU",
    ]
    flags = [*common, "--data_dir", str(data), "--output_dir", str(tmp_path / "out"), "--is_distributed", "0"]
    assert commands.evaluate(SPEC, [*flags, "--batch_size", "4"]) == 0
    count = len(list(data.glob("*/*")))
    assert count % 4
    said = f"2 of {count} pictures read carry a camera's mark of how it was held, and are "
    assert f"{said}used as stored; --orientation exif turns them" in capsys.readouterr().out
    assert commands.evaluate(SPEC, [*flags, "--batch_size", "4", "--orientation", "exif"]) == 0
    assert f"{said}turned as it says" in capsys.readouterr().out


def test_looks_are_equal_whoever_looks(root: Path) -> None:
    paths = [cut_jpeg(root / "green" / "zz.jpg"), root / "green" / "000.png", root / "none.png"]
    looks = list(look.look_at_all(paths, 2, digest=True))
    assert look.look_at(root / ("x" * 5000)).fault == "cannot be opened: File name too long"
    assert [bool(found.fault) for found in looks] == [True, False, True]
    assert looks[1] == look.look_at(paths[1], digest=True)
    assert (looks[1].kind, looks[1].width, len(looks[1].digest)) == ("PNG", 40, 32)


@pytest.mark.parametrize("size", [(65000, 1), (1, 1), (3, 2000)])
def test_a_picture_that_cannot_be_resized_is_named(root: Path, size: tuple[int, int]) -> None:
    """Resized by the shorter side, one of 65000 x 1 would be 13 GB."""
    path = root / "green" / "zz.png"
    Image.new("L", size).save(path)
    how = Preprocessing((2048, 2048) if size == (1, 1) else (224, 224), 1.0, "shorter", (0.0,) * 3, (1.0,) * 3)
    folders = scan(root)
    place = folders.files.index("green/zz.png")
    if size == (3, 2000):
        assert load_image(path, how).shape == (3, 224, 224)
        return
    with pytest.raises(UserError) as alone:
        load_image(path, how)
    data = EvalData(folders, evaluation_operations(how), batch_size=1, world=World(), workers=1)
    data.indices = data.indices[place : place + 1]
    with pytest.raises(UserError) as caught:
        list(data)
    words = "too small to be enlarged to 2048" if size == (1, 1) else "too long and thin to be resized to 224"
    assert str(alone.value) == f"{path} is {size[0]} x {size[1]} pixels, {words}"
    assert str(caught.value) == f"{alone.value}; {bad_images.REMEDY}"
