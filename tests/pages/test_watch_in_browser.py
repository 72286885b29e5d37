"""The pages of `mindzoo watch` in Chromium: what a person did to them stays while they are refreshed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mindzoo.tests.reports.runs import write_run
from mindzoo.tests.support import browser
from mindzoo.tests.support.browser import Browser
from mindzoo.utils.watching import watch
from mindzoo.utils.watching.keys import WatchConfig
from mindzoo.utils.watching.runs import identity_of
from mindzoo.utils.watching.server import Server

pytestmark = [
    pytest.mark.slow(minutes=0.5),
    pytest.mark.skipif(
        browser.chromium() is None, reason=f"no {' or '.join(browser.NAMES)} here; apt-get install chromium"
    ),
]
LONG = "a_very_long_name_" * 8
SOON = 8000  # milliseconds, more than the pages wait before they ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("first", LONG, "third"):
        write_run(tmp_path / name)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with watch.opened(WatchConfig((str(folder),))) as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as one:
        yield one


def add(run: Path, kind: str, epoch: int) -> None:
    values = {
        "epoch": '"epochs": 9, "mean_loss": 0.25, "lr": 0.1',
        "evaluation": '"top1": 70, "top5": 70, "total": 70, "k": 5, "loss": 0.1',
    }[kind]
    with (run / "metrics.jsonl").open("a") as file:
        file.write(f'{{"kind": "{kind}", "epoch": {epoch}, {values}}}\n')


def test_the_pages_work_on_a_phone_and_on_a_screen(chromium: Browser, server: Server, folder: Path) -> None:
    browser.check(chromium, server.url)
    browser.check(chromium, f"{server.url}run/{identity_of(folder / LONG)}")


def test_a_page_of_a_run_changes_and_keeps_what_was_done(chromium: Browser, server: Server, folder: Path) -> None:
    run = folder / "first"
    with browser.opened(chromium, f"{server.url}run/{identity_of(run)}", 375) as shown:
        shown.locator(".live", has_text="This run: going on.").wait_for()
        summary = shown.locator("figure summary").first
        summary.click()
        shown.locator("figure .sortable thead button").first.click()
        summary.focus()
        shown.evaluate("scrollTo(0, 700)")
        rows = shown.locator("figure .sortable tbody").first.locator("tr")
        assert [rows.nth(place).locator("td").first.inner_text() for place in range(3)] == ["3", "2", "1"]
        shown.evaluate("document.querySelector('.chart').id = 'old'")
        for kind, cell in (("epoch", "0.25"), ("evaluation", "0.1")):
            add(run, kind, 3)
            rows.first.locator("td", has_text=cell).wait_for(timeout=SOON)
            assert rows.first.locator("td").first.inner_text() == "4"
            assert shown.evaluate("scrollY") == 700
            assert shown.evaluate("document.activeElement.tagName") == "SUMMARY"
            assert summary.evaluate("one => one.parentNode.open")
            assert shown.locator("#old").count() == (kind == "epoch"), "only an evaluation brings the whole page"
        assert shown.locator(".cards").get_by_text("100.00%").count() == 1


def test_runs_are_chosen_in_a_list_that_changes(chromium: Browser, server: Server, folder: Path) -> None:
    with browser.opened(chromium, server.url) as shown:
        for name in ("first", "third"):
            shown.get_by_role("checkbox", name=f"Curves of {name}").check()
        shown.locator("#chosen .u-legend").first.get_by_text("third validation").wait_for()
        shown.locator("#chosen").get_by_role("checkbox", name="third").uncheck()
        shown.get_by_role("columnheader", name="Epoch").first.get_by_role("button").click()
        add(folder / "third", "epoch", 3)
        write_run(folder / "fourth")
        shown.get_by_role("link", name="fourth").wait_for(timeout=SOON)
        assert shown.locator("table").first.locator("tbody tr").first.inner_text().startswith("third")
        assert shown.get_by_role("checkbox", name="Curves of third").is_checked()
        assert not shown.locator("#chosen").get_by_role("checkbox", name="third").is_checked()
        assert shown.locator("#chosen .u-series.u-off").count() > 0
