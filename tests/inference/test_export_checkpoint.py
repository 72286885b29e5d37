"""Export: the file computes what the network computes, the facts are right, and a failure leaves nothing."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindzoo.models import create_model
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.support.trainings import Trained
from mindzoo.utils import commands
from mindzoo.utils.checkpoints import checkpoint_file, loading
from mindzoo.utils.data.transforms import Preprocessing, load_image
from mindzoo.utils.engine.difference import relative_difference
from mindzoo.utils.inference import export_checkpoint, export_graph

# What an export leaves.
MINDIR_FILES = ["net.mindir", "net.mindir.json", "net_predict_mindir.py"]
ONNX_FILES = ["net.onnx", "net.onnx.json", "net_aipp.cfg", "net_predict.py"]


def export(source: Path, name: str | Path, file_format: str, *more: str) -> int:
    flags = ["--checkpoint", str(source), "--file_name", str(name), "--file_format", file_format]
    return commands.export(SPEC, [*flags, "--device_target", "CPU", *more])


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images(trained: Trained, count: int) -> np.ndarray:
    how = Preprocessing.from_dict(checkpoint_file.read_checkpoint(trained.checkpoint, SPEC).meta["preprocessing"])
    files = sorted(trained.data.glob("val/*/*.png"))[:count]
    return np.stack([load_image(path, how) for path in files])


def logits(trained: Trained, batch: np.ndarray) -> np.ndarray:
    network: nn.Cell = create_model("densenet121", checkpoint=trained.checkpoint)
    return network(Tensor(batch)).asnumpy()


def assert_alike(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_mindir_is_the_network(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(trained.checkpoint, tmp_path / "net", "MINDIR", "--batch_size", "4") == 0
    out = capsys.readouterr().out
    assert "formats that can be written on CPU: MINDIR, ONNX" in out
    assert "largest difference to the network on " in out
    batch = images(trained, 4)
    graph = nn.GraphCell(ms.load(str(tmp_path / "net.mindir")))
    assert_alike(graph(Tensor(batch)).asnumpy(), logits(trained, batch))
    assert sorted(listing(tmp_path)) == MINDIR_FILES
    assert (tmp_path / "net.mindir").stat().st_mode & 0o777 == 0o644


@pytest.fixture(scope="module")
def onnx_file(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    assert export(trained.checkpoint, folder / "net.onnx", "ONNX") == 0
    return folder / "net.onnx"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_onnx_is_the_network_for_every_batch_size(trained: Trained, onnx_file: Path, count: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    batch = images(trained, count)
    assert_alike(session.run(None, {"images": batch})[0], logits(trained, batch))


def test_onnx_is_valid_and_names_its_batch_axis(onnx_file: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(onnx_file))
    onnx.checker.check_model(model, full_check=True)
    (given,), (result,) = model.graph.input, model.graph.output
    for value, rest in ((given, [3, 32, 32]), (result, [3])):
        axes = value.type.tensor_type.shape.dim
        assert axes[0].dim_param == "batch"
        assert [axis.dim_value for axis in axes[1:]] == rest
    assert (given.name, result.name) == ("images", "logits")
    assert sorted(path.name for path in onnx_file.parent.iterdir()) == ONNX_FILES


def test_raw_weights_and_no_verify(trained: Trained, tmp_path: Path) -> None:
    assert export(trained.checkpoint, tmp_path / "raw", "MINDIR", "--weights", "raw", "--no_verify", "1") == 0
    facts = json.loads((tmp_path / "raw.mindir.json").read_text())
    assert facts["verification"] == {"verified": False, "reason": "--no_verify was given"}
    assert facts["input"]["shape"] == [1, 3, 32, 32]
    network = create_model("densenet121", checkpoint=trained.checkpoint)
    loading.load_into(network, checkpoint_file.read_checkpoint(trained.checkpoint, SPEC), which="raw")
    batch = images(trained, 1)
    graph = nn.GraphCell(ms.load(str(tmp_path / "raw.mindir")))
    assert_alike(graph(Tensor(batch)).asnumpy(), network(Tensor(batch)).asnumpy())


def test_the_default_name_is_in_the_current_folder(trained: Trained, tmp_path: Path) -> None:
    argv = ["--ckpt_file", str(trained.checkpoint), "--device_target", "CPU"]
    assert commands.export(SPEC, argv) == 0
    assert sorted(listing(tmp_path)) == [f"cwd/{name.replace('net', 'densenet121', 1)}" for name in MINDIR_FILES]


def test_relative_paths_are_those_of_the_current_folder(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    image = str(next(trained.data.glob("val/red/*.png")))
    assert export(Path(trained.checkpoint.name), tmp_path / "net", "MINDIR", "--image", image) == 0
    facts = json.loads((tmp_path / "net.mindir.json").read_text())
    assert facts["verification"]["image"] == Path(image).name


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int) -> str:
    """The error of an export that failed and left nothing new."""
    assert status == 2
    assert [name for name in listing(tmp_path) if not name.startswith("kept")] == []
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("kept")) == ["cwd"]
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    return error


def test_air_on_cpu_is_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The checkpoint is missing, and that is not reached."""
    error = refused(tmp_path, capsys, export(tmp_path / "none.ckpt", tmp_path / "net", "AIR"))
    assert "file_format is AIR, which needs an Ascend device, and this is CPU; use MINDIR or ONNX" in error


@pytest.mark.parametrize("file_format", ["MINDIR", "ONNX"])
def test_a_difference_leaves_no_file_and_keeps_the_old_one(
    trained: Trained,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file_format: str,
) -> None:
    suffix = export_graph.SUFFIX[file_format]
    for name in (f"kept{suffix}", f"kept{suffix}.json"):
        (tmp_path / name).write_text("of an earlier export")
    monkeypatch.setattr(export_checkpoint, "TOLERANCE", -1.0)
    error = refused(tmp_path, capsys, export(trained.checkpoint, tmp_path / "kept", file_format))
    assert f"kept{suffix} differs from the network by" in error
    assert set(listing(tmp_path).values()) == {b"of an earlier export"}


def test_other_weights_in_the_file_are_found(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is compared with the network of the checkpoint, not with the one that was written."""
    write = export_graph.write

    def corrupted(network: nn.Cell, batch: np.ndarray, file_format: str, scratch: Path) -> Path:
        parameter = network.trainable_params()[-1]
        parameter.set_data(parameter + Tensor(0.01, ms.float32))
        return write(network, batch, file_format, scratch)

    monkeypatch.setattr(export_graph, "write", corrupted)
    assert "differs from the network" in refused(
        tmp_path, capsys, export(trained.checkpoint, tmp_path / "net", "MINDIR")
    )


def test_missing_extra_is_refused_before_any_work_unless_not_verified(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        return None if name in ("onnx", "onnxruntime") else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    error = refused(tmp_path, capsys, export(tmp_path / "none.ckpt", tmp_path / "net", "ONNX"))
    assert "needs onnx and onnxruntime: pip install onnx onnxruntime" in error
    assert export(trained.checkpoint, tmp_path / "net", "ONNX", "--no_verify", "1") == 0
    assert sorted(listing(tmp_path)) == ONNX_FILES


def test_a_missing_folder_is_refused(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(tmp_path, capsys, export(trained.checkpoint, tmp_path / "none" / "net", "MINDIR"))
    assert f"file_name is {tmp_path / 'none'}" in error
    assert "its folder is missing; make it first" in error


def test_a_missing_image_is_refused(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = export(trained.checkpoint, tmp_path / "net", "MINDIR", "--image", str(tmp_path / "none.png"))
    assert "none.png, which is missing" in refused(tmp_path, capsys, status)


def test_a_folder_in_the_place_of_the_file_is_an_error(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept.mindir").mkdir()
    (tmp_path / "kept.mindir" / "old").write_text("old")
    error = refused(tmp_path, capsys, export(trained.checkpoint, tmp_path / "kept", "MINDIR"))
    assert "kept.mindir" in error
    assert listing(tmp_path) == {"kept.mindir/old": b"old"}


@pytest.mark.parametrize("left", ["nothing", "an image that cannot be read", "a hidden image"])
def test_without_the_training_data_the_shipped_image_is_used(trained: Trained, tmp_path: Path, left: str) -> None:
    if left != "nothing":
        (tmp_path / "gone").mkdir()
        (tmp_path / "gone" / ("a.png" if left.startswith("an image") else "._a.png")).write_bytes(b"no image")
    found = checkpoint_file.read_checkpoint(trained.checkpoint, SPEC)
    rows = {name: ms.Parameter(Tensor(value)) for name, value in found.weights.items()}
    meta = {**found.meta, "config": {**found.meta["config"], "data_dir": str(tmp_path / "gone")}}
    checkpoint_file.save_checkpoint(tmp_path / "moved.ckpt", rows, meta)
    assert export(tmp_path / "moved.ckpt", tmp_path / "net", "MINDIR") == 0
    facts = json.loads((tmp_path / "net.mindir.json").read_text())
    assert facts["verification"]["image"] == export_checkpoint.SAMPLE.name


def test_names_are_taken_by_all_files_or_by_none(tmp_path: Path) -> None:
    kept = dict.fromkeys(("kept.onnx", "kept.onnx.json"), b"of an earlier export")
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    for name in ("model", "script"):
        (tmp_path / name).write_bytes(b"new")
    made = {"kept.onnx": "model", "kept_predict.py": "script", "kept.onnx.json": "not there"}
    with pytest.raises(FileNotFoundError):
        export_checkpoint._put({tmp_path / name: tmp_path / new for name, new in made.items()}, tmp_path / "cwd")
    assert {name: value for name, value in listing(tmp_path).items() if name.startswith("kept")} == kept


@pytest.mark.parametrize("name", ["kept.onnx", "kept.onnx.json", "kept_predict.py", "kept_aipp.cfg"])
def test_a_folder_in_the_place_of_any_file_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The checkpoint is missing, and that is not reached."""
    (tmp_path / name).mkdir()
    error = refused(tmp_path, capsys, export(tmp_path / "none.ckpt", tmp_path / "kept", "ONNX"))
    assert f"and {tmp_path / name} is a folder; name another file, or remove it" in error


def test_a_script_that_somebody_changed_is_kept(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "net_predict.py"
    for text in (None, "mine"):
        if text:
            script.write_text(text)
        assert export(trained.checkpoint, tmp_path / "net", "ONNX", "--no_verify", "1") == 0
        said = f"kept {script}, which is not as mindzoo writes it; remove it to have it written anew"
        assert (said in capsys.readouterr().out) == bool(text)
    assert script.read_text() == "mine"


def test_relative_difference() -> None:
    assert relative_difference(np.array([[1.0, 4.0]]), np.array([[1.0, 5.0]])) == pytest.approx(0.2)
    assert relative_difference(np.zeros((1, 2)), np.zeros((2, 2))) == float("inf")
    assert not relative_difference(np.array([[np.nan]]), np.array([[1.0]])) <= 1


@pytest.mark.parametrize("file_format", ["MINDIR", "ONNX"])
def test_a_folder_with_blanks_and_umlauts_is_fine(trained: Trained, tmp_path: Path, file_format: str) -> None:
    folder = tmp_path / "für x y"
    folder.mkdir()
    assert export(trained.checkpoint, folder / "net", file_format) == 0
    assert sorted(listing(folder)) == (ONNX_FILES if file_format == "ONNX" else MINDIR_FILES)


def test_air_reaches_mindspore_which_needs_ascend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert export_checkpoint.writable_formats("Ascend") == ["MINDIR", "ONNX", "AIR"]
    network = create_model("densenet121", 3, block_config=(1,), growth_rate=4, init_features=8)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Ascend backend"):
        export_graph.write(network, np.zeros((1, 3, 32, 32), np.float32), "AIR", tmp_path)
