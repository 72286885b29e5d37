"""What is said where mindzoo cannot run."""

from __future__ import annotations

import os
import platform
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from mindzoo.utils import environment
from mindzoo.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
GOOD = {"numpy": "1.26.4", "pyyaml": "6.0", "pillow": "12.0.0", "mindspore": "2.10.0"}
NUMPY_START = "mindzoo needs numpy from 1.26.4 up to, not including, 2 (MindSpore breaks with numpy 2); "
NUMPY_END = ': run pip install "numpy>=1.26.4,<2".'


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let these versions be installed; the empty one means that the package is not."""
    monkeypatch.setattr(environment, "_version_text", lambda package: {**GOOD, **versions}[package])


def machine(monkeypatch: pytest.MonkeyPatch, system: str, name: str, libc: str = "glibc") -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: name)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, "2.36" if libc else ""))


def python(monkeypatch: pytest.MonkeyPatch, *version: int) -> None:
    monkeypatch.setattr(environment, "sys", SimpleNamespace(version_info=version))
    monkeypatch.setattr(platform, "python_version", lambda: ".".join(map(str, version)))


def test_this_environment_is_fine() -> None:
    assert environment.find_problem() is None


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("2.1.0", "found numpy 2.1.0"),
        ("2.0.0rc1", "found numpy 2.0.0rc1"),
        ("1.26.3", "found numpy 1.26.3"),
        ("1.9.9", "found numpy 1.9.9"),
        ("", "numpy is not installed"),
    ],
)
def test_wrong_numpy(monkeypatch: pytest.MonkeyPatch, version: str, found: str) -> None:
    installed(monkeypatch, numpy=version)
    assert environment.find_problem() == NUMPY_START + found + NUMPY_END


@pytest.mark.parametrize(
    ("package", "version", "text"),
    [
        ("pyyaml", "", 'mindzoo needs pyyaml>=6; it is not installed: run pip install "pyyaml>=6".'),
        ("pyyaml", "5.4.1", 'mindzoo needs pyyaml>=6; found 5.4.1: run pip install "pyyaml>=6".'),
        ("pillow", "9.5.0", 'mindzoo needs pillow>=11.3; found 9.5.0: run pip install "pillow>=11.3".'),
        ("pillow", "11.2.1", 'mindzoo needs pillow>=11.3; found 11.2.1: run pip install "pillow>=11.3".'),
    ],
)
def test_what_the_listing_of_networks_needs_too(
    monkeypatch: pytest.MonkeyPatch, package: str, version: str, text: str
) -> None:
    installed(monkeypatch, **{package: version})
    with pytest.raises(ImportError) as raised:
        environment.prepare()
    assert str(raised.value) == text


def test_an_empty_environment_names_all_that_is_missing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, **dict.fromkeys(GOOD, ""))
    wanted = '"numpy>=1.26.4,<2" "pyyaml>=6" "pillow>=11.3" "mindspore>=2.8,<2.11"'
    with pytest.raises(ImportError) as raised:
        environment.prepare()
    assert str(raised.value) == (
        f"mindzoo needs numpy, pyyaml, pillow and mindspore, which are not installed: run pip install {wanted}."
    )
    installed(monkeypatch, numpy="2.0.0", pillow="", mindspore="")
    assert environment.find_problem() == NUMPY_START + "found numpy 2.0.0" + NUMPY_END
    installed(monkeypatch, pillow="", mindspore="")
    assert str(environment.find_problem()).startswith("mindzoo needs pillow and mindspore, which are not installed: ")


def test_what_is_said_to_be_required_is_what_is_required() -> None:
    listed = runpy.run_path(str(ROOT / "scripts" / "requirements.py"))["PARTS"]["core"]
    assert sorted(listed) == sorted(environment.REQUIRED.values())


def test_no_mindspore(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, mindspore="")
    assert environment.find_problem() == (
        'mindzoo needs MindSpore 2.8 to 2.10, which is not installed: run pip install "mindspore>=2.8,<2.11" '
        '"numpy>=1.26.4,<2".'
    )


@pytest.mark.parametrize("version", ["2.7.1", "1.0.0"])
def test_old_mindspore(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(monkeypatch, mindspore=version)
    assert environment.find_problem() == (
        f'mindzoo needs MindSpore 2.8 to 2.10; found {version}: run pip install "mindspore>=2.8,<2.11".'
    )


@pytest.mark.parametrize("version", ["2.8.0", "2.9.0", "2.10.0"])
def test_supported_mindspore(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(monkeypatch, mindspore=version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        environment.prepare()
        environment.check_mindspore()


def test_newer_mindspore_is_a_warning_only(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, mindspore="2.11.0")
    with pytest.warns(UserWarning, match=r"^mindzoo is tested up to MindSpore 2\.10; found 2\.11\.0$"):
        environment.check_mindspore()


@pytest.mark.parametrize("version", [(3, 13, 1), (3, 9, 18)])
def test_wrong_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    python(monkeypatch, *version)
    assert environment.find_problem() == (
        "mindzoo needs Python 3.10, 3.11 or 3.12, for which MindSpore has wheels; this is Python "
        f"{'.'.join(map(str, version))}: make a virtual environment with one of them."
    )


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 7), (3, 12, 9)])
def test_supported_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    python(monkeypatch, *version)
    assert environment.find_problem() is None


@pytest.mark.parametrize(
    ("system", "name", "libc", "where"),
    [
        ("Linux", "x86_64", "", "Linux with musl on x86_64"),
        ("Linux", "ppc64le", "glibc", "Linux on ppc64le"),
        ("Windows", "ARM64", "", "Windows on ARM64"),
        ("FreeBSD", "amd64", "", "FreeBSD on amd64"),
    ],
)
def test_wrong_platform(monkeypatch: pytest.MonkeyPatch, system: str, name: str, libc: str, where: str) -> None:
    machine(monkeypatch, system, name, libc)
    assert environment.find_problem() == (
        f"mindzoo cannot run on {where}: MindSpore has wheels for Linux (glibc) on x86_64 and aarch64, macOS on x86_64 "
        "and arm64, and Windows on AMD64 only; use one of these."
    )


@pytest.mark.parametrize(
    ("system", "name", "libc"), [("Linux", "aarch64", "glibc"), ("Darwin", "arm64", ""), ("Windows", "AMD64", "")]
)
def test_supported_platform(monkeypatch: pytest.MonkeyPatch, system: str, name: str, libc: str) -> None:
    machine(monkeypatch, system, name, libc)
    assert environment.find_problem() is None


def test_python_is_named_before_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    python(monkeypatch, 3, 13, 0)
    machine(monkeypatch, "Linux", "ppc64le")
    installed(monkeypatch, numpy="2.1.0", mindspore="")
    assert "this is Python 3.13.0" in str(environment.find_problem())


def test_prepare_raises_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, numpy="2.1.0")
    with pytest.raises(ImportError) as caught:
        environment.prepare()
    assert str(caught.value) == NUMPY_START + "found numpy 2.1.0" + NUMPY_END


@pytest.mark.parametrize("version", ["", "2.7.1"])
def test_mindspore_is_refused_where_something_is_computed_only(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(monkeypatch, mindspore=version)
    environment.prepare()
    with pytest.raises(UserError, match=r"^mindzoo needs MindSpore 2\.8 to 2\.10"):
        environment.check_mindspore()


def test_prepare_keeps_the_log_levels_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_v", "1")
    monkeypatch.delenv("MS_SUBMODULE_LOG_v", raising=False)
    environment.prepare()
    assert os.environ.get("GLOG_v") == "1"  # noqa: SIM112 - MindSpore's name
    assert os.environ.get("MS_SUBMODULE_LOG_v") == "{MD:4}"  # noqa: SIM112


@pytest.mark.parametrize(("nodes", "level"), [([], "3"), (["davinci0", "davinci_manager"], "2")])
def test_warnings_are_kept_on_ascend(
    nodes: list[str], level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in nodes:
        (tmp_path / name).touch()
    for name in ("GLOG_v", "MS_SUBMODULE_LOG_v"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    environment.prepare(tmp_path)
    assert os.environ.get("GLOG_v") == level  # noqa: SIM112 - MindSpore's name


def test_importing_with_numpy_2_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    metadata = tmp_path / "numpy-2.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 2.1.0\n", encoding="utf-8")
    code = f"import runpy; runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\nimport mindzoo"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {NUMPY_START}found numpy 2.1.0{NUMPY_END}\n"
