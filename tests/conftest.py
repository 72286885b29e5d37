"""Makes `mindzoo` importable from this clone, and provides small data and a small network."""

from __future__ import annotations

import gc
import os
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Objects. Walking through everything takes 50 ms, which is more than most tests take.
MUCH_LEFT = 20_000
# A folder for native operators and graphs: several runs of pytest have it in common where this names one.
CACHE = "MINDZOO_TEST_CACHE"
runpy.run_path(str(ROOT / "utils" / "importable.py"), run_name="importable")

from mindzoo.tests.support.trainings import (  # noqa: E402
    COLORS,
    KEPT,
    PLAIN_IMAGES,
    Trained,
    newest_run,
    once,
    run_train,
    write_images,
)
from mindzoo.utils import log  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _cpu(shared: Path) -> None:
    from mindzoo.utils import runtime
    from mindzoo.utils.compiling import graphs
    from mindzoo.utils.engine import choice

    cache = Path(os.environ.get(CACHE) or shared / "cache")
    cache.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(cache)
    os.environ[choice.VARIABLE] = choice.MINDSPORE  # tests of the other engine say so
    os.environ["MINDZOO_OFFLINE"] = "1"  # tests of downloads, from a server of their own, say so
    os.environ[graphs.VARIABLE] = "off"  # in one process MindSpore would count the graphs of all tests
    runtime.start("CPU")
    gc.collect()
    gc.freeze()  # what is imported by now stays, and need not be walked through before every test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: at the end it would run alone."""
    items.sort(key=_minutes, reverse=True)


def _minutes(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return mark.kwargs.get("minutes", 0.0) if mark else 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Collect what the last tests left where it is much, and nothing while a test runs.

    A cell that is collected after another was compiled makes MindSpore compile that one again.
    """
    if gc.get_count()[0] > MUCH_LEFT:
        gc.collect()
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """A command's log ends with its test: the streams that a test has for itself are closed behind it."""
    log.stop()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MindSpore leaves files in the current folder; keep them out of the clone."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base  # as pytest-xdist starts it


@pytest.fixture(scope="session")
def colors(shared: Path) -> Path:
    """A root with train/ (3 classes, 12 images each) and val/ (5, 5 and 3 images: no multiple of any batch size)."""

    def make(root: Path) -> None:
        for number, (name, color) in enumerate(COLORS.items()):
            write_images(root / "train" / name, color, 12, seed=number)
            write_images(root / "val" / name, color, 3 if name == "red" else 5, seed=10 + number)

    return once(shared / "colors", make)


@pytest.fixture(scope="session")
def trained(colors: Path, shared: Path) -> Trained:
    """Four epochs with averaged weights, evaluated on val/ after each. Read only: copy what you change."""
    flags = ["--max_epoch", "4", "--ema_decay", "0.5", "--save_checkpoint_epochs", "2"]
    output = once(shared / "trained", lambda output: run_train(colors, output, *flags))
    folder = newest_run(output)
    return Trained(colors, output, folder, folder / "0-4_6.ckpt")


@pytest.fixture(scope="session")
def stopped(colors: Path, shared: Path) -> Trained:
    """A run of three epochs that `max_steps` ended at step 2 of 6 of the second one; it keeps every kind of state."""
    flags = ["--max_epoch", "3", "--max_steps", "8", *KEPT, *PLAIN_IMAGES]
    output = once(shared / "stopped", lambda output: run_train(colors, output, *flags))
    folder = newest_run(output)
    return Trained(colors, output, folder, folder / "0-2_2.ckpt")
