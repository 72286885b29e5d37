"""Checkpoints that are not ours, for every network: what is refused, what is recognised, what is said."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from mindzoo import cli
from mindzoo.models import create_model, get_spec, list_models
from mindzoo.tests.models.test_models import assert_equal_networks, filled, options, structure
from mindzoo.tests.support import weight_files
from mindzoo.tests.support.trainings import Trained, tiny
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file, loading
from mindzoo.utils.errors import UserError

NETWORKS = list_models()


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> tuple[str, nn.Cell]:
    """A small network of each kind with 1001 classes."""
    return request.param, filled(create_model(request.param, 1001, **options(request.param)))


def convert(*words: str | Path) -> int:
    return cli.main(["convert", *map(str, words)])


def fewer(network: nn.Cell, path: Path) -> Path:
    rows = [{"name": p.name, "data": p} for p in list(network.get_parameters())[:-1]]
    ms.save_checkpoint(rows, str(path.with_suffix(".ckpt")))
    return path.with_suffix(".ckpt")


def truncated(network: nn.Cell, path: Path) -> Path:
    ms.save_checkpoint(network, str(path.with_suffix(".ckpt")))
    content = path.with_suffix(".ckpt").read_bytes()
    (path.parent / "cut.ckpt").write_bytes(content[: len(content) // 2])
    return path.parent / "cut.ckpt"


def text(network: nn.Cell, path: Path) -> Path:
    path.with_suffix(".ckpt").write_text("this is no checkpoint\n" * 100)
    return path.with_suffix(".ckpt")


def other_network(network: nn.Cell, path: Path) -> Path:
    ms.save_checkpoint(nn.SequentialCell(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), str(path.with_suffix(".ckpt")))
    return path.with_suffix(".ckpt")


class Hostile:
    """Its unpickling runs a command that leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        import os

        return os.system, (f"touch '{self.trace}'",)


def hostile(network: nn.Cell, path: Path) -> Path:
    with zipfile.ZipFile(path.with_suffix(".pth"), "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": Hostile(path.parent / "trace")}, protocol=2))
        archive.writestr("archive/byteorder", "little")
    return path.with_suffix(".pth")


def hostile_legacy(network: nn.Cell, path: Path) -> Path:
    path.with_suffix(".pth").write_bytes(pickle.dumps(Hostile(path.parent / "trace"), protocol=2))
    return path.with_suffix(".pth")


BAD: list[tuple[Callable[[nn.Cell, Path], Path], str]] = [
    (fewer, "1 missing"),
    (truncated, "damaged or no checkpoint"),
    (text, "damaged or no checkpoint"),
    (other_network, "holds no"),
    (hostile, "asks for"),
    (hostile_legacy, "asks for"),
]


@pytest.mark.parametrize(("make", "words"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_a_bad_file_is_refused_and_nothing_is_loaded(
    network: tuple[str, nn.Cell],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[nn.Cell, Path], Path],
    words: str,
) -> None:
    name, whole = network
    path = make(whole, tmp_path / "bad")
    before = sorted(tmp_path.iterdir())
    flags = ["--checkpoint", str(path), "--file_name", str(tmp_path / "out"), *tiny(name)]
    assert commands.export(get_spec(name), [flag for flag in flags if flag not in ("--is_distributed", "0")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
    assert str(path) in error
    assert "Traceback" not in error
    with pytest.raises(UserError, match=str(path)):
        create_model(name, checkpoint=path, **options(name))
    assert sorted(tmp_path.iterdir()) == before
    assert not (tmp_path / "trace").exists()


def test_1001_classes_into_1000_is_refused_and_the_network_untouched(
    network: tuple[str, nn.Cell], tmp_path: Path
) -> None:
    name, whole = network
    ms.save_checkpoint(whole, str(tmp_path / "x.ckpt"))
    with pytest.raises(UserError, match=r"x\.ckpt has 1001 classes; wanted 1000: give --num_classes 1001"):
        create_model(name, 1000, tmp_path / "x.ckpt", **options(name))
    smaller = create_model(name, 1000, **options(name))
    before = {p.name: p.asnumpy().copy() for p in smaller.get_parameters()}
    with pytest.raises(UserError, match="2 of another shape"):
        loading.load_into(smaller, checkpoint_file.read_checkpoint(tmp_path / "x.ckpt", get_spec(name)))
    assert all(np.array_equal(before[p.name], p.asnumpy()) for p in smaller.get_parameters())


def test_a_new_head_is_made_when_it_is_asked_for(network: tuple[str, nn.Cell], tmp_path: Path) -> None:
    name, whole = network
    ms.save_checkpoint(whole, str(tmp_path / "x.ckpt"))
    other = create_model(name, 7, tmp_path / "x.ckpt", replace_head=True, **structure(name))
    head = get_spec(name).classifier
    wanted = {p.name: p.asnumpy() for p in whole.get_parameters()}
    for parameter in other.get_parameters():
        if parameter.name.startswith(f"{head}."):
            assert parameter.shape[0] == 7
        else:
            np.testing.assert_array_equal(parameter.asnumpy(), wanted[parameter.name], err_msg=parameter.name)


def test_convert_recognises_network_variant_and_flavour(
    network: tuple[str, nn.Cell], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, whole = network
    rows = [{"name": f"network.{p.name}", "data": p} for p in whole.get_parameters()]
    rows.append({"name": "global_step", "data": ms.Tensor([5], ms.int32)})
    ms.save_checkpoint(rows, str(tmp_path / "old.ckpt"))
    assert convert(tmp_path / "old.ckpt", tmp_path / "new.ckpt") == 0
    said = capsys.readouterr().out
    total = len(list(whole.get_parameters()))
    assert f"{tmp_path / 'old.ckpt'}: {name} with " in said
    assert f"{total} of {total} parameters loaded, 0 missing, 0 unexpected, 0 mismatched; weights of origin zoo" in said
    meta = checkpoint_file.read_checkpoint(tmp_path / "new.ckpt", get_spec(name)).meta
    assert meta["network"] == name
    assert meta["num_classes"] == 1001
    shown = get_spec(name).options_of({p.name: p.asnumpy() for p in whole.get_parameters()})
    assert shown
    assert {key: meta["options"][key] for key in shown} == {
        key: list(value) if isinstance(value, tuple) else value for key, value in shown.items()
    }
    assert_equal_networks(create_model(name, checkpoint=tmp_path / "new.ckpt"), whole)


def test_convert_takes_the_state_of_a_training_away(trained: Trained, tmp_path: Path) -> None:
    assert convert(trained.checkpoint, tmp_path / "averaged.ckpt") == 0
    assert convert(trained.checkpoint, tmp_path / "raw.ckpt", "--weights", "raw") == 0
    spec = get_spec("densenet121")
    source = checkpoint_file.read_checkpoint(trained.checkpoint, spec)
    for path, weights in (("averaged", source.averaged), ("raw", source.weights)):
        found = checkpoint_file.read_checkpoint(tmp_path / f"{path}.ckpt", spec)
        assert (found.averaged, found.state) == ({}, {})
        assert found.classes == source.classes
        assert found.meta["preprocessing"] == source.meta["preprocessing"]
        for name, value in weights.items():
            np.testing.assert_array_equal(found.weights[name], value, err_msg=name)
    assert (tmp_path / "raw.ckpt").stat().st_size < trained.checkpoint.stat().st_size / 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["IN"], "wanted two files, mindzoo convert IN OUT.ckpt; found 1 file"),
        (["IN", "x.pth"], "OUT is x.pth; wanted a name that ends in .ckpt"),
        (["none.ckpt", "x.ckpt"], "the checkpoint none.ckpt is missing"),
        (["IN", "IN"], "exists; give another OUT, or --overwrite"),
        (["IN", "IN", "--overwrite"], "wanted two files"),
        (["IN", "no/x.ckpt"], "its folder is missing"),
        (["other.ckpt", "x.ckpt"], "holds no weights of densenet121, genet_res50"),
        (["IN", "x.ckpt", "--overwrit"], "unknown flag --overwrit (did you mean --overwrite?)"),
    ],
)
def test_convert_refuses(trained: Trained, capsys: pytest.CaptureFixture[str], words: list[str], error: str) -> None:
    other_network(nn.Dense(1, 1), Path("other.ckpt"))
    assert convert(*[str(trained.checkpoint) if word == "IN" else word for word in words]) == 2
    found = capsys.readouterr().err
    assert error in found
    assert "Traceback" not in found
    assert not Path("x.ckpt").exists()


SHORTER = "the shorter side to 256, centre crop 224 x 224; resized bilinearly without antialiasing, there with it"
SQUARE = "each side to 256, centre crop 224 x 224"


@pytest.mark.parametrize(
    ("make", "flags", "mode", "words"),
    [
        ("torch", [], "shorter", f"images as for torchvision, since its names are of torch: {SHORTER}"),
        ("torch", ["--preprocessing", "torchvision"], "shorter", f"as for torchvision, as asked for: {SHORTER}"),
        (
            "torch",
            ["--preprocessing", "timm"],
            "shorter",
            f"as for timm, as asked for: {SHORTER} and often bicubically",
        ),
        ("torch", ["--preprocessing", "zoo"], "square", f"as for zoo, as asked for: {SQUARE}"),
        ("mindcv", [], "shorter", f"as for torchvision, since its names are of mindcv: {SHORTER}"),
        ("zoo", [], "square", f"as for zoo, since its names are of zoo: {SQUARE}"),
        ("mindzoo", [], "square", ""),
        ("mindzoo", ["--preprocessing", "timm"], "shorter", f"as for timm, as asked for: {SHORTER}"),
    ],
)
def test_convert_records_how_the_weights_were_evaluated_and_says_it(
    capsys: pytest.CaptureFixture[str], make: str, flags: list[str], mode: str, words: str
) -> None:
    weights = weight_files.tiny_weights()
    contents = {
        "torch": weight_files.safetensors(weight_files.of_torch(weights)),
        "mindcv": weight_files.ckpt(weight_files.of_mindcv(weights)),
        "zoo": weight_files.ckpt(weights),
        "mindzoo": weight_files.ours(weights),
    }
    Path("in").write_bytes(contents[make])
    assert convert("in", "out.ckpt", *flags) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "images as for" in line]
    assert len(said) == bool(words)
    assert words in "".join(said)
    how = checkpoint_file.read_checkpoint(Path("out.ckpt"), get_spec("densenet121")).meta["preprocessing"]
    assert how["resize_mode"] == mode
    assert how["crop_pct"] == (1.0 if make == "mindzoo" and not flags else 0.875)


def test_other_commands_take_images_as_convert_would(colors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("x.safetensors")
    path.write_bytes(weight_files.safetensors(weight_files.of_torch(weight_files.tiny_weights())))
    flags = ["--checkpoint", str(path), "--device_target", "CPU", str(next(colors.glob("val/red/*.png")))]
    assert cli.main(["predict", "densenet121", *flags]) == 0
    assert f"images as for torchvision, since its names are of torch: {SHORTER}" in capsys.readouterr().out
    assert cli.main(["predict", "densenet121", *flags, "--resize_mode", "square"]) == 0
    assert "images as for" not in capsys.readouterr().out
