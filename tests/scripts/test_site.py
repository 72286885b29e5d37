"""The documents as a site: it is built without a warning, has every document, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.tests.support.paths import ROOT

LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]+src=\"?(?:https?:)?//|<link[^>]+rel=\"?(?:stylesheet|preload)[^>]+href=\"?(?:https?:)?//"
)


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--config-file",
        str(ROOT / "mkdocs.yml"),
        "--site-dir",
        str(folder),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/**/*.md")]
    assert len(documents) > 40
    for path in documents:
        page = path.relative_to(ROOT).with_suffix(".html")
        page = page.with_name("index.html") if path.name == "README.md" else page
        assert (site / page).is_file(), page


def test_a_link_of_the_clone_leads_to_the_same_page_of_the_site(site: Path) -> None:
    readme = (site / "models" / "densenet121" / "index.html").read_text(encoding="utf-8")
    assert "../../docs/KEYS.html" in readme
    assert (site / "docs" / "BENCHMARKS.png").is_file()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert [page.name for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
