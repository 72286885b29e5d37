"""ModelArts' moxing: a stand-in with its functions, and the other project of that name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.tests.support.object_storage import start_python
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import training

# Copies folders between obs://bucket/... and the disk, as the original zoo used it. The bucket is a folder.
COPY_PARALLEL = """
import os, shutil

def local(path):
    for scheme in ("obs://", "s3://"):
        if str(path).startswith(scheme):
            return os.path.join(os.environ["BUCKETS"], str(path)[len(scheme):])
    return str(path)

def copy_parallel(source, target):
    if not os.path.isdir(local(source)):
        raise Exception("no such folder: " + source)
    shutil.copytree(local(source), local(target), dirs_exist_ok=True)
"""
# What a newer one has beside it.
MORE = """
def copy(source, target):
    os.makedirs(os.path.dirname(local(target)), exist_ok=True)
    shutil.copyfile(local(source), local(target))

def exists(path):
    return os.path.exists(local(path))

def is_directory(path):
    return os.path.isdir(local(path))
"""
CODE = """
import sys
from pathlib import Path
from mindzoo.utils import log
from mindzoo.utils.storage import backends
from mindzoo.utils.storage.download import download
log.start()
url = "obs://bucket/data"
store = backends.open_store(url, modelarts={modelarts})
print("storage", type(store).__name__)
folder = download(store, url, "/no/such/data", changes=False)
print(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.txt")))
store.put(folder / "a" / "1.txt", "obs://bucket/out/run/1.txt")
store.put(folder / "2.txt", "obs://bucket/out/run/2.txt")
print(store.known("obs://bucket/none"))
"""


@pytest.fixture
def buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds obs://bucket, and the environment that says so."""
    folder = tmp_path / "buckets"
    (folder / "bucket" / "data" / "a").mkdir(parents=True)
    (folder / "bucket" / "data" / "a" / "1.txt").write_text("one")
    (folder / "bucket" / "data" / "2.txt").write_text("two")
    monkeypatch.setenv("BUCKETS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def stand_in(parent: Path, *parts: str) -> str:
    """A folder for PYTHONPATH that holds a package moxing."""
    package = parent / "site" / "moxing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from . import file\n")
    (package / "file.py").write_text("".join(parts))
    return str(package.parent)


@pytest.fixture(scope="module")
def other_project(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for PYTHONPATH that holds the package moxing of PyPI."""
    folder = tmp_path_factory.mktemp("other")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "moxing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.skip(f"pip cannot install moxing: {done.stderr.strip().splitlines()[-1:]}")
    return str(folder)


def run(code: str, site: str) -> tuple[int, str, str]:
    with start_python(code, PYTHONPATH=site) as process:
        out, error = process.communicate(timeout=120)
    return process.returncode, out, error


@pytest.mark.parametrize("modelarts", [True, False])
@pytest.mark.parametrize("more", [True, False])
def test_the_module_of_an_image_copies(buckets: Path, tmp_path: Path, modelarts: bool, more: bool) -> None:
    site = stand_in(tmp_path, COPY_PARALLEL, *([MORE] if more else []))
    status, out, error = run(CODE.format(modelarts=modelarts), site)
    assert status == 0, error
    assert "storage Moxing" in out
    assert "['2.txt', 'a/1.txt']" in out
    assert [path.read_text() for path in sorted((buckets / "bucket" / "out" / "run").iterdir())] == ["one", "two"]
    assert out.splitlines()[-1] == ("{}" if more else "None")


def test_a_copy_that_died_halfway_is_made_anew(buckets: Path, tmp_path: Path) -> None:
    """The first process is gone in the middle of the copy, after one of the two files."""
    site = stand_in(tmp_path, COPY_PARALLEL, MORE)
    died = CODE.format(modelarts=True).replace(
        "folder = download",
        "import moxing, os\n"
        "def dies(source, target):\n"
        "    os.makedirs(target)\n"
        "    Path(target, '2.txt').write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
        "moxing.file.copy_parallel = dies\n"
        "folder = download",
    )
    assert run(died, site)[0] == -9
    status, out, error = run(CODE.format(modelarts=True), site)
    assert status == 0, error
    assert "['2.txt', 'a/1.txt']" in out
    assert (buckets / "bucket" / "out" / "run" / "2.txt").read_text() == "two"
    assert not list(tmp_path.rglob(".copying"))


LISTING = """
def list_directory(path, recursive=False):
    return ["a/", "a/1.txt", "../outside/evil"]
"""


def test_what_the_module_copied_is_looked_at_as_any_bucket_is(buckets: Path, tmp_path: Path) -> None:
    """Where the module lists names they are looked at before, for it writes wherever they lead."""
    (tmp_path / "secret").write_text("secret")
    (buckets / "bucket" / "data" / "away.txt").symlink_to(tmp_path / "secret")
    (buckets / "bucket" / "data" / ".mindzoo-copy").write_text('{"path": "/etc"}')
    linking = COPY_PARALLEL.replace("dirs_exist_ok=True", "dirs_exist_ok=True, symlinks=True")
    code = CODE.format(modelarts=True).split("store.put")[0]
    status, out, error = run(code, stand_in(tmp_path / "linking", linking))
    assert (status, error) == (0, "")
    assert out.splitlines()[-1] == "['2.txt', 'a/1.txt']"
    assert "mindzoo calls files of its own like that: .mindzoo-copy" in out
    (copy,) = (tmp_path / "cache" / "mindzoo" / "data").iterdir()
    assert '"/etc"' not in (copy / ".mindzoo-copy").read_text()

    status, _, error = run(code.replace("/data", "/data/a"), stand_in(tmp_path / "listing", COPY_PARALLEL, LISTING))
    assert status == 1
    assert error.splitlines()[-1].endswith(
        "holds an object whose name has .. in it: ../outside/evil; rename it, or give the URL of a folder without it"
    )


def train(data: str, output: str, site: str, *more: str) -> subprocess.CompletedProcess[str]:
    flags = training(Path("unused"), Path("unused"), *more)
    places = [flags.index("--data_dir"), flags.index("--output_dir")]
    flags = [word for number, word in enumerate(flags) if number not in {*places, *(place + 1 for place in places)}]
    command = [sys.executable, str(ROOT / "models/densenet121/train.py"), *flags]
    environment = {**os.environ, "PYTHONPATH": site}
    return subprocess.run(
        [*command, "--data_url", data, "--train_url", output], capture_output=True, text=True, env=environment
    )


@pytest.mark.slow
def test_a_job_of_modelarts(buckets: Path, tmp_path: Path, colors: Path) -> None:
    """Data in, results out, with no more than copy_parallel."""
    (buckets / "bucket" / "colors").symlink_to(colors)
    site = stand_in(tmp_path, COPY_PARALLEL)
    flags = ["--modelarts", "True", "--max_steps", "2"]
    done = train("obs://bucket/colors/", "s3://bucket/results/", site, *flags)
    assert done.returncode == 0, done.stderr
    assert "36 images of 3 classes in" in done.stdout
    (folder,) = (buckets / "bucket" / "results").iterdir()
    assert {"0-1_2.ckpt", "config.yaml", f"{folder.name}_rank_0.log"} <= {path.name for path in folder.iterdir()}
    assert done.stdout.splitlines()[-1].endswith(f"the results are in s3://bucket/results/{folder.name}")


def test_the_other_project_of_that_name_is_told_apart(other_project: str, tmp_path: Path) -> None:
    done = train("obs://bucket/data", str(tmp_path / "out"), other_project, "--modelarts", "True")
    assert done.returncode == 2
    assert done.stderr.startswith("error: modelarts is true, and the module moxing ")
    for words in ("moxing on PyPI is another project", "pip uninstall moxing", "leave modelarts out", "extra obs"):
        assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_other_project_is_passed_over_where_nobody_asks_for_it(other_project: str) -> None:
    code = "from mindzoo.utils.storage import moxing\nprint(moxing.find(required=False))\nimport sys\nprint('moxing' in sys.modules)"
    status, out, error = run(code, other_project)
    assert (status, out.splitlines()) == (0, ["None", "False"]), error


@pytest.mark.parametrize(("kind", "package"), [("s3", "s3fs"), ("obs", "esdk-obs-python")])
def test_what_is_not_installed_is_said(tmp_path: Path, kind: str, package: str) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(s3fs=None, obs=None)\n"
        "from mindzoo.utils.errors import UserError\n"
        "from mindzoo.utils.storage import backends\n"
        "try:\n"
        f"    backends.open_store('{kind}://bucket/x', modelarts=False)\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    status, out, error = run(code, "")
    assert status == 0, error
    assert out.startswith(f"{kind}://bucket/x: copying from and to {kind}:// needs {package} (")
    assert "pip install" in out
    assert "extra obs" in out
