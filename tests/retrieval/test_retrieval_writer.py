"""The file of vectors as it grows: what a killed run left is cut to what was counted."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from mindzoo.tests.support.retrieval_files import FACTS
from mindzoo.utils.errors import UserError
from mindzoo.utils.retrieval import writer
from mindzoo.utils.retrieval.encoder import Encoded
from mindzoo.utils.retrieval.vectors import open_vectors
from mindzoo.utils.retrieval.writer import VectorWriter

NAMES = [f"{number % 3}/{number}.png" for number in range(10)]
VALUES = np.random.default_rng(0).standard_normal((10, 6)).astype(np.float32)
BROKEN = (3, 9)


def begin(target: Path, **facts: object) -> VectorWriter:
    return VectorWriter(target, {**FACTS, **facts}, iter(NAMES), overwrite=False)


def batches(found: VectorWriter) -> list[Encoded]:
    """What an encoder would give for the images that remain, in batches of three."""
    numbers = [NAMES.index(path.relative_to(found.root).as_posix()) for path in found.remaining()]
    made = []
    for start in range(0, len(numbers), 3):
        some = numbers[start : start + 3]
        good = [number for number in some if number not in BROKEN]
        bad = [(found.root / NAMES[number], "broken") for number in some if number in BROKEN]
        made.append(Encoded([found.root / NAMES[number] for number in good], VALUES[good], bad))
    return made


def finished(target: Path) -> list[bytes]:
    found = begin(target)
    for batch in batches(found):
        found.add(batch)
    found.finish()
    return [target.with_name(target.name + suffix).read_bytes() for suffix in ("", ".json", ".jsonl")]


def test_rows_names_and_what_was_left_out(tmp_path: Path) -> None:
    finished(tmp_path / "v.npy")
    found = open_vectors(tmp_path / "v.npy")
    good = [number for number in range(10) if number not in BROKEN]
    np.testing.assert_array_equal(found.array, VALUES[good])
    assert [image["path"] for image in found.images()] == [NAMES[number] for number in good]
    assert found.facts["unreadable"] == [{"path": NAMES[number], "reason": "broken"} for number in BROKEN]


@pytest.mark.parametrize("saved", [0, 1, 2, 3, 4])
def test_from_every_point_the_same_bytes(tmp_path: Path, saved: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after `saved` batches and, but for 0, one more that was written but not counted."""
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_SAVES", 1e9)
    whole = finished(tmp_path / "whole.npy")
    killed = begin(tmp_path / "v.npy")
    for batch in batches(killed)[:saved]:
        killed.add(batch)
    if saved:
        killed.save()
        for batch in batches(killed)[:1]:
            killed.add(batch)
    for file in (killed.rows, killed.names, killed.unreadable):
        file.flush()
    del killed
    again = begin(tmp_path / "v.npy")
    assert again.resumed == min(3 * saved, 10)
    again.close()
    assert finished(tmp_path / "v.npy") == whole
    assert not (tmp_path / "v.npy.part").exists()


@pytest.mark.parametrize("moved", [(), ("images.jsonl",), ("images.jsonl", "facts.json")])
def test_killed_while_the_files_are_moved(tmp_path: Path, moved: tuple[str, ...]) -> None:
    whole = finished(tmp_path / "whole.npy")
    killed = begin(tmp_path / "v.npy")
    for batch in batches(killed):
        killed.add(batch)
    killed._complete()
    for name, target in (("images.jsonl", "v.npy.jsonl"), ("facts.json", "v.npy.json")):
        if name in moved:
            (killed.part / name).rename(tmp_path / target)
    assert finished(tmp_path / "v.npy") == whole


def test_the_list_is_that_of_the_first_run(tmp_path: Path) -> None:
    killed = begin(tmp_path / "v.npy")
    killed.add(batches(killed)[0])
    killed.save()
    again = VectorWriter(tmp_path / "v.npy", FACTS, iter(["new.png"]), overwrite=False)
    assert [path.name for path in again.remaining()] == [Path(name).name for name in NAMES[3:]]


def test_a_checkpoint_may_have_moved_but_not_changed(tmp_path: Path) -> None:
    killed = begin(tmp_path / "v.npy")
    killed.add(batches(killed)[0])
    killed.save()
    assert begin(tmp_path / "v.npy", checkpoint={**FACTS["checkpoint"], "file": "y"}).resumed == 3
    with pytest.raises(UserError, match="checkpoint abababababab instead of cccccccccccc"):
        begin(tmp_path / "v.npy", checkpoint={**FACTS["checkpoint"], "sha256": "c" * 64})


def test_files_that_became_shorter_are_refused(tmp_path: Path) -> None:
    killed = begin(tmp_path / "v.npy")
    killed.add(batches(killed)[0])
    killed.save()
    (killed.part / "vectors.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"vectors\.npy is damaged: shorter than"):
        begin(tmp_path / "v.npy")


def test_a_full_disk_is_said_and_the_run_can_go_on(tmp_path: Path) -> None:
    whole = finished(tmp_path / "whole.npy")
    found = begin(tmp_path / "v.npy")
    found.add(batches(found)[0])
    found.save()
    large = Encoded([found.root / NAMES[0]] * 5000, np.zeros((5000, 6), np.float32), [])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, limit[1]))  # the head of the vectors alone has 128 bytes
    try:
        with pytest.raises(UserError, match="the same command goes on from what is there"):
            found.add(large)
        found.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert finished(tmp_path / "v.npy") == whole
