"""Pages in a real browser: the system's Chromium, which playwright leads, and axe, which looks for what shuts people out.

`check` is what every page must pass, whatever is on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A phone and a screen. Contrasts depend on the scheme alone, and the layout on the width alone.
VIEWS = ((375, "light"), (1280, "dark"))
HEIGHT = 900
GRAVE = ("serious", "critical")
MOST_STOPS = 500  # of the tab key
# Playwright's objects have no types here: they are installed with the tools of the tests only.
Browser = Any
Page = Any

# What the tab key must reach: of a group of radio buttons one is enough, and what is folded cannot be reached.
REACHABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((one) => !one.disabled && one.type !== "radio" && one.checkVisibility({ visibilityProperty: true })).length"""
# Whether something new has the focus, and whether that can be seen.
FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body || one.dataset.reached) return null;
  one.dataset.reached = "yes";
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
  const seen = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  const counts = one.type !== "radio";
  return { counts, fault: seen ? "" : one.outerHTML.slice(0, 200) };
}"""


def chromium() -> str | None:
    """The program, where this machine has it."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started() -> Iterator[Browser]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> Iterator[Page]:
    """A page. When it is closed, it must have said no error and asked for nothing from elsewhere."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    page, errors, asked = context.new_page(), [], []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert not errors, errors
    own = (_origin(address), ("data", ""), ("blob", ""))
    elsewhere = [url[:200] for url in asked if _origin(url) not in own]
    assert not elsewhere, elsewhere


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc


def check(browser: Browser, address: str) -> None:
    """Open a page on a phone and on a screen, light and dark.

    No error is said and nothing asked for from elsewhere; nothing is wider than the page; axe finds nothing grave; the
    tab key reaches everything, and shows where it is.
    """
    for width, scheme in VIEWS:
        with opened(browser, address, width, scheme) as page:
            assert _excess(page) <= 0, f"wider than {width} pixels"
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            assert _excess(page) <= 0, f"unfolded wider than {width} pixels"
            faults = grave_faults(page)
            assert not faults, faults
            check_keyboard(page)


def _excess(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def grave_faults(page: Page) -> list[str]:
    """What axe finds that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found
        if fault["impact"] in GRAVE
    ]


def check_keyboard(page: Page) -> None:
    """Go through the page by the tab key alone."""
    wanted, reached = page.evaluate(REACHABLE), 0
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        assert not focused["fault"], f"the focus cannot be seen on {focused['fault']}"
        reached += focused["counts"]
    assert reached >= wanted, f"the tab key reaches {reached} of {wanted}"
