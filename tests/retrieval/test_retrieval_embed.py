"""Embedding a folder: the network's own vectors in the order of the names, also after a run that was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from mindzoo.models import create_model
from mindzoo.tests.support.object_storage import IMPORTABLE
from mindzoo.tests.support.retrieval_files import HOW, run, save_tiny_checkpoint
from mindzoo.utils import files
from mindzoo.utils.data.listing import images_below
from mindzoo.utils.data.transforms import load_image
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval.vectors import open_vectors
from mindzoo.utils.retrieval.writer import VectorProgress

LINKS = 3
# The command in a process that saves after each batch and then waits, so that a signal comes in the middle.
SLOWLY = """
import sys, time
from mindzoo import cli
from mindzoo.utils.retrieval import writer
writer.SECONDS_BETWEEN_SAVES = 0.0
add = writer.VectorWriter.add
def add_slowly(self, batch):
    add(self, batch)
    time.sleep(0.1)
writer.VectorWriter.add = add_slowly
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def tiny_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("net") / "tiny.ckpt")


@pytest.fixture(scope="module")
def linked(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of LINKS times the same 36 images."""
    folder = tmp_path_factory.mktemp("linked")
    for link in range(LINKS):
        (folder / f"{link:03}").symlink_to(colors / "train", target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def whole(tiny_net: Path, linked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vectors of `linked`, from a run that nothing stopped."""
    output = tmp_path_factory.mktemp("whole") / "v.npy"
    assert run(*words(tiny_net, linked, output, "--batch_size", 4)) == 0
    return output


def words(net: Path, images: Path, output: Path, *more: object) -> list[str]:
    flags = ["--checkpoint", net, "--images", images, "--output", output, "--device_target", "CPU", *more]
    return ["embed", "densenet121", *map(str, flags)]


def everything(output: Path) -> list[bytes]:
    return [output.with_name(output.name + suffix).read_bytes() for suffix in ("", ".json", ".jsonl")]


def test_vectors_are_those_of_the_network(tiny_net: Path, colors: Path, tmp_path: Path) -> None:
    output = tmp_path / "v.npy"
    assert run(*words(tiny_net, colors / "val", output, "--batch_size", 4)) == 0
    found = open_vectors(output)
    images = list(found.images())
    wanted = sorted(path.relative_to(colors / "val").as_posix() for path in colors.glob("val/*/*.png"))
    assert [image["path"] for image in images] == wanted
    assert [image["folder"] for image in images] == [name.split("/")[0] for name in wanted]
    batch = np.stack([load_image(colors / "val" / name, HOW) for name in wanted])
    vectors = create_model("densenet121", checkpoint=tiny_net).embed(ms.Tensor(batch)).asnumpy()
    np.testing.assert_allclose(found.array, vectors, rtol=1e-4, atol=1e-6)
    assert isinstance(found.array, np.memmap)
    assert len({row.tobytes() for row in found.array}) == len(wanted)


def test_the_facts_say_what_the_vectors_are_of(tiny_net: Path, colors: Path, tmp_path: Path) -> None:
    output = tmp_path / "v.npy"
    assert run(*words(tiny_net, colors / "val", output, "--image_size", "48,40")) == 0
    facts = open_vectors(output).facts
    assert facts["network"] == "densenet121"
    assert facts["options"]["growth_rate"] == 4
    assert facts["checkpoint"] == {"file": tiny_net.name, "sha256": files.sha256(tiny_net), "weights": "raw"}
    assert facts["preprocessing"] == {**HOW.to_dict(), "image_size": [48, 40]}
    assert (facts["count"], facts["dtype"], facts["unreadable"]) == (13, "float32", [])
    assert facts["dimension"] == open_vectors(output).array.shape[1]


def test_unreadable_images_are_left_out_and_named(
    tiny_net: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(colors / "val", tmp_path / "images")
    (folder / "blue" / "000a.png").write_bytes(b"no image" * 9)
    (folder / "green" / "001a.jpg").write_bytes(b"")
    (folder / "red" / "999.png").symlink_to("nowhere.png")
    Image.new("RGB", (64, 64)).save(folder / "red" / "aaa.jpg")
    os.truncate(folder / "red" / "aaa.jpg", 300)  # MindSpore's decoder would end the process
    assert run(*words(tiny_net, colors / "val", tmp_path / "whole.npy", "--batch_size", 4)) == 0
    capsys.readouterr()
    assert run(*words(tiny_net, folder, tmp_path / "v.npy", "--batch_size", 4)) == 1
    out = capsys.readouterr().out
    found, whole = open_vectors(tmp_path / "v.npy"), open_vectors(tmp_path / "whole.npy")
    np.testing.assert_allclose(found.array, whole.array, rtol=1e-4, atol=1e-6)
    assert list(found.images()) == list(whole.images())
    names = ["blue/000a.png", "green/001a.jpg", "red/999.png", "red/aaa.jpg"]
    assert [entry["path"] for entry in found.facts["unreadable"]] == names
    assert "left out 4 images that cannot be read:" in out
    assert [name for name in names if f"  {folder}/{name}: " not in out] == []


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    tiny_net: Path, linked: Path, whole: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    output = tmp_path / "v.npy"
    flags = words(tiny_net, linked, output, "--batch_size", 4, "--workers", 1)
    progress = tmp_path / "v.npy.part" / "progress.json"
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, "-c", IMPORTABLE + SLOWLY, *flags]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not progress.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait() == status
    killed_at = json.loads(progress.read_text())
    assert 0 < killed_at["done"] < killed_at["images"] == LINKS * 36
    assert not output.exists()
    assert run(*flags) == 0
    assert everything(output) == everything(whole)
    assert open_vectors(output).array.shape[0] == LINKS * 36
    assert sorted(path.name for path in whole.parent.iterdir()) == ["v.npy", "v.npy.json", "v.npy.jsonl"]


def test_a_stopped_run_with_other_flags_is_not_continued(
    tiny_net: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "v.npy"
    assert run(*words(tiny_net, colors / "val", output, "--batch_size", 4)) == 0
    part = tmp_path / "v.npy.part"
    part.mkdir()
    facts = json.loads((tmp_path / "v.npy.json").read_text())
    begun = {name: facts[name] for name in facts if name not in ("dimension", "count", "dtype", "unreadable")}
    (part / "progress.json").write_text(json.dumps({"facts": begun, **asdict(VectorProgress(13))}))
    output.unlink()
    for flag, said in (
        (["--batch_size", 5], "batch_size 4 instead of 5"),
        (["--batch_size", 4, "--image_size", 64], "image_size 32,32 instead of 64,64"),
    ):
        assert run(*words(tiny_net, colors / "val", output, *flag)) == 2
        assert said in capsys.readouterr().err
    assert run(*words(tiny_net, colors / "val", output, "--batch_size", 5, "--overwrite")) == 0
    assert open_vectors(output).facts["batch_size"] == 5
    assert not part.exists()


def test_what_exists_is_not_overwritten_unasked(
    tiny_net: Path, colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "v.npy"
    output.write_bytes(b"precious")
    assert run(*words(tiny_net, colors / "val", output)) == 2
    assert capsys.readouterr().err == f"error: {output} exists; give another output, or --overwrite\n"
    assert output.read_bytes() == b"precious"
    assert run(*words(tiny_net, colors / "val", output, "--overwrite")) == 0
    assert len(open_vectors(output).array) == 13


def test_names_are_sorted_links_followed_and_hidden_files_left_out(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/1.JPG", "a/sub/3.webp", "z.png", ".hidden/4.png", "a/._1.JPG", "a/notes.txt"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).touch()
    (tmp_path / "x" / "c").symlink_to(tmp_path / "x" / "b", target_is_directory=True)
    (tmp_path / "x" / "a" / "up").symlink_to(tmp_path / "x", target_is_directory=True)
    assert list(images_below(tmp_path / "x")) == ["a/1.JPG", "a/sub/3.webp", "b/2.png", "c/2.png", "z.png"]
    with pytest.raises(UserError, match="cannot list"):
        list(images_below(tmp_path / "none"))


def test_names_that_are_no_utf8_keep_their_bytes(tiny_net: Path, colors: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ümlaut"
    folder.mkdir()
    odd = os.fsencode(folder) + b"/\xff \n.png"
    try:
        shutil.copy(os.fsencode(next(colors.glob("val/red/*.png"))), odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert run(*words(tiny_net, folder, tmp_path / "v.npy")) == 0
    found = open_vectors(tmp_path / "v.npy")
    (image,) = found.images()
    assert os.fsencode(Path(found.facts["images"]) / image["path"]) == odd


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"--images": ""}, "images is not given"),
        ({"--images": "none"}, "images is none, which is missing"),
        ({"--images": "."}, "holds no images"),
        ({"--output": ""}, "output is not given"),
        ({"--output": "v.txt"}, "wanted a name that ends in .npy"),
        ({"--output": "none/v.npy"}, "its folder is missing"),
        ({"--checkpoint": ""}, "checkpoint is not given"),
        ({"--checkpoint": "none.ckpt"}, "the checkpoint none.ckpt is missing"),
        ({"--batch_size": "0"}, "batch_size is 0; wanted at least 1"),
        ({"--imagess": "x"}, "unknown flag --imagess (did you mean --images?)"),
    ],
)
def test_wrong_flags_are_said(
    tiny_net: Path, colors: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], wanted: str
) -> None:
    flags = {"--checkpoint": str(tiny_net), "--images": str(colors / "val"), "--output": "v.npy", **change}
    assert run("embed", "densenet121", *[word for pair in flags.items() for word in pair]) == 2
    error = capsys.readouterr().err
    assert wanted in error
    assert len(error.splitlines()) == 1
    assert list(Path().iterdir()) == []


def test_nothing_readable_writes_nothing(tiny_net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"x")
    assert run(*words(tiny_net, tmp_path / "images", tmp_path / "v.npy")) == 2
    assert "none of the images can be read; nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.glob("v.npy*"))
