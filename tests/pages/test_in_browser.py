"""Every kind of page in Chromium, on a phone and on a screen. A further page is one more line of PAGES."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.tests.reports.runs import write_run
from mindzoo.tests.support import browser
from mindzoo.tests.support.browser import Browser
from mindzoo.tests.support.retrieval_files import FACTS
from mindzoo.utils.reports import page
from mindzoo.utils.reports.reading import read_run
from mindzoo.utils.retrieval import page as query_page

pytestmark = [
    pytest.mark.slow(minutes=0.5),
    pytest.mark.skipif(
        browser.chromium() is None, reason=f"no {' or '.join(browser.NAMES)} here; apt-get install chromium"
    ),
]
LONG = "a_very_long_name_" * 8


def report(folder: Path) -> Path:
    files = write_run(folder / LONG, root=folder / "data").files
    draw(folder / "data", files[:40])
    page.write([read_run(folder / LONG)], folder / "report.html")
    return folder / "report.html"


def comparison(folder: Path) -> Path:
    for name, wrong in ((LONG, 4), ("second", 3)):
        files = write_run(folder / name, root=folder / "data", wrong=wrong).files
    draw(folder / "data", files[:40])
    (folder / "second" / "config.yaml").write_text(f"lr: 0.2\nimage_size: [64, 64]\nnote: {LONG}\n")
    page.write([read_run(folder / name) for name in (LONG, "second")], folder / "compare.html")
    return folder / "compare.html"


def query(folder: Path) -> Path:
    names = [f"{LONG}/{number}.png" for number in range(8)]
    draw(folder, names[:6])
    results = [{"path": name, "rank": rank, "score": 1 - rank / 10} for rank, name in enumerate(names, 1)]
    facts = {"vectors": {**FACTS, "count": 8}, "dimension": 16, "kind": "flat", "whitening": None}
    found = [{"image": str(folder / name), "results": results} for name in names[:2]]
    query_page.write(folder / "query.html", folder, facts, found)
    return folder / "query.html"


def draw(root: Path, names: list[str] | tuple[str, ...]) -> None:
    chance = np.random.default_rng(1)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 255, (30, 40, 3), np.uint8)).save(root / name)


# Name of a page -> writes it below a folder, and says where.
PAGES: dict[str, Callable[[Path], Path]] = {"report": report, "compare": comparison, "query": query}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as one:
        yield one


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: make(tmp_path_factory.mktemp(name)).as_uri() for name, make in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_on_a_phone_and_on_a_screen(chromium: Browser, addresses: dict[str, str], name: str) -> None:
    browser.check(chromium, addresses[name])


def test_the_head_of_a_column_sorts(chromium: Browser, addresses: dict[str, str]) -> None:
    with browser.opened(chromium, addresses["report"]) as shown:
        table = shown.locator("table.sortable").filter(has_text="Mostly taken for")
        head = table.get_by_role("columnheader", name="Hits")
        column = table.locator("tbody td:nth-child(3)")
        before = [int(text) for text in column.all_inner_texts()]
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert [int(text) for text in column.all_inner_texts()] == sorted(before, reverse=True) != before
        shown.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        assert [int(text) for text in column.all_inner_texts()] == sorted(before)


def test_a_curve_shows_its_values(chromium: Browser, addresses: dict[str, str]) -> None:
    with browser.opened(chromium, addresses["report"]) as shown:
        chart = shown.locator("[data-chart]").first
        values = chart.locator(".u-value")
        assert values.all_inner_texts() == ["-", "-", "-"]
        area = chart.locator(".u-over").bounding_box()
        shown.mouse.move(area["x"] + area["width"] / 2, area["y"] + 20)
        assert values.all_inner_texts() == ["2", "1.25", "2"]
        chart.focus()
        shown.keyboard.press("ArrowRight")
        assert values.all_inner_texts() == ["3", "0.83333", "2"]


def test_a_cell_of_the_matrix_says_what_it_is(chromium: Browser, addresses: dict[str, str]) -> None:
    with browser.opened(chromium, addresses["report"]) as shown:
        shown.locator(".matrix rect.wrong").first.hover()
        assert "taken for" in shown.locator(".told").inner_text()


def test_a_box_hides_the_curves_of_its_run(chromium: Browser, addresses: dict[str, str]) -> None:
    with browser.opened(chromium, addresses["compare"]) as shown:
        hidden = shown.locator("[data-chart] >> nth=0").locator(".u-series.u-off")
        box = shown.get_by_role("checkbox", name="second")
        assert hidden.count() == 0
        box.uncheck()
        assert hidden.count() == 2
        assert all("second" in text for text in hidden.all_inner_texts())
        box.press("Space")
        assert hidden.count() == 0


def test_a_run_of_the_table_leads_to_where_it_comes_from(chromium: Browser, addresses: dict[str, str]) -> None:
    with browser.opened(chromium, addresses["compare"]) as shown:
        shown.get_by_role("link", name="second").press("Enter")
        assert shown.locator("#run1").get_by_text("The command was:").is_visible()
        assert not shown.locator("#run0").get_by_text("The command was:").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_box_has_a_shade_where_there_is_more(chromium: Browser, addresses: dict[str, str], scheme: str) -> None:
    """The colour of its edges, at the height of its middle: another than in the middle where it can be scrolled on."""
    with browser.opened(chromium, addresses["report"], 375, scheme) as opened:
        box = opened.query_selector(".box:visible")
        for place, shades in ((0, (False, True)), (60, (True, True)), (10**6, (True, False))):
            box.evaluate("(one, place) => { one.scrollLeft = place }", place)
            drawn = np.asarray(Image.open(io.BytesIO(box.screenshot())).convert("L"), int)
            rows = drawn[60:-60]  # below the head of the table, and not at the lower edge
            ground = np.bincount(rows.ravel()).argmax()
            edges = [abs(np.median(rows[:, column]) - ground) > 20 for column in (1, -2)]
            assert tuple(edges) == shades
