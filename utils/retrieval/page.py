"""A page of its own with the pictures: queries and what was found for them. It loads nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from PIL import Image

from mindzoo.utils.data.look import pixels_of
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
a:focus-visible, li:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
section { display: grid; grid-template-columns: 240px minmax(0, 1fr); gap: 24px; margin: 24px 0; padding: 20px;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.query h2 { margin: 0 0 12px; font-size: 17px; overflow-wrap: anywhere; }
.frame { display: flex; align-items: center; justify-content: center; aspect-ratio: 1; overflow: hidden;
  background: var(--empty); border-radius: 8px; color: var(--dim); font-size: 14px; text-align: center; }
.frame img { width: 100%; height: 100%; object-fit: contain; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 16px; margin: 0; padding: 0;
  list-style: none; align-content: start; }
li[tabindex] { border-radius: 8px; min-width: 0; }
.rank { display: flex; justify-content: space-between; margin-top: 6px; font-variant-numeric: tabular-nums; }
.rank b { font-weight: 600; }
.name { display: block; color: var(--dim); font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; }
.bar { height: 4px; margin: 4px 0; background: var(--empty); border-radius: 2px; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
@media (max-width: 720px) { section { grid-template-columns: minmax(0, 1fr); } .query .frame { max-width: 240px; } }
@media print { section { break-inside: avoid; } nav { display: none; } }
"""


def write(path: Path, root: str | Path, facts: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> int:
    """Write the page.

    Args:
        root: the folder below which the pictures of the index lie.
        facts: of the index.
        found: as `query.query` returns it.

    Returns:
        How many pictures were left out, since a link leads out of `root`.

    Raises:
        UserError: it cannot be written.
    """
    orientation = facts["vectors"]["preprocessing"].get("orientation", "stored")
    picture = lru_cache(maxsize=4096)(partial(_picture, orientation=orientation))
    root = Path(root)
    names = {result["path"] for row in found for result in row["results"]}
    elsewhere = _elsewhere(names, root)
    known = {name: "" if name in elsewhere else picture(root / name) for name in names}
    sections = [_section(number, row, known, picture) for number, row in enumerate(found, 1)]
    links = [f'<li><a href="#q{number}">{escaped(_name(row["image"]))}</a></li>' for number, row in enumerate(found, 1)]
    menu = f'<nav aria-label="Queries"><ul>{"".join(links)}</ul></nav>' if len(found) > 1 else ""
    content = frame.document("Nearest images", _description(facts), "".join(sections), style=STYLE, menu=menu)
    write_text(path, content)
    return len(elsewhere)


def _elsewhere(names: Collection[str], root: Path) -> set[str]:
    """Those of the names that lead out of the folder, by themselves or through a link."""
    try:
        top = resolved(root)
    except OSError:  # a link to itself
        return set(names)
    return {name for name in names if leads_out(name) or not is_inside(root / name, top)}


def _section(number: int, row: Mapping[str, Any], known: Mapping[str, str], picture: Any) -> str:
    name = escaped(_name(row["image"]))
    results = "".join(_result(result, known) for result in row["results"])
    return f"""<section id="q{number}" aria-labelledby="h{number}">
<div class="query"><h2 id="h{number}">{name}</h2>{_frame(picture(Path(row["image"])), f"Query: {name}")}</div>
<ol aria-label="Nearest to {name}">
{results}</ol>
</section>
"""


def _result(result: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """One picture with rank, cosine and path; it can be reached with the tab key, so that it is read out."""
    path, score = escaped(visible(result["path"])), float(result["score"])
    share = min(max(score, 0.0), 1.0)
    return f"""<li tabindex="0">{_frame(known[result["path"]], path)}
<span class="rank"><b>{int(result["rank"])}</b><span title="cosine">{score:.4f}</span></span>
<div class="bar" aria-hidden="true"><i style="width:{share:.1%}"></i></div><span class="name">{path}</span></li>
"""


def _frame(source: str, label: str) -> str:
    """`label` is escaped already."""
    inside = f'<img src="{source}" alt="{label}">' if source else "picture cannot be read"
    return f'<div class="frame">{inside}</div>'


def _picture(path: Path, orientation: str) -> str:
    """The picture as a data URL, small, and the way up in which the network saw it; empty where it cannot be read."""
    try:
        small = Image.fromarray(pixels_of(path, orientation))
    except Fault:
        return ""
    return data_url(small, SIDE, quality=85)


def _description(facts: Mapping[str, Any]) -> str:
    vectors = facts["vectors"]
    size = "x".join(map(str, vectors["preprocessing"]["image_size"]))
    whitened = ", whitened" if facts["whitening"] else ""
    return (
        f"{vectors['network']} at {size} pixels, checkpoint {vectors['checkpoint']['sha256'][:12]}; "
        f"{vectors['count']:,} images, {facts['dimension']:,} numbers each{whitened}, index of kind {facts['kind']}"
    )


def _name(path: str) -> str:
    """File and folder: in class folders the file names repeat."""
    return visible("/".join(part for part in Path(path).parts[-2:] if part != "/"))
