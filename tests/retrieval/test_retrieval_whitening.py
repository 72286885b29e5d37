"""Whitening: unit variance in every direction that is kept, fitted in blocks, for its own kind of vectors only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindzoo.tests.support.retrieval_files import HOW, run, write_vectors
from mindzoo.utils.retrieval import whitening
from mindzoo.utils.retrieval.vectors import open_vectors


def correlated(count: int = 500, dimension: int = 8, seed: int = 0) -> np.ndarray:
    """Vectors that vary in every direction, in some a hundred times as much as in others, around a mean."""
    random = np.random.default_rng(seed)
    scales = np.geomspace(1, 0.01, dimension)
    turn, _ = np.linalg.qr(random.standard_normal((dimension, dimension)))
    return np.asarray(random.standard_normal((count, dimension)) * scales @ turn + 2, np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


def test_the_numbers_are_those_of_a_singular_value_decomposition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whitening, "ROWS", 64)
    vectors = correlated()
    found = whitening.fit(open_vectors(write_vectors(tmp_path / "v.npy", vectors)))
    centred = unit(vectors) - unit(vectors).mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    # Vectors of length 1 vary in one direction less, up to the curvature of the sphere.
    np.testing.assert_allclose(found.explained_variance, singular**2 / 499, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(np.abs(found.components @ directions.T), np.eye(8), atol=1e-2)
    np.testing.assert_allclose(found.mean, unit(vectors).mean(axis=0), rtol=1e-5)
    assert (found.components[np.arange(8), np.abs(found.components).argmax(axis=1)] > 0).all()


def test_every_direction_has_variance_one_before_the_last_division(tmp_path: Path) -> None:
    vectors = correlated()
    found = whitening.fit(open_vectors(write_vectors(tmp_path / "v.npy", vectors)), 5)
    applied = found.apply(7 * vectors)
    assert applied.shape == (500, 5)
    np.testing.assert_allclose(np.linalg.norm(applied, axis=1), 1, rtol=1e-5)
    whitened = (unit(vectors) - found.mean) @ found.components.T / np.sqrt(found.explained_variance)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(5), atol=2e-3)
    np.testing.assert_allclose(applied, unit(whitened), atol=1e-4)


def test_directions_without_variance_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = np.zeros((40, 6), np.float32)
    vectors[:, :3] = np.random.default_rng(0).standard_normal((40, 3)) + 1
    path = write_vectors(tmp_path / "v.npy", vectors)
    assert run("whiten", path, "--output", tmp_path / "w") == 0
    assert whitening.read_whitening(tmp_path / "w.npz").dimension == 3
    assert f"wrote {tmp_path / 'w.npz'}: from 6 to 3 numbers, fitted on 40 vectors" in capsys.readouterr().out
    assert run("whiten", path, "--output", tmp_path / "w4.npz", "--dimension", 4) == 2
    assert "the 40 vectors vary in 3 directions, and 4 are wanted" in capsys.readouterr().err
    assert not (tmp_path / "w4.npz").exists()


def test_a_file_brings_the_same_numbers_and_facts(tmp_path: Path) -> None:
    vectors = open_vectors(write_vectors(tmp_path / "v.npy", correlated()))
    fitted = whitening.fit(vectors, 4)
    fitted.save(tmp_path / "w.npz")
    loaded = whitening.read_whitening(tmp_path / "w.npz")
    assert loaded.equals(fitted)
    assert not loaded.equals(whitening.fit(vectors, 3))
    assert loaded.facts["checkpoint"]["sha256"] == "ab" * 32
    assert loaded.facts["preprocessing"]["image_size"] == [32, 32]
    assert loaded.facts["dimension"] == 8
    np.testing.assert_array_equal(loaded.apply(correlated(3)), fitted.apply(correlated(3)))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"network": "other"}, "network other instead of densenet121"),
        ({"checkpoint": {"sha256": "cd" * 32, "weights": "raw"}}, "checkpoint cdcdcdcdcdcd instead of abababababab"),
        ({"checkpoint": {"sha256": "ab" * 32, "weights": "averaged"}}, "weights averaged instead of raw"),
        ({"preprocessing": {**HOW.to_dict(), "image_size": [64, 64]}}, "image_size 64,64 instead of 32,32"),
        ({"options": {"growth_rate": 8}}, "growth_rate 8 instead of 4"),
    ],
)
@pytest.mark.parametrize("command", [["index", "--output", "i"], ["evaluate-retrieval"]])
def test_other_vectors_are_refused(
    capsys: pytest.CaptureFixture[str], command: list[str], facts: dict[str, Any], said: str
) -> None:
    whitening.fit(open_vectors(write_vectors(Path("v.npy"), correlated()))).save(Path("w.npz"))
    other = write_vectors(Path("other.npy"), correlated(30), **facts)
    assert run(command[0], other, *command[1:], "--whitening", "w.npz") == 2
    error = capsys.readouterr().err
    assert said in error
    assert "the whitening w.npz does not fit other.npy" in error
    assert len(error.splitlines()) == 1


def test_vectors_of_another_dimension_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whitening.fit(open_vectors(write_vectors(tmp_path / "v.npy", correlated()))).save(tmp_path / "w.npz")
    other = write_vectors(tmp_path / "other.npy", correlated(30, 6))
    assert run("evaluate-retrieval", other, "--whitening", tmp_path / "w.npz") == 2
    assert "dimension 6 instead of 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["whiten"], "0 files of vectors are given; wanted one"),
        (["whiten", "v.npy", "v.npy"], "2 files of vectors are given; wanted one"),
        (["whiten", "v.npy"], "output is not given"),
        (["whiten", "none.npy", "--output", "w"], "the file of vectors none.npy is missing"),
        (["whiten", "junk.npy", "--output", "w"], "junk.npy is no file of vectors, or damaged"),
        (["whiten", "numbers.npy", "--output", "w"], "numbers.npy does not hold float32 vectors"),
        (["whiten", "bare.npy", "--output", "w"], "there is no file bare.npy.json"),
        (["whiten", "fewer.npy", "--output", "w"], "fewer.npy holds 3x8 numbers, and fewer.npy.json says 500x8"),
        (["whiten", "v.npy", "--output", "w", "--dimension", "9"], "dimension is 9, and the vectors have 8 numbers"),
        (["whiten", "v.npy", "--output", "none/w"], "its folder is missing"),
        (["whiten", "v.npy", "--output", "there.npz"], "there.npz exists; give another output, or --overwrite"),
        (["evaluate-retrieval", "v.npy", "--whitening", "junk.npy"], "junk.npy is no whitening, or damaged"),
        (["evaluate-retrieval", "v.npy", "--whitening", "v.npy"], "v.npy is no whitening, or damaged"),
        (["evaluate-retrieval", "v.npy", "--whitening", "none"], "the whitening none is missing"),
    ],
)
def test_wrong_files_are_said(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    write_vectors(Path("v.npy"), correlated())
    write_vectors(Path("fewer.npy"), correlated())
    np.save("fewer.npy", correlated(3))
    np.save("bare.npy", correlated())
    np.save("numbers.npy", np.arange(9.0))
    Path("junk.npy").write_bytes(b"junk" * 20)
    Path("there.npz").touch()
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
