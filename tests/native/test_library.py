"""How the native operators are built, kept, and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mindzoo.utils.doctor import machine
from mindzoo.utils.native import building, kept, library
from mindzoo.utils.native.building import Library, UnavailableError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, and sources that may be changed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(library.SOURCE, tmp_path / "source")
    monkeypatch.setattr(library, "SOURCE", tmp_path / "source")
    return tmp_path


def test_each_thing_that_it_is_built_of_changes_the_key(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def key() -> str:
        return building._key(library._operators(library._onednn()), building._compiler())

    keys = [key()]
    changed = places / "source" / "pooling.cpp"
    changed.write_text(changed.read_text() + "\n// a comment\n")
    keys.append(key())
    (places / "source" / "another.h").write_text("")
    keys.append(key())
    monkeypatch.setattr(library, "version", lambda package: "2.10.1")
    keys.append(key())
    monkeypatch.setattr(building, "_processor", lambda: "another one")
    keys.append(key())
    monkeypatch.setattr(building, "FLAGS", (*building.FLAGS, "-g"))
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert keys[-1] == key()


def test_without_a_compiler_it_is_said_what_is_missing(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UnavailableError, match="no C\\+\\+ compiler no-such-compiler"):
        library.outlook()
    finding = machine.check_native()
    assert finding.level == "warning"
    assert "no-such-compiler" in str(finding)


def test_the_doctor_says_what_will_be_built_and_builds_nothing(places: Path) -> None:
    finding = machine.check_native()
    assert finding.level == "ok"
    assert "at first use" in str(finding)
    assert not (places / "cache").exists()


def test_sources_that_cannot_be_built_leave_nothing(places: Path) -> None:
    for source in (places / "source").glob("*.cpp"):
        source.unlink()
    (places / "source" / "wrong.cpp").write_text("int main() { return unknown; }\n")
    with pytest.raises(UnavailableError, match=r"could not build them: .*unknown"):
        building.built(library._operators(library._onednn()))
    assert list((places / "cache").rglob("*.*")) == []


def test_a_place_that_cannot_be_written_to_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "taken").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "taken"))
    with pytest.raises(UnavailableError, match="taken/mindzoo/native cannot be written to"):
        building.built(library._operators(library._onednn()))


def test_another_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(UnavailableError, match="Linux on x86_64 only, and this is linux on aarch64"):
        library.outlook()


def test_a_damaged_library_is_built_anew_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "tiny.cpp").write_text("int tiny() { return 1; }\n")
    tiny = Library("tiny", "a tiny library", tmp_path / "source")
    path = building.built(tiny)
    whole = path.read_bytes()
    for damaged in (whole[:9000], whole[:100], b"", whole[:-4000] + bytes(4000)):
        path.write_bytes(damaged)
        caplog.clear()
        assert "will build them at first use" in building.outlook(tiny)
        with caplog.at_level("INFO", logger="mindzoo"):
            assert building.built(tiny) == path
        assert f"{path} is damaged, and is made anew" in caplog.text
        assert kept.is_whole(path)
    assert building.outlook(tiny) == str(path)


def test_a_damaged_copy_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "new" / "copy.so"
    kept.ensure(path, lambda place: place.write_bytes(b"content"))
    path.write_bytes(b"conten_")
    made: list[int] = []
    for _ in range(2):
        kept.ensure(path, lambda place: made.append(place.write_bytes(b"content")))
    assert len(made) == 1
    assert path.read_bytes() == b"content"
    assert sorted(one.name for one in path.parent.iterdir()) == ["copy.so", "copy.so.sha256", "lock"]


def test_the_doctor_says_that_the_cache_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    finding = machine.check_native()
    assert finding.level == "warning"
    assert f"{tmp_path / 'taken'} is no folder" in str(finding)
