"""The page and the contact sheet of predictions: names that would do harm, images that are missing, numbers that are none."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindzoo.utils.answers import page, sheet
from mindzoo.utils.answers.answer import Answer, is_unsure
from mindzoo.utils.answers.page import About
from mindzoo.utils.drawing.contact_sheet import MARGIN, SIDE
from mindzoo.utils.errors import UserError
from mindzoo.utils.images.fault import Fault

NAME = '<script>alert("1")</script>\n\udce9\u202e数字'
SURE, UNSURE = (
    Answer("a/1.png", (("red", 0.9), (NAME, 0.1)), False, "1.png"),
    Answer(NAME, ((NAME, 0.4), ("red", 0.3)), True),
)
GONE, UNREAD = Answer("gone.png", (("red", float("nan")),), True), Answer("b/2.png", fault="is cut off & <b>broken</b>")
ANSWERS = [SURE, UNSURE, GONE, UNREAD]


def picture(place: int) -> Image.Image:
    if place == 2:
        raise Fault("is gone")
    return Image.new("RGB", (30, 20), (200, 30, 40))


class Parsed(HTMLParser):
    """Tags with their attributes, and what is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def all(self, tag: str, key: str) -> list[str | None]:
        """The values of an attribute of all tags of a name that have it."""
        return [values[key] for name, values in self.tags if name == tag and key in values]


@pytest.fixture
def written(tmp_path: Path) -> Parsed:
    about = About("Net at 32x32 pixels", "bright places", ("nothing", "most"))
    page.write(tmp_path / "page.html", ANSWERS, about, picture, picture)
    return Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_the_page_has_every_image_with_its_bars_and_its_mark(written: Parsed) -> None:
    assert written.all("li", "data-place") == ["0", "1", "2", "3"]
    assert written.all("li", "data-sure") == ["0.9", "0.4", "nan", "-1"]
    assert written.all("i", "style") == ["width:90.0%", "width:10.0%", "width:40.0%", "width:30.0%", "width:0.0%"]
    assert len(written.all("li", "data-unsure")) == 2
    assert "Net at 32x32 pixels; 4 images, 1 could not be read, 2 unsure" in written.shown
    assert "is cut off & <b>broken</b>" in written.shown
    assert "the picture is not there any more" in written.shown
    # Classes of the most probable kind, and what else can be chosen; "" is all.
    assert written.all("option", "value")[:5] == ["", "unsure", "0", "2", "1"]


def test_a_heat_map_is_behind_a_button_that_says_so(written: Parsed) -> None:
    assert written.all("button", "aria-pressed") == ["false"]
    assert written.all("button", "aria-label") == ["Heat map of a/1.png"]
    sources = written.all("img", "src")
    assert len(sources) == 3  # two pictures and a heat map
    assert all(source and source.startswith("data:image/jpeg;base64,") for source in sources)


def test_names_do_no_harm(written: Parsed) -> None:
    scripts = [values for tag, values in written.tags if tag == "script"]
    assert scripts == [{}]
    shown = r'<script>alert("1")</script>\n\xe9\u202e数字'
    assert written.shown.count(shown) == 3  # as a class of two images, and as the name of one


def test_a_page_without_heat_maps_and_without_a_threshold(tmp_path: Path) -> None:
    page.write(tmp_path / "page.html", [Answer("a.png", (("red", 1.0),))], About("Net"), picture, picture)
    parsed = Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert parsed.all("option", "value")[:2] == ["", "0"]
    assert parsed.all("input", "id") == parsed.all("button", "type") == []
    assert "Net; 1 image" in parsed.shown


def test_a_page_shows_the_first_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_PICTURES", 2)
    page.write(tmp_path / "page.html", ANSWERS, About("Net"), picture, picture)
    parsed = Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert parsed.all("li", "data-place") == ["0", "1"]
    assert "Net; 4 images, 1 could not be read, 2 unsure, the first 2 are shown" in parsed.shown


def test_a_sheet_has_a_tile_for_every_image(tmp_path: Path) -> None:
    sheet.write(tmp_path / "sheet.png", ANSWERS, picture)
    with Image.open(tmp_path / "sheet.png") as written:
        drawn = np.asarray(written.convert("RGB")).astype(int)
    step = SIDE + MARGIN
    assert drawn.shape[1] == 3 * step + MARGIN
    centres = [drawn[MARGIN + SIDE // 2, MARGIN + SIDE // 2 + place * step] for place in range(3)]
    assert [tuple(centre) for centre in centres[:2]] == [(200, 30, 40)] * 2
    assert tuple(centres[2]) != (200, 30, 40)
    # The fourth is in the second row: its ground is that of images that could not be read.
    assert tuple(drawn[drawn.shape[0] // 2 + SIDE // 2, MARGIN + 2]) == (253, 236, 235)


def test_a_sheet_that_cannot_be_written_is_said() -> None:
    with pytest.raises(UserError, match="cannot write none/sheet"):
        sheet.write(Path("none/sheet.png"), [SURE], picture)


def test_an_answer_goes_to_another_rank_and_back() -> None:
    assert [Answer.from_json(answer.to_json()) for answer in (SURE, UNSURE, UNREAD)] == [SURE, UNSURE, UNREAD]


@pytest.mark.parametrize(
    ("probability", "threshold", "unsure"),
    [(0.4, 0.0, None), (0.4, 0.5, True), (0.5, 0.5, False), (float("nan"), 0.5, True)],
)
def test_unsure_is_below_the_threshold(probability: float, threshold: float, unsure: bool | None) -> None:
    assert is_unsure(probability, threshold) is unsure
    answer = Answer("a", (("red", probability),), unsure)
    assert answer.line.startswith("unsure: red") is bool(unsure)
    assert answer.row().get("unsure") is unsure
