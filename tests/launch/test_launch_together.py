"""Ranks under the launcher make one file: the bytes that one rank writes, with the same words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mindzoo import cli
from mindzoo.tests.support import launched
from mindzoo.tests.support.retrieval_files import save_tiny_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint and images, one of which cannot be read; what one rank makes of them is in `alone`."""
    place = tmp_path_factory.mktemp("together")
    save_tiny_checkpoint(place / "tiny.ckpt")
    shutil.copytree(colors / "val", place / "images ü")
    (place / "images ü" / "green" / "001.png").write_bytes(b"no image")
    (place / "alone").mkdir()
    return place


def words(name: str, output: str) -> list[str]:
    """Paths are relative, as people write them."""
    flags = ["--checkpoint", "tiny.ckpt", "--output", output, "--device_target", "CPU"]
    return (
        ["images ü", *flags, "--top_k", "2"]
        if name == "predict"
        else [*flags, "--images", "images ü", "--batch_size", "3"]
    )


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(("name", "suffixes"), [("embed", ("", ".json", ".jsonl")), ("predict", ("",))])
def test_ranks_give_the_bytes_of_one(
    place: Path, name: str, suffixes: tuple[str, ...], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = {"embed": "v.npy", "predict": "rows.json"}[name]
    monkeypatch.chdir(place)
    if not (place / "alone" / output).exists():
        assert cli.main([name, "densenet121", *words(name, f"alone/{output}")]) == 1
    (place / str(size)).mkdir(exist_ok=True)
    job = launched.start(place, "--ranks", size, "--", *words(name, f"{size}/{output}"), name=name)
    status, printed = job.finish(seconds_to_vanish=10)
    assert status == 1, printed
    for suffix in suffixes:
        wanted = (place / "alone" / f"{output}{suffix}").read_bytes()
        assert (place / str(size) / f"{output}{suffix}").read_bytes() == wanted
    assert "1 image could not be read" in printed or "green/001.png" in printed
    others = {"embed": {"v.npy", "v.npy.json", "v.npy.jsonl"}, "predict": {"rows.json"}}[name]
    assert others <= {path.name for path in (place / str(size)).iterdir()}
    assert not [*(place / str(size)).glob("*.part"), *(place / str(size)).glob("*.ranks")]
    said = "".join(job.log(rank) for rank in range(size))
    assert name == "embed" or sum(said.count(f"/{number:03}.png: ") for number in range(5)) == 12
