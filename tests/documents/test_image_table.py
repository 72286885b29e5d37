"""The table of docs/IMAGES.md is what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mindzoo.tests.documents import image_table
from mindzoo.tests.support.paths import ROOT


@pytest.mark.parametrize("page", image_table.HEADS)
def test_each_kind_of_file_is_treated_as_the_page_says(page: str, capfd: pytest.CaptureFixture[str]) -> None:
    """All commands agree, pixels are those that the page names, and nothing is left in the user's folder (R12)."""
    wanted = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert image_table.replaced(page) == wanted, "python tests/documents/image_table.py --write"
    assert list(Path.cwd().iterdir()) == []
    assert "libpng warning" not in capfd.readouterr().err
