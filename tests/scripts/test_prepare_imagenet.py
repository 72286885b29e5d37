"""ImageNet's archives become class folders by the devkit's own files, and what is missing is said."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from mindzoo.tests.support.paths import ROOT

WNIDS = ("n02119789", "n02100735", "n01440764")  # in the order of ILSVRC2012_ID, which is not that of the names
LABELS = (3, 1, 2, 2, 3, 1, 1, 2, 3)
TRAIN = {"n02119789": 3, "n02100735": 2, "n01440764": 4}
VAL_NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, len(LABELS) + 1)]
BY_CLASS = {
    wnid: sorted(name for name, label in zip(VAL_NAMES, LABELS, strict=True) if WNIDS[label - 1] == wnid)
    for wnid in WNIDS
}


def prepare(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "prepare_imagenet.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def tar(path: Path, files: Mapping[str, bytes], mode: str = "w:") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def meta(counts: Mapping[str, int] = TRAIN) -> bytes:
    """As the devkit has it: leaves first, then what is above them."""
    kinds = [
        ("ILSVRC2012_ID", object),
        ("WNID", object),
        ("words", object),
        ("gloss", object),
        ("num_children", object),
    ]
    kinds += [("children", object), ("wordnet_height", object), ("num_train_images", object)]
    rows: list[Any] = [
        (number, wnid, "a fox", "a text", 0, [], 0, counts[wnid]) for number, wnid in enumerate(WNIDS, 1)
    ]
    rows.append((len(WNIDS) + 1, "n00001740", "entity", "a text", 3, [1, 2, 3], 1, 0))
    file = io.BytesIO()
    savemat(file, {"synsets": np.array(rows, dtype=kinds).reshape(-1, 1)})
    return file.getvalue()


def content(name: str) -> bytes:
    return f"image {name}".encode() * 10


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    folder = "ILSVRC2012_devkit_t12/data/"
    truth = "".join(f"{label}\n" for label in LABELS).encode()
    files = {f"{folder}ILSVRC2012_validation_ground_truth.txt": truth, f"{folder}meta.mat": meta()}
    return tar(tmp_path / "devkit.tar.gz", files, "w:gz")


@pytest.fixture
def val(tmp_path: Path) -> Path:
    return tar(tmp_path / "val.tar", {name: content(name) for name in VAL_NAMES})


@pytest.fixture
def train(tmp_path: Path) -> Path:
    inside = {}
    for wnid, count in TRAIN.items():
        names = [f"{wnid}_{number}.JPEG" for number in range(count)]
        inside[f"{wnid}.tar"] = tar(tmp_path / "one.tar", {name: content(name) for name in names}).read_bytes()
    return tar(tmp_path / "train.tar", inside)


def listing(folder: Path) -> dict[str, list[str]]:
    return {path.name: sorted(inside.name for inside in path.iterdir()) for path in folder.iterdir()}


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) <= 290
    assert [word for word in words if word not in done.stderr] == [], done.stderr


def test_both_archives_become_class_folders(tmp_path: Path, devkit: Path, val: Path, train: Path) -> None:
    done = prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", val, "--train", train)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert listing(tmp_path / "imagenet" / "val") == BY_CLASS
    assert {wnid: len(names) for wnid, names in listing(tmp_path / "imagenet" / "train").items()} == TRAIN
    for path in (tmp_path / "imagenet").glob("*/*/*"):
        assert path.read_bytes() == content(path.name)
    assert "val: 9 images of 3 classes; 9 written, 0 were there" in done.stdout
    assert "train: 9 images of 3 classes; 9 written, 0 were there" in done.stdout


def test_a_stopped_run_goes_on_and_leaves_nothing_unfinished(
    tmp_path: Path, devkit: Path, val: Path, train: Path
) -> None:
    words = (tmp_path / "imagenet", "--devkit", devkit, "--val", val, "--train", train)
    assert prepare(*words).returncode == 0
    whole = listing(tmp_path / "imagenet" / "val")
    first, second = sorted((tmp_path / "imagenet" / "val").glob("*/*"))[:2]
    first.unlink()
    second.write_bytes(b"cut off")
    (first.parent / f".{first.stem}.4711.tmp.JPEG").write_bytes(b"half")
    done = prepare(*words)
    assert done.returncode == 0, done.stdout
    assert "val: 9 images of 3 classes; 2 written, 7 were there" in done.stdout
    assert listing(tmp_path / "imagenet" / "val") == whole
    assert second.read_bytes() == content(second.name)


def test_a_flat_folder_is_copied_or_renamed(tmp_path: Path, devkit: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in VAL_NAMES:
        (flat / name).write_bytes(content(name))
    assert prepare(tmp_path / "a", "--devkit", devkit, "--val", flat).returncode == 0
    assert len(list(flat.iterdir())) == len(VAL_NAMES)
    for _ in range(2):  # the second one finds nothing to do
        done = prepare(tmp_path / "b", "--devkit", devkit, "--val", flat, "--move")
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(flat.iterdir()) == []
    assert listing(tmp_path / "a" / "val") == listing(tmp_path / "b" / "val") == BY_CLASS


def test_a_list_of_synsets_stands_in_for_the_file_that_needs_scipy(tmp_path: Path, devkit: Path, val: Path) -> None:
    (tmp_path / "synsets.txt").write_text("".join(f"{wnid} a fox\n" for wnid in WNIDS))
    done = prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", val, "--synsets", tmp_path / "synsets.txt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert listing(tmp_path / "imagenet" / "val") == BY_CLASS


def test_a_list_of_1000_synsets_by_name_is_refused(tmp_path: Path, devkit: Path, val: Path) -> None:
    (tmp_path / "synsets.txt").write_text("".join(f"n{number:08d}\n" for number in range(1000)))
    done = prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", val, "--synsets", tmp_path / "synsets.txt")
    refused(done, "synsets.txt lists the WNIDs by name", "ILSVRC2012_ID")


def test_what_is_missing_or_too_much_is_said(tmp_path: Path, devkit: Path, train: Path) -> None:
    names = [*VAL_NAMES[1:], "ILSVRC2012_test_00000001.JPEG"]
    val = tar(tmp_path / "val.tar", {name: content(name) for name in names})
    (tmp_path / "imagenet" / "val" / "cats").mkdir(parents=True)
    done = prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", val)
    assert (done.returncode, done.stderr) == (1, "")
    assert "val: 1 of 3 classes lack images or have too many: n01440764 has 2, wanted 3" in done.stdout
    assert "val: 8 images; wanted 9" in done.stdout
    assert "val: the source holds names that do not belong there: ILSVRC2012_test_00000001.JPEG" in done.stdout
    assert "val holds names that do not belong there: cats" in done.stdout


def test_training_images_are_counted_against_the_devkit(tmp_path: Path, val: Path, train: Path) -> None:
    folder = tmp_path / "devkit" / "data"
    folder.mkdir(parents=True)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(map(str, LABELS)))
    (folder / "meta.mat").write_bytes(meta({**TRAIN, "n02100735": 1300}))
    done = prepare(tmp_path / "imagenet", "--devkit", tmp_path / "devkit", "--train", train)
    assert done.returncode == 1
    assert "train: 1 of 3 classes lack images or have too many: n02100735 has 2, wanted 1300" in done.stdout
    assert "train: 9 images; wanted 1307" in done.stdout


def test_an_archive_that_is_cut_off_keeps_whole_files_only(tmp_path: Path, devkit: Path, val: Path) -> None:
    cut = tmp_path / "cut.tar"
    for length in (2600, 2200):  # in the third file, and in its header
        cut.write_bytes(val.read_bytes()[:length])
        done = prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", cut)
        if length == 2600:
            refused(done, f"cannot read {cut}: unexpected end of data", "fetch it again")
    assert done.returncode == 1
    assert "problem: val: 2 images; wanted 9" in done.stdout
    names = [path.name for path in (tmp_path / "imagenet").rglob("*") if path.is_file()]
    assert sorted(names) == VAL_NAMES[:2]
    assert prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", val).returncode == 0


@pytest.mark.parametrize(
    "name", ["../../outside.JPEG", "/tmp/ILSVRC2012_val_00000001.JPEG", "../ILSVRC2012_val_00000001.JPEG"]
)
def test_names_in_an_archive_lead_nowhere(tmp_path: Path, devkit: Path, name: str) -> None:
    hostile = tar(tmp_path / "val.tar", {**{name: content(name) for name in VAL_NAMES[1:]}, name: b"x"})
    before = sorted(path for path in tmp_path.iterdir())
    prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", hostile)
    assert sorted(path for path in tmp_path.iterdir() if path.name != "imagenet") == before
    assert not Path("/tmp/ILSVRC2012_val_00000001.JPEG").exists()
    assert set(listing(tmp_path / "imagenet" / "val")) == set(WNIDS)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_an_archive_are_refused(tmp_path: Path, devkit: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "val.tar", "w:") as archive:
        member = tarfile.TarInfo(VAL_NAMES[0])
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    done = prepare(tmp_path / "imagenet", "--devkit", devkit, "--val", tmp_path / "val.tar")
    refused(done, f"val.tar holds {VAL_NAMES[0]}, which is no plain file")


def test_what_is_no_devkit_or_no_archive_is_refused(tmp_path: Path, devkit: Path, val: Path, train: Path) -> None:
    target = tmp_path / "imagenet"
    (tmp_path / "text").write_text("this is only text" * 100)
    refused(prepare(target, "--devkit", devkit), "neither --val nor --train is given")
    refused(prepare(target, "--devkit", tmp_path / "none", "--val", val), "--devkit is", "missing")
    refused(prepare(target, "--devkit", tmp_path / "text", "--val", val), "cannot read")
    refused(prepare(target, "--devkit", val, "--val", val), "holds no ILSVRC2012_validation_ground_truth.txt")
    refused(prepare(target, "--devkit", devkit, "--val", tmp_path / "text"), "cannot read")
    refused(
        prepare(target, "--devkit", devkit, "--val", train),
        "--val is",
        "wanted files such as ILSVRC2012_val_00000001.JPEG",
    )
    refused(prepare(target, "--devkit", devkit, "--val", val, "--move"), "--move is given")
    assert not target.exists()


@pytest.mark.parametrize(
    ("truth", "mat", "wanted"),
    [
        ("1\n2\nx\n", meta(), "holds x; wanted numbers from 1 to 3"),
        ("1\n2\n4\n", meta(), "holds 4; wanted numbers from 1 to 3"),
        ("1\n2\n", meta(), "some of each of 3"),
        ("", meta(), "holds nothing"),
        ("1\n2\n3\n", meta()[:200], "cannot read meta.mat"),
        ("1\n2\n3\n", b"\0" * 5000, "cannot read meta.mat"),
    ],
)  # fmt: skip
def test_a_damaged_devkit_is_refused(tmp_path: Path, val: Path, truth: str, mat: bytes, wanted: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)
    (tmp_path / "data" / "meta.mat").write_bytes(mat)
    refused(prepare(tmp_path / "imagenet", "--devkit", tmp_path / "data", "--val", val), wanted)
    shutil.rmtree(tmp_path / "data")
