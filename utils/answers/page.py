"""The page of predictions: every picture with bars of what the network said. It loads nothing from anywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mindzoo.utils.answers.answer import UNSURE, Answer, share
from mindzoo.utils.drawing import ramp
from mindzoo.utils.errors import UserError, counted, visible
from mindzoo.utils.files import write_text
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.pages import frame
from mindzoo.utils.pages.frame import escaped
from mindzoo.utils.pages.pictures import data_url

ASSETS = Path(__file__).with_name("assets")
SIDE = 240  # of the square that a picture is made to fit into, in pixels
MOST_PICTURES = 2000  # some 10 kB each
LONGEST_NAME = 120  # characters that are shown
Picture = Callable[[int], Image.Image]  # the place of an image -> RGB; raises Fault or OSError


@dataclass(frozen=True)
class About:
    """What the page says of all images."""

    network: str  # what computed, and with which weights: a sentence without its end
    reading: str = ""  # how a heat map is to be read; "" where there are none
    ends: tuple[str, str] = ("", "")  # what the darkest and the lightest colour mean


def write(path: Path, answers: Sequence[Answer], about: About, picture: Picture, heat_map: Picture) -> None:
    """Write the page.

    Args:
        picture: of every image that could be read.
        heat_map: of every image that has one, of the picture's shape.

    Raises:
        UserError: it cannot be written.
    """
    shown = answers[:MOST_PICTURES]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(map(_best, shown)))}
    tiles = [_tile(place, answer, numbers, picture, heat_map) for place, answer in enumerate(shown)]
    main = f'{_controls(shown, numbers, about)}<ol class="tiles" id="tiles">\n{"".join(tiles)}</ol>\n<script>{_asset("answers.js")}</script>\n'
    style = _asset("answers.css").replace("var(--ramp)", ramp.css())
    write_text(path, frame.document("Predictions", _description(answers, about), main, style=style))


def _best(answer: Answer) -> str:
    """The most probable class; "" where the image could not be read."""
    return answer.classes[0][0] if answer.classes else ""


def _description(answers: Sequence[Answer], about: About) -> str:
    unread = sum(bool(answer.fault) for answer in answers)
    parts = [counted(len(answers), "image")]
    if unread:
        parts.append(f"{unread} could not be read")
    if unsure := sum(bool(answer.unsure) for answer in answers):
        parts.append(f"{unsure} {UNSURE}")
    if len(answers) > MOST_PICTURES:
        parts.append(f"the first {MOST_PICTURES:,} are shown")
    return f"{visible(about.network)}; {', '.join(parts)}"


def _controls(shown: Sequence[Answer], numbers: dict[str, int], about: About) -> str:
    """The form that the script makes work; without it every picture is there, in the order given."""
    counts = Counter(map(_best, shown))
    kinds = [("", f"all ({len(shown)})")]
    if unsure := sum(bool(answer.unsure) for answer in shown):
        kinds.append((UNSURE, f"{UNSURE} ({unsure})"))
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        label = f"{_short(name)} ({counts[name]})" if name else f"could not be read ({counts[name]})"
        kinds.append((str(numbers[name]), label))
    options = "".join(f'<option value="{value}">{escaped(label)}</option>' for value, label in kinds)
    orders = {
        "given": "as given",
        "most": "most sure first",
        "least": "least sure first",
        "name": "name",
        "class": "class",
    }
    sorting = "".join(f'<option value="{value}">{label}</option>' for value, label in orders.items())
    heat = legend = ""
    if about.reading:
        heat = '<label class="check"><input type="checkbox" id="heat"> Heat maps</label>'
        low, high = map(escaped, about.ends)
        legend = (
            f'<figure class="legend"><div class="ramp" aria-hidden="true"></div><div class="ends"><span>{low}</span>'
            f"<span>{high}</span></div><figcaption>Heat maps: {escaped(about.reading)}. "
            f"The pictures are what the network saw, resized and cropped.</figcaption></figure>"
        )
    return f"""<form class="controls" id="controls" hidden>
<label>Class <select id="class">{options}</select></label>
<label>Order <select id="order">{sorting}</select></label>
{heat}<output id="count" for="class">{counted(len(shown), "image")}</output>
</form>
{legend}"""


def _tile(place: int, answer: Answer, numbers: dict[str, int], picture: Picture, heat_map: Picture) -> str:
    """One image; the data are for the script."""
    name = escaped(_name(answer.image))
    sure = answer.classes[0][1] if answer.classes else -1.0
    data = f'data-place="{place}" data-class="{numbers[_best(answer)]}" data-sure="{sure:.6g}"'
    if answer.fault:
        inside = f'<div class="frame unread"><span>{escaped(visible(answer.fault))}</span></div>'
        return f'<li class="tile" {data}>{inside}<h2><bdi>{name}</bdi></h2><p class="mark bad">could not be read</p></li>\n'
    bars = "".join(_bar(*named) for named in answer.classes)
    mark = f'<p class="mark">{UNSURE}</p>' if answer.unsure else ""
    return (
        f'<li class="tile" {data}{" data-unsure" if answer.unsure else ""}>{_framed(place, answer, name, picture, heat_map)}'
        f'<h2><bdi title="{escaped(visible(answer.image))}">{name}</bdi></h2>{mark}<ul class="bars">{bars}</ul></li>\n'
    )


def _framed(place: int, answer: Answer, name: str, picture: Picture, heat_map: Picture) -> str:
    """The picture; where there is a heat map, as a button that changes between the two. `name` is escaped already."""
    source = _source(picture, place)
    if not source:
        return '<div class="frame unread"><span>the picture is not there any more</span></div>'
    image = f'<img src="{source}" alt="{name}">'
    heat = _source(heat_map, place) if answer.heat_map else ""
    if not heat:
        return f'<div class="frame">{image}</div>'
    return (
        f'<button type="button" class="frame" aria-pressed="false" aria-label="Heat map of {name}">{image}'
        f'<img class="heat" src="{heat}" alt=""></button>'
    )


def _source(picture: Picture, place: int) -> str:
    """A picture as a data URL; "" where it cannot be read."""
    try:
        return data_url(picture(place), SIDE, quality=82)
    except (Fault, UserError, OSError):
        return ""


def _bar(name: str, probability: float) -> str:
    width = min(max(probability, 0.0), 1.0) if probability == probability else 0.0
    return (
        f"<li><span><bdi>{escaped(_short(name))}</bdi></span><b>{share(probability)}</b>"
        f'<i aria-hidden="true"><i style="width:{width:.1%}"></i></i></li>'
    )


def _name(path: str) -> str:
    """File and folder: in class folders the file names repeat."""
    return _short("/".join(part for part in Path(path).parts[-2:] if part != "/"))


def _short(text: str) -> str:
    shown = visible(text)
    half = (LONGEST_NAME - 1) // 2
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:half]}…{shown[-half:]}"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
