"""A page of its own with the pictures: queries and what was found for them. It loads nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mindzoo.utils.data.look import pixels_of
from mindzoo.utils.data.transforms import Preprocessing, from_pixels, seen
from mindzoo.utils.errors import visible
from mindzoo.utils.files import is_inside, resolved, write_text
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.pages import frame
from mindzoo.utils.pages.frame import escaped
from mindzoo.utils.pages.pictures import data_url
from mindzoo.utils.retrieval.rows import leads_out

SIDE = 240  # of the square that a picture is made to fit into, in pixels

STYLE = """
nav { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 12px 0 0; padding: 0; list-style: none; }
a:focus-visible, li:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
#crops { width: 18px; height: 18px; margin: 16px 6px 0 0; vertical-align: -3px; accent-color: var(--accent); }
.crop { display: none; }
#crops:checked ~ section .crop { display: block; }
section { display: grid; grid-template-columns: 240px minmax(0, 1fr); gap: 24px; margin: 24px 0; padding: 20px;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.query h2 { margin: 0 0 12px; font-size: 17px; overflow-wrap: anywhere; }
.frame { display: flex; align-items: center; justify-content: center; aspect-ratio: 1; overflow: hidden;
  background: var(--empty); border-radius: 8px; color: var(--dim); font-size: 14px; text-align: center; }
.frame img { width: 100%; height: 100%; object-fit: contain; }
.crop .frame { margin-top: 6px; border: 2px solid var(--accent); }
figure { margin: 0; min-width: 0; }
.several { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; align-items: start; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 16px; margin: 0; padding: 0;
  list-style: none; align-content: start; }
li[tabindex] { border-radius: 8px; min-width: 0; }
.rank { display: flex; justify-content: space-between; margin-top: 6px; font-variant-numeric: tabular-nums; }
.rank b { font-weight: 600; }
.name { display: block; color: var(--dim); font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; }
.bar { height: 4px; margin: 4px 0; background: var(--empty); border-radius: 2px; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
@media (max-width: 720px) { section { grid-template-columns: minmax(0, 1fr); } .query { max-width: 240px; }
  ol { grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)); } }
@media print { section { break-inside: avoid; } nav { display: none; } }
"""


class Crops:
    """What the network sees of pictures, as small data URLs.

    Args:
        facts: of the index.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.how = Preprocessing.from_dict(facts["vectors"]["preprocessing"])
        self.taken: dict[Path, str] = {}  # of the questions

    def take(self, path: Path, image: np.ndarray) -> None:
        """Keep what the network got of a question's file: (3, H, W) float32."""
        self.taken[path] = self.drawn(image)

    def of(self, pixels: np.ndarray) -> str:
        """What it would get of a picture (H, W, 3) uint8 RGB; empty where that cannot be resized."""
        try:
            self.how.check_size(pixels.shape[1], pixels.shape[0])
        except Fault:
            return ""
        return self.drawn(from_pixels(pixels, self.how))

    def drawn(self, image: np.ndarray) -> str:
        return data_url(Image.fromarray(seen(image, self.how)), SIDE, quality=85)


def write(
    path: Path,
    root: str | Path,
    facts: Mapping[str, Any],
    found: Sequence[Mapping[str, Any]],
    crops: Crops | None = None,
) -> int:
    """Write the page.

    Args:
        root: the folder below which the pictures of the index lie.
        facts: of the index.
        found: as `query.query` returns it.
        crops: what the network got of the questions; of others it is made again.

    Returns:
        How many pictures were left out, since a link leads out of `root`.

    Raises:
        UserError: it cannot be written.
    """
    crops = crops or Crops(facts)
    views = lru_cache(maxsize=4096)(partial(_views, crops=crops))
    root = Path(root)
    names = {result["path"] for row in found for result in row["results"]}
    elsewhere = _elsewhere(names, root)
    known = {name: ("", "") if name in elsewhere else views(root / name) for name in names}
    sections = [_section(number, row, known, views) for number, row in enumerate(found, 1)]
    links = [f'<li><a href="#q{number}">{escaped(_title(row))}</a></li>' for number, row in enumerate(found, 1)]
    menu = f'<nav aria-label="Queries"><ul>{"".join(links)}</ul></nav>' if len(found) > 1 else ""
    switch = f"""<input type="checkbox" id="crops"><label for="crops">Show what the network saw of each picture:
{_size(facts)} pixels</label>
"""
    content = frame.document("Nearest images", _description(facts), switch + "".join(sections), style=STYLE, menu=menu)
    write_text(path, content)
    return len(elsewhere)


def images_of(row: Mapping[str, Any]) -> list[str]:
    """The pictures of a question, of which `query.query` returns a row."""
    return row["images"] if "images" in row else [row["image"]]


def _elsewhere(names: Collection[str], root: Path) -> set[str]:
    """Those of the names that lead out of the folder, by themselves or through a link."""
    try:
        top = resolved(root)
    except OSError:  # a link to itself
        return set(names)
    return {name for name in names if leads_out(name) or not is_inside(root / name, top)}


def _section(number: int, row: Mapping[str, Any], known: Mapping[str, tuple[str, str]], views: Any) -> str:
    title = escaped(_title(row))
    results = "".join(_result(result, known) for result in row["results"])
    return f"""<section id="q{number}" aria-labelledby="h{number}">
<div class="query"><h2 id="h{number}">{title}</h2>{_question(images_of(row), views)}</div>
<ol aria-label="Nearest to {title}">
{results}</ol>
</section>
"""


def _question(images: Sequence[str], views: Any) -> str:
    """The pictures of a question; each of several has its name below it."""
    names = [escaped(_name(image)) for image in images]
    pictures = [_pair(views(Path(image)), f"Query: {name}") for image, name in zip(images, names, strict=True)]
    if len(images) == 1:
        return pictures[0]
    figures = [
        f'<figure>{picture}<figcaption class="name">{name}</figcaption></figure>\n'
        for picture, name in zip(pictures, names, strict=True)
    ]
    return f'<div class="several">{"".join(figures)}</div>'


def _result(result: Mapping[str, Any], known: Mapping[str, tuple[str, str]]) -> str:
    """One picture with rank, cosine and path; it can be reached with the tab key, so that it is read out."""
    path, score = escaped(visible(result["path"])), float(result["score"])
    share = min(max(score, 0.0), 1.0)
    return f"""<li tabindex="0">{_pair(known[result["path"]], path)}
<span class="rank"><b>{int(result["rank"])}</b><span title="cosine">{score:.4f}</span></span>
<div class="bar" aria-hidden="true"><i style="width:{share:.1%}"></i></div><span class="name">{path}</span></li>
"""


def _pair(sources: tuple[str, str], label: str) -> str:
    """A picture, and what the network saw of it; `label` is escaped already."""
    whole, crop = sources
    return _frame(whole, label) + (
        f'<div class="crop">{_frame(crop, f"{label}, as the network saw it")}</div>' if crop else ""
    )


def _frame(source: str, label: str) -> str:
    inside = f'<img src="{source}" alt="{label}">' if source else "picture cannot be read"
    return f'<div class="frame">{inside}</div>'


def _views(path: Path, crops: Crops) -> tuple[str, str]:
    """The picture as a data URL, small, and the way up in which the network saw it, and what it saw; empty where it cannot be read."""
    try:
        pixels = pixels_of(path, crops.how.orientation)
    except Fault:
        return "", ""
    return data_url(Image.fromarray(pixels), SIDE, quality=85), crops.taken.get(path) or crops.of(pixels)


def _description(facts: Mapping[str, Any]) -> str:
    vectors = facts["vectors"]
    whitened = ", whitened" if facts["whitening"] else ""
    return (
        f"{vectors['network']} at {_size(facts)} pixels, checkpoint {vectors['checkpoint']['sha256'][:12]}; "
        f"{vectors['count']:,} images, {facts['dimension']:,} numbers each{whitened}, index of kind {facts['kind']}"
    )


def _size(facts: Mapping[str, Any]) -> str:
    """Height and width of what the network gets."""
    return "x".join(map(str, facts["vectors"]["preprocessing"]["image_size"]))


def _title(row: Mapping[str, Any]) -> str:
    images = images_of(row)
    return _name(images[0]) if len(images) == 1 else f"{len(images)} pictures, one question"


def _name(path: str) -> str:
    """File and folder: in class folders the file names repeat."""
    return visible("/".join(part for part in Path(path).parts[-2:] if part != "/"))
