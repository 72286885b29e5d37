"""Take the pictures of the documents: the pages that README's first ten minutes leave, opened in Chromium, and a sheet of pictures.

    python scripts/dev/draw_pages.py [FOLDER]

FOLDER, by default the current one, has first/, second/, answers.html and compare.html, as README's commands write them, and
batch.png, as the first command of docs/TRAINING.md's section on augmentation writes it.
The pictures go to docs/pictures/. It needs playwright, of the extra dev, and Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1100, 760
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
Page = Any  # playwright's, which is installed with the tools of the tests only


def show_heat_maps(page: Page) -> None:
    page.get_by_label("Heat maps").check()


def scroll_to(title: str) -> Callable[[Page], None]:
    def scroll(page: Page) -> None:
        page.get_by_role("heading", name=title).evaluate("head => head.scrollIntoView()")

    return scroll


# Picture -> the page as a pattern below FOLDER, and what is done on it before.
SCENES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "report": ("first/*/report.html", lambda page: None),
    "mistakes": ("first/*/report.html", scroll_to("Most confident mistakes")),
    "heat_maps": ("answers.html", show_heat_maps),
    "compare": ("compare.html", scroll_to("Curves")),
}

SHEET = "batch.png"  # is there already


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER")
    folder: Path = parser.parse_args().folder
    pages = {name: next(iter(sorted(folder.glob(pattern))), None) for name, (pattern, _) in SCENES.items()}
    missing = [SCENES[name][0] for name, page in pages.items() if page is None]
    if missing or not (folder / SHEET).is_file():
        wanted = ", ".join(missing) or SHEET
        sys.stderr.write(f"error: {folder} has no {wanted}; run the commands that --help names\n")
        return 2
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        sys.stderr.write(f"error: there is no {' or '.join(CHROMIUM)}; apt-get install chromium\n")
        return 2
    PICTURES.mkdir(exist_ok=True)
    keep(Image.open(folder / SHEET), "batch")
    draw({name: page.resolve().as_uri() for name, page in pages.items() if page}, browser)
    return 0


def draw(addresses: dict[str, str], browser: str) -> None:
    """Write a PNG for each scene."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser)
        for name, address in addresses.items():
            page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
            page.goto(address)
            SCENES[name][1](page)
            page.wait_for_timeout(300)  # until curves are drawn and pictures are decoded
            keep(Image.open(io.BytesIO(page.screenshot())), name)
        opened.close()


def keep(picture: Image.Image, name: str) -> None:
    """Write a picture of the documents, with a third of the bytes."""
    picture.convert("RGB").quantize(256).save(PICTURES / f"{name}.png", optimize=True)
    sys.stdout.write(f"{PICTURES / name}.png\n")


if __name__ == "__main__":
    raise SystemExit(main())
