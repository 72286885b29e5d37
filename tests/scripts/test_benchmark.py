"""The benchmark: its statistics, its arms, and what it makes of results."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindzoo.scripts.dev import benchmark
from mindzoo.scripts.dev.bench import arms, chart, comparisons, measuring, ratios, report, results_file
from mindzoo.scripts.dev.bench.children import ChildFailed
from mindzoo.scripts.dev.bench.comparisons import Comparison
from mindzoo.scripts.dev.bench.peers import Peer
from mindzoo.scripts.dev.bench.workspace import Scale, Workspace
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.errors import UserError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark needs Linux")

SCRIPT = ROOT / "scripts" / "dev" / "benchmark.py"
TINY = ["--small", "--size", "32", "--images", "16", "--seconds", "0.1"]
RULES = measuring.Rules(2, 0.0, "python scripts/dev/benchmark.py")


def benchmarked(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, timeout=300)


def result(**changed: Any) -> dict[str, Any]:
    """A result as it stands in a file."""
    plain: dict[str, Any] = {
        "name": "list",
        "title": "The list",
        "unit": "s",
        "better": "less",
        "made": "2026-01-02",
        "commit": "0123456789abcdef",
        "command": "python scripts/dev/benchmark.py --peers",
        "rounds": 2,
        "seconds": 10.0,
        "size": 224,
        "small": False,
        "base": "mindzoo",
        "arms": [
            {"name": "mindzoo", "does": "lists", "versions": {"numpy": "1.26.4"}, "rounds": [1.0, 2.0], "median": 1.5},
            {"name": "timm", "does": "lists too", "versions": {}, "rounds": [4.0, 4.0], "median": 4.0},
        ],
        "ratios": [{"to": "timm", "rounds": [0.25, 0.5], "low": 0.3125, "median": 0.375, "high": 0.4375}],
    }
    return {**plain, **changed}


def content(*results: dict[str, Any]) -> dict[str, Any]:
    machine = {"cpu": "a CPU", "cores": 2, "memory_gb": 8, "system": "Linux on x86_64", "python": "3.11.7"}
    return {"format": 1, "machine": machine, "comparisons": list(results)}


def test_ratios_are_those_of_the_same_round_and_quartiles_are_known_ones() -> None:
    assert ratios.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    assert ratios.spread([5.0, 1.0, 3.0, 2.0, 4.0]) == ratios.Spread(2.0, 3.0, 4.0)
    assert ratios.spread([1.0, 2.0]) == ratios.Spread(1.25, 1.5, 1.75)
    assert ratios.spread([7.0]) == ratios.Spread(7.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="shorter"):
        ratios.ratios([1.0, 2.0], [1.0])


def test_a_training_step_is_measured_beside_itself(tmp_path: Path) -> None:
    stored, table, bars = tmp_path / "found.json", tmp_path / "table.md", tmp_path / "bars.png"
    outputs = ["--json", stored, "--markdown", table, "--png", bars]
    done = benchmarked("--only", "train:densenet121", "--rounds", 2, *TINY, "--ours-env", "MINDZOO_X=1", *outputs)
    assert done.returncode == 0, done.stderr
    found = json.loads(stored.read_text())
    (comparison,) = found["comparisons"]
    ours, other = comparison["arms"]
    assert (ours["name"], other["name"]) == ("mindzoo", "mindzoo, MINDZOO_X=1")
    assert min(ours["rounds"] + other["rounds"]) > 1  # images/s
    (ratio,) = comparison["ratios"]
    assert ratio["rounds"] == [one / two for one, two in zip(ours["rounds"], other["rounds"], strict=True)]
    assert len(ratio["rounds"]) == 2
    assert ratio["low"] <= ratio["median"] <= ratio["high"]
    assert ours["versions"].keys() == {"mindspore", "numpy", "pillow"}
    said = "benchmark.py --small --rounds 2 --seconds 0.1 --images 16 --size 32 --ours-env MINDZOO_X=1"
    assert comparison["command"].endswith(said)
    assert table.read_text() == report.markdown(found) + "\n"
    assert f"| mindzoo, MINDZOO_X=1 | **{ratio['median']:.2f}** |" in table.read_text()
    assert Image.open(bars).format == "PNG"


def test_a_child_that_dies_ends_the_run_with_its_last_lines() -> None:
    done = benchmarked("--only", "list", "--rounds", 1, "--ours-env", "PYTHONHOME=nowhere")
    assert done.returncode == 1
    assert "ended with status 1; its last lines:" in done.stderr
    assert "No module named 'encodings'" in done.stderr.partition("last lines:")[2]
    assert "Traceback" not in done.stderr


def test_a_signal_leaves_no_process_behind() -> None:
    words = [sys.executable, str(SCRIPT), "--only", "data", "--rounds", "1000", *TINY]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("warm-up" in line for line in process.stderr)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert children
    assert not [child for child in children if Path("/proc", child).exists()]


def program(name: str, code: str, **more: Any) -> arms.Program:
    return arms.Program(name, "runs", sys.executable, (), words=["-c", code], **more)


def measured(tmp_path: Path, *listed: arms.Arm, units: tuple[str, ...] = ("s",)) -> list[dict[str, Any]]:
    compared = Comparison("list", "Programs", units, listed, base=listed[0].name)
    return measuring.measure(compared, Workspace(tmp_path, Scale()), RULES, lambda line: None)


def test_caches_are_new_in_each_round_and_shared_within_it(tmp_path: Path) -> None:
    path = "import os, pathlib; path = pathlib.Path(os.environ['XDG_CACHE_HOME'], 'made')\n"
    first = program("first", f"{path}path.touch(exist_ok=False)", own_cache=True)
    second = program("second", f"{path}assert path.exists()", own_cache=True)
    (found,) = measured(tmp_path, first, second)
    assert [len(arm["rounds"]) for arm in found["arms"]] == [2, 2]
    with pytest.raises(ChildFailed, match="AssertionError"):
        measured(
            tmp_path, first, program("third", f"{path}assert path.exists()", own_cache=True, environment={"A": "1"})
        )


def test_a_rate_leaves_out_the_start(tmp_path: Path) -> None:
    wait = "import time, sys; time.sleep(float(sys.argv[1]))"
    slow = arms.Program(
        "slow", "waits", sys.executable, (),
        words=["-c", wait, "0.5"], images=14, fewer=["-c", wait, "0.1"], fewer_images=4,
    )  # fmt: skip
    found = measured(tmp_path, slow, units=("images/s", "s"))
    rates, seconds = (one["arms"][0]["rounds"] for one in found)
    assert all(10 < rate < 40 for rate in rates)  # 25, where starts take the same time
    assert min(seconds) > 0.5
    never = arms.Program("never", "", sys.executable, (), words=["-c", ""], images=2, fewer=["-c", wait, "0.3"])
    with pytest.raises(ChildFailed, match="no rate can be told"):
        measured(tmp_path, never, units=("images/s",))


def test_the_page_is_made_of_the_file() -> None:
    page = (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8")
    stored = results_file.read(ROOT / "docs" / "BENCHMARKS.json")
    assert report.page(page, stored, "BENCHMARKS.png") == page, (
        "run scripts/dev/benchmark.py --only none --write docs/BENCHMARKS.md"
    )
    filled = report.page(page, content(result()), "BENCHMARKS.png")
    assert "![Ratios of the comparisons below](BENCHMARKS.png)" in filled
    assert "| The list | s | mindzoo | timm | **0.38** | 0.31 to 0.44 |" in filled
    assert "| `list` | mindzoo | s | 1.5 | 1 to 2 |" in filled
    assert "- `list`. mindzoo: lists. timm: lists too." in filled
    assert "- mindzoo: numpy 1.26.4" in filled
    assert "Taken 2026-01-02, commit 012345678, on 2 cores of a CPU, 8 GB, Linux on x86_64, Python 3.11.7." in filled
    assert report.page(filled, stored, "BENCHMARKS.png") == page
    with pytest.raises(ValueError, match="side by side"):
        report.page("no marks", stored, "BENCHMARKS.png")


def test_numbers_have_three_digits() -> None:
    assert [*map(report.number, (1234.5, 99.96, 12.34, 1.234, 0.01234))] == ["1,234", "100.0", "12.3", "1.23", "0.0123"]


def test_a_bar_is_longer_where_ours_is_better() -> None:
    (seconds,), (rate,) = (chart.bars([result(better=better)]) for better in ("less", "more"))
    assert (seconds.low, seconds.median, seconds.high) == pytest.approx((1 / 0.4375, 1 / 0.375, 1 / 0.3125))
    assert (rate.low, rate.median, rate.high) == (0.3125, 0.375, 0.4375)


def inked(picture: Image.Image) -> np.ndarray:
    """The columns that have anything but white."""
    return np.flatnonzero((np.asarray(picture.convert("L")) < 255).any(axis=0))


@pytest.mark.parametrize(("low", "median", "high"), [(1.02, 1.14, 3.0), (0.3, 0.9, 1.1), (9.0, 12.47, 13.0)])
def test_a_number_stands_beyond_the_quartiles_of_its_bar(low: float, median: float, high: float) -> None:
    picture = chart.picture([chart.Bar(("", ""), low, median, high)])
    bottom = picture.height - chart.MARGIN
    row = inked(picture.crop((0, bottom - chart.ROW, picture.width, bottom)))
    (border,) = np.flatnonzero(np.diff(row) > chart.GAP // 2)  # between two pieces, bar with line and number
    pieces = {"bar": row[: border + 1], "number": row[border + 1 :]}
    if median < 1:
        pieces = {"bar": pieces["number"], "number": pieces["bar"]}
    assert np.ptp(pieces["bar"]) > 100
    assert 40 < np.ptp(pieces["number"]) < 70


def test_the_picture_has_room_for_long_labels_and_can_be_read_at_half_its_size() -> None:
    label = ("train:genet_res50 (images/s)", "mindzoo : mindzoo, of a name that is longer than those of today")
    for bar in (chart.Bar(label, 0.01, 0.01, 0.01), chart.Bar(label, 100.0, 123.45, 200.0)):
        picture = chart.picture([bar])
        columns = inked(picture)
        assert columns[0] > chart.MARGIN // 2
        assert columns[-1] < picture.width - chart.MARGIN // 2
    with Image.open(ROOT / "docs" / "BENCHMARKS.png") as drawn:
        assert chart.LETTERS * 600 / drawn.width >= 10  # pixels, on a page of 600


def test_results_take_the_place_of_earlier_ones_and_other_comparisons_stay(tmp_path: Path) -> None:
    held = content(result(name="data"), result(name="list", unit="s"), result(name="list", unit="MB"))
    results_file.add(held, [result(name="list", title="new")], comparisons.NAMES)
    assert [(one["name"], one["title"]) for one in held["comparisons"]] == [("list", "new"), ("data", "The list")]
    with pytest.raises(UserError, match="another machine"):
        results_file.check_machine(tmp_path / "found.json", held)
    (tmp_path / "other.json").write_text('{"rows": []}')
    with pytest.raises(UserError, match="no results of a benchmark"):
        results_file.read(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "train:densenet"], "unknown comparison train:densenet (did you mean train:densenet121?)"),
        (["--ours-env", "MINDZOO_NATIVE"], "wanted NAME=VALUE"),
        (["--small", "--peers"], "leave out --small or --peers"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(words) == 2
    assert said in capsys.readouterr().err


def test_an_environment_has_a_folder_for_its_requirements() -> None:
    peer = Peer(("torch==2.13.0", "pillow>=11.3", "numpy<2"))
    assert peer.packages == ("torch", "pillow", "numpy")
    assert peer.folder != Peer(("torch==2.13.0",)).folder
