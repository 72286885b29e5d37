"""The page: whole, safe, small and soon there; written by the command, and at the end of every run."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from mindzoo import cli
from mindzoo.models.densenet121 import SPEC
from mindzoo.tests.reports.runs import HOSTILE, write_run
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained, newest_run
from mindzoo.utils import commands
from mindzoo.utils.reports import page, predictions, report
from mindzoo.utils.reports.keys import ReportConfig
from mindzoo.utils.reports.reading import read_run


class Parsed(HTMLParser):
    """The elements, texts and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("others", [[], ["<u>'\"<script>\u202e&amp;" + "x" * 200]])
def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path, others: list[str]) -> None:
    runs = [tmp_path / name for name in ["<script><u>run", *others]]
    for wrong, folder in enumerate(runs, 3):
        write_run(folder, wrong=wrong)
    text = page.text([*map(read_run, runs)])
    found = Parsed(text)
    assert found.tags.count("script") == 3
    assert "u" not in found.tags
    assert "alert(1)</script>" not in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
    for name in HOSTILE:
        assert any(name.encode("unicode_escape").decode() in said or name[:15] in said for said in found.texts), name


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    found = Parsed(page.text([read_run(tmp_path / "run")]))
    assert any(text.startswith("tiny_net") for text in found.texts)
    assert {address.split(":")[0] for address in found.addresses} <= {"data"}
    assert not {"link", "iframe", "object"} & {*found.tags}


def test_pictures_are_small_and_in_the_page(tmp_path: Path) -> None:
    names = write_run(tmp_path / "run", root=tmp_path / "data").files
    for name in names[:40]:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (400, 100), (200, 30, 30)).save(tmp_path / "data" / name)
    pictures = [
        one for one in Parsed(page.text([read_run(tmp_path / "run")])).addresses if one.startswith("data:image")
    ]
    assert 10 <= len(pictures) <= 48
    assert max(map(len, pictures)) < 2000


def test_a_picture_outside_of_the_data_is_not_shown(tmp_path: Path) -> None:
    write_run(tmp_path / "run", root=tmp_path / "data")
    (tmp_path / "data").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    path = tmp_path / "run" / "predictions.jsonl"
    first, *lines = path.read_text().rstrip("\n").split("\n")
    rows = [json.dumps(["../secret.png", *json.loads(line)[1:]]) for line in lines]
    path.write_text("\n".join([first, *rows]))
    text = page.text([read_run(tmp_path / "run")])
    assert "secret.png" in text
    assert "data:image" not in text


def test_a_thousand_classes_and_fifty_thousand_images(tmp_path: Path) -> None:
    write_run(tmp_path / "run", classes=1000, images=50_000, epochs=100)
    started = time.perf_counter()
    report.run(ReportConfig((str(tmp_path / "run"),)))
    assert time.perf_counter() - started < 20
    text = (tmp_path / "run" / "report.html").read_text()
    assert len(text.encode()) < 3_000_000
    assert text.count("n00000999") > 1


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "run")
    assert cli.main(["report", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").exists()
    assert cli.main(["report", str(tmp_path / "run"), str(tmp_path / "run")]) == 0
    assert "1: run" in Path("compare.html").read_text()
    capsys.readouterr()
    for words, said in (
        ([], "no run is given"),
        (["."], "is not the folder of a run"),
        (["."] * 2 + ["--output", "x.pdf"], ".html"),
    ):
        assert cli.main(["report", *words]) == 2
        assert said in capsys.readouterr().err


def test_what_is_damaged_is_said_on_the_terminal_as_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "run" / "predictions.jsonl").write_text("[")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write("\x00\nno\n{")
    assert cli.main(["report", str(tmp_path / "run")]) == 0
    said, text = capsys.readouterr().out, (tmp_path / "run" / "report.html").read_text()
    for words in ("3 lines of metrics.jsonl cannot be read", "predictions.jsonl is damaged"):
        assert words in said
        assert words in text


def test_the_command_needs_no_mindspore(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / 'utils' / 'importable.py')!r}, run_name='importable')\n"
        "sys.modules['mindspore'] = None\n"
        "from mindzoo.cli import main\n"
        f"raise SystemExit(main(['report', {str(tmp_path / 'run')!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_training_and_an_evaluation_write_theirs(trained: Trained, tmp_path: Path) -> None:
    assert "Most confident mistakes" in (trained.folder / "report.html").read_text()
    gc.collect()  # see run_train
    flags = [
        "--data_dir",
        str(trained.data),
        "--checkpoint",
        str(trained.checkpoint),
        "--output_dir",
        str(tmp_path / "out"),
    ]
    assert commands.evaluate(SPEC, [*flags, "--device_target", "CPU", "--is_distributed", "0"]) == 0
    folder = newest_run(tmp_path / "out")
    found = predictions.read(folder / "predictions.jsonl")
    of_training = predictions.read(trained.folder / "predictions.jsonl")
    assert found.files == of_training.files
    assert len(found) == 13
    assert found.hits.all()
    text = (folder / "report.html").read_text()
    assert "0-4_6.ckpt" in text
    assert "<p>densenet121, 20" in text
    assert text.count("data:image/jpeg") == 13


def test_what_goes_wrong_at_the_end_of_a_run_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "run" / "report.html").mkdir()
    with caplog.at_level("INFO", logger="mindzoo"):
        report.write_at_end(tmp_path / "run")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "there is no report.html" in caplog.text
