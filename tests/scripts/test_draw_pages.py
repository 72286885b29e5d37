"""The pictures of the documents are of the pages that README's commands leave."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mindzoo.tests.support.paths import ROOT

SCRIPT = ROOT / "scripts" / "dev" / "draw_pages.py"


def test_pages_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "answers.html").touch()
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path} has no first/*/report.html")
    assert "answers.html" not in done.stderr
    assert "Traceback" not in done.stderr


def test_every_picture_is_of_a_page_that_readme_makes() -> None:
    drawn = {path.stem for path in (ROOT / "docs" / "pictures").glob("*.png")}
    scenes = dict(re.findall(r'^    "(\w+)": \("([^"]+)"', SCRIPT.read_text(encoding="utf-8"), re.MULTILINE))
    assert drawn == {*scenes, "batch"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(page in readme for page in scenes.values())
