"""Wrong inputs: status 2, one or two lines that name the culprit, and nothing written or changed."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import COLORS, Trained, training, write_images
from mindzoo.utils import commands, files
from mindzoo.utils.checkpoints import checkpoint_file

COMMANDS: dict[str, Callable[..., int]] = {
    "train": commands.train,
    "eval": commands.evaluate,
    "export": commands.export,
}


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder with good data, a good checkpoint, and room for what is wrong."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def source(self) -> Path:
        return self.root / "good.ckpt"

    def new(self, name: str, content: str = "") -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return str(path)

    def classes(self, *names: str) -> str:
        for name in names:
            write_images(self.root / "other" / name, COLORS.get(name, (9, 9, 9)), 2)
        return str(self.root / "other")


@pytest.fixture
def place(trained: Trained, tmp_path: Path) -> Place:
    shutil.copytree(trained.data, tmp_path / "data")
    shutil.copy(trained.checkpoint, tmp_path / "good.ckpt")
    return Place(tmp_path)


Make = Callable[[Place], list[str]]


def empty_class(place: Place) -> list[str]:
    (place.data / "train" / "white").mkdir()
    return []


def flat_val(place: Place) -> list[str]:
    shutil.rmtree(place.data / "val")
    write_images(place.data / "val", (9, 9, 9), 2)
    return []


def flat_folder(place: Place) -> list[str]:
    write_images(place.root / "flat", (9, 9, 9), 2)
    return ["--data_dir", str(place.root / "flat")]


def unknown_class(place: Place) -> list[str]:
    write_images(place.data / "val" / "violet", (9, 9, 9), 2)
    return []


def other_network(place: Place) -> str:
    found = checkpoint_file.read_checkpoint(place.source, SPEC)
    checkpoint_file.save_checkpoint(place.root / "inception.ckpt", {}, {**found.meta, "network": "inceptionv3"})
    return str(place.root / "inception.ckpt")


def damaged(place: Place) -> str:
    place.source.write_bytes(place.source.read_bytes()[:4000])
    return str(place.source)


BOTH = ("train", "eval")
ALL = ("train", "eval", "export")
CHECKPOINT = "--pretrained"  # every command takes this spelling

# Name of the case, commands, flags beside the good ones, words of which every one is in the error.
TABLE: list[tuple[str, tuple[str, ...], Make, list[str]]] = [
    ("unknown flag", ALL, lambda p: ["--imagesize", "32"], ["unknown flag --imagesize", "--image_size"]),
    ("unknown argument", ALL, lambda p: ["stray"], ["unknown argument stray"]),
    ("bad number", BOTH, lambda p: ["--batch_size", "many"], ["batch_size", "many", "whole number"]),
    ("fraction", BOTH, lambda p: ["--batch_size", "2.5"], ["batch_size", "2.5", "whole number"]),
    ("zero", ALL, lambda p: ["--batch_size", "0"], ["batch_size is 0", "at least 1"]),
    ("not a number", ("train",), lambda p: ["--lr", "nan"], ["lr is", "nan"]),
    ("infinite", ("train",), lambda p: ["--lr", "inf"], ["lr", "inf"]),
    ("bad bool", ("train",), lambda p: ["--label_smooth", "maybe"], ["label_smooth", "maybe", "true or false"]),
    ("value missing", ALL, lambda p: ["--image_size"], ["image_size", "expected"]),
    ("bad choice", ALL, lambda p: ["--flavour", "papper"], ["flavour is papper", "zoo, paper", "did you mean paper?"]),
    ("bad schedule", ("train",), lambda p: ["--lr_scheduler", "cosine"], ["lr_scheduler is cosine", "exponential"]),
    ("two means", ALL, lambda p: ["--mean", "0.5,0.5"], ["mean has 2 numbers", "three"]),
    ("three sizes", ALL, lambda p: ["--image_size", "3,32,32"], ["image_size has 3 numbers"]),
    ("crop", ("train",), lambda p: ["--crop_scale", "0.9,0.1"], ["crop_scale is 0.9,0.1", "smallest,largest"]),
    ("missing recipe", ALL, lambda p: ["--config_path", "nope"], ["config_path is nope", "digits_cpu.yaml"]),
    ("recipe with unknown key", ALL, lambda p: ["--config_path", p.new("r.yaml", "image_siz: 3")], ["image_siz", "image_size"]),
    ("broken recipe", ALL, lambda p: ["--config_path", p.new("r.yaml", "a: [1\nb: }")], ["r.yaml", "not valid YAML"]),
    ("empty recipe", ALL, lambda p: ["--config_path", p.new("r.yaml")], ["r.yaml is empty", "wanted a mapping"]),
    ("Ascend", ALL, lambda p: ["--device_target", "Ascend"], ["device_target is Ascend", "--device_target CPU"]),
    ("device", ALL, lambda p: ["--device_target", "TPU"], ["device_target is TPU", "CPU"]),
    ("rank", BOTH, lambda p: ["--rank", "2", "--group_size", "2"], ["rank is 2", "group_size is 2"]),
    ("data not given", BOTH, lambda p: ["--data_dir", ""], ["data_dir is not given"]),
    ("missing data", BOTH, lambda p: ["--data_dir", str(p.root / "none")], ["data_dir is", "none", "missing"]),
    ("data is a file", BOTH, lambda p: ["--data_dir", p.new("f")], ["data_dir is", "not a folder"]),
    ("flat data", BOTH, flat_folder, ["flat holds 2 images and no class folders"]),
    ("empty class", ("train",), empty_class, ["train/white holds no images"]),
    ("flat val", BOTH, flat_val, ["data/val holds 2 images and no class folders"]),
    ("unknown class", BOTH, unknown_class, ["data/val has 1 class folder that training lacks: violet"]),
    ("missing eval data", BOTH, lambda p: ["--eval_data_dir", str(p.root / "none")], ["eval_data_dir is", "none", "missing"]),
    ("large batch", ("train",), lambda p: ["--batch_size", "37"], ["batch_size 37", "36 images"]),
    ("few classes", ("train",), lambda p: ["--num_classes", "2"], ["num_classes is 2", "3 class folders"]),
    ("missing checkpoint", ALL, lambda p: [CHECKPOINT, str(p.root / "none.ckpt")], ["none.ckpt is missing"]),
    ("other network", ALL, lambda p: [CHECKPOINT, other_network(p)], ["inception.ckpt", "of inceptionv3"]),
    ("damaged", ALL, lambda p: [CHECKPOINT, damaged(p)], ["good.ckpt is damaged"]),
    ("empty checkpoint", ALL, lambda p: [CHECKPOINT, p.new("e.ckpt")], ["e.ckpt is empty: 0 bytes"]),
    ("empty PyTorch file", ALL, lambda p: [CHECKPOINT, p.new("e.pth")], ["e.pth is empty: 0 bytes"]),
    ("no checkpoint", ALL, lambda p: [CHECKPOINT, p.new("w.h5", "PK")], ["w.h5 is damaged or no checkpoint", ".ckpt"]),
    ("no PyTorch file", ALL, lambda p: [CHECKPOINT, p.new("w.pth", "PK")], ["w.pth is damaged or no checkpoint"]),
    ("other shape", ALL, lambda p: [CHECKPOINT, str(p.source), "--growth_rate", "8"], ["growth_rate is 8", "good.ckpt is of a network with 4"]),
    ("checkpoint not given", ("eval", "export"), lambda p: [CHECKPOINT, ""], ["checkpoint is not given"]),
    ("classes of the checkpoint", ("train",), lambda p: [CHECKPOINT, str(p.source), "--num_classes", "5"], ["3 classes", "5"]),
    ("other classes", BOTH, lambda p: [CHECKPOINT, str(p.source), "--eval_data_dir", p.classes("pink", "red")], ["pink"]),
    ("begin without weights", ("train",), lambda p: ["--begin_epoch", "1"], ["begin_epoch is 1", "--pretrained"]),
    ("new head without weights", ("train",), lambda p: ["--replace_head"], ["replace_head is true", "--pretrained"]),
    ("freeze nothing", ("train",), lambda p: ["--freeze", "nothing.*"], ["freeze is nothing.*", "backbone.features.conv0.weight"]),
    ("freeze everything", ("train",), lambda p: ["--freeze", "*"], ["leaves no parameter to train"]),
    ("other URL", BOTH, lambda p: ["--data_url", "gs://b/d"], ["data_url is gs://b/d", "obs://, s3:// or file://"]),
    ("bucket without a name", ALL, lambda p: [CHECKPOINT, "s3:///d"], ["s3:///d, which names no bucket"]),
    ("missing resume", ("train",), lambda p: ["--resume", "none.ckpt"], ["none.ckpt is missing"]),
    ("output is a file", BOTH, lambda p: ["--output_dir", p.new("f")], ["output_dir", "/f"]),
    ("output below a file", BOTH, lambda p: ["--output_dir", p.new("f") + "/runs"], ["output_dir", "/f/runs"]),
    ("AIR on CPU", ("export",), lambda p: ["--file_format", "AIR"], ["file_format is AIR", "Ascend", "MINDIR or ONNX"]),
    ("bad format", ("export",), lambda p: ["--file_format", "ONXX"], ["file_format is ONXX", "did you mean ONNX?"]),
    ("missing folder", ("export",), lambda p: ["--file_name", str(p.root / "none/x")], ["none", "missing"]),
    ("missing image", ("export",), lambda p: ["--image", str(p.root / "none.png")], ["none.png", "missing"]),
    ("broken image", ("export",), lambda p: ["--image", p.new("b.png", "no image")], ["b.png is no image; JPEG, PNG"]),
]  # fmt: skip
CASES = [
    pytest.param(command, make, words, id=f"{command}: {name}")
    for name, commands, make, words in TABLE
    for command in commands
]


def good_flags(command: str, place: Place) -> list[str]:
    if command == "train":
        return training(place.data, place.root / "out")
    if command == "eval":
        data = ["--data_dir", str(place.data), "--output_dir", str(place.root / "out")]
        return [CHECKPOINT, str(place.source), "--device_target", "CPU", "--is_distributed", "0", *data]
    return [CHECKPOINT, str(place.source), "--device_target", "CPU", "--file_name", str(place.root / "net")]


def listing(root: Path) -> dict[str, str]:
    return {str(path): files.sha256(path) if path.is_file() else "" for path in sorted(root.rglob("*"))}


def assert_said(error: str, words: list[str]) -> None:
    assert error.startswith("error: ")
    assert len(error.splitlines()) <= 2, error
    assert "Traceback" not in error
    assert [word for word in words if word not in error] == [], error


@pytest.mark.parametrize(("command", "make", "words"), CASES)
def test_wrong_inputs_are_said_and_nothing_is_written(
    place: Place, capfd: pytest.CaptureFixture[str], command: str, make: Make, words: list[str]
) -> None:
    flags = make(place)
    before = listing(place.root)
    assert COMMANDS[command](SPEC, [*good_flags(command, place), *flags]) == 2
    assert_said(capfd.readouterr().err, words)
    assert listing(place.root) == before


@pytest.mark.parametrize(
    ("command", "broken"),
    [("train", b"no image at all" * 20), ("train", None), ("eval", b""), ("eval", None)],
    ids=["train: text", "train: truncated", "eval: empty", "eval: truncated"],
)
def test_an_unreadable_image_is_named(
    place: Place, capfd: pytest.CaptureFixture[str], command: str, broken: bytes | None
) -> None:
    """Images are decoded while the run is under way, so its folder is there, and what was done; nothing else is touched."""
    path = place.data / ("train" if command == "train" else "val") / "green" / "002.png"
    path.write_bytes(path.read_bytes()[:900] if broken is None else broken)
    before = listing(place.root)
    assert COMMANDS[command](SPEC, [*good_flags(command, place), "--batch_size", "4"]) == 2
    assert_said(capfd.readouterr().err, [f"{path} is ", "replace or remove it"])
    after = {
        name: value for name, value in listing(place.root).items() if not Path(name).is_relative_to(place.root / "out")
    }
    assert after == before
    assert {path.name for path in (place.root / "out").rglob("*.ckpt")} <= {"last.ckpt"}


@pytest.mark.parametrize("command", ALL)
def test_the_good_flags_are_good(place: Place, capfd: pytest.CaptureFixture[str], command: str) -> None:
    """Otherwise the table would show nothing."""
    flags = ["--max_steps", "1"] if command == "train" else []
    assert COMMANDS[command](SPEC, [*good_flags(command, place), *flags]) == 0
    assert capfd.readouterr().err == ""
