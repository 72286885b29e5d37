"""Pieces of HTML that the sections of a report are made of. Their arguments are plain texts, unless they say so."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mindzoo.utils.errors import visible, without_middle
from mindzoo.utils.pages.frame import escaped

LONGEST_NAME = 120  # characters that are shown
LONGEST_TIME = 1e9  # seconds


@dataclass(frozen=True)
class Column:
    """A column of a table that can be sorted."""

    title: str
    is_number: bool = False


def word(text: object, longest: int = LONGEST_NAME) -> str:
    """A name of somebody else's: what it could do to the page or to the direction of other text is taken from it."""
    return f"<bdi>{escaped(without_middle(visible(text), longest))}</bdi>"


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """A table that the script lets people sort, in a box that scrolls by itself.

    Args:
        rows: cells of HTML.
    """
    heads = "".join(
        f'<th scope="col" aria-sort="none"{" class=n" if column.is_number else ""}><button type="button">'
        f"{escaped(column.title)}</button></th>"
        for column in columns
    )
    kinds = ["<td class=n>" if column.is_number else "<td>" for column in columns]
    body = "\n".join(f"<tr>{''.join(kind + cell for kind, cell in zip(kinds, row, strict=True))}</tr>" for row in rows)
    return f"""<div class="box" tabindex="0" role="group" aria-label="{escaped(caption)}"><table class="sortable">
<caption>{escaped(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>
{body}
</tbody></table></div>
"""


def facts(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values."""
    body = "\n".join(f'<tr><th scope="row">{word(name)}</th><td>{word(value, 1000)}</td></tr>' for name, value in rows)
    return f'<div class="box" tabindex="0" role="group" aria-label="Values"><table class="facts">{body}</table></div>\n'


def section(title: str, said: str, content: str) -> str:
    """A card.

    Args:
        said: what is seen in it, a sentence; or "".
        content: HTML.
    """
    about = f"<p>{escaped(said)}</p>\n" if said else ""
    return f"<section><h2>{escaped(title)}</h2>\n{about}{content}</section>\n"


def folded(title: str, content: str) -> str:
    """HTML that is shown when it is asked for."""
    return f"<details><summary>{escaped(title)}</summary>\n{content}</details>\n"


def number(value: float, digits: int = 4) -> str:
    """A number for people, a dash where there is none."""
    return "-" if value != value else f"{value:,.{digits}g}"


def percent(value: float) -> str:
    """Of a share in 0..1."""
    return "-" if value != value else f"{100 * value:.2f}%"


def duration(seconds: float) -> str:
    """h:mm:ss; a dash where there is none, or one that nobody measured."""
    return str(datetime.timedelta(seconds=round(seconds))) if 0 <= seconds < LONGEST_TIME else "-"


def plain(value: object) -> str:
    """A setting's value for people."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def gallery(tiles: Iterable[str]) -> str:
    """Pictures side by side.

    Args:
        tiles: see `tile`.
    """
    return f'<ul class="gallery">{"".join(tiles)}</ul>\n'


def tile(source: str, said: str, *more: str) -> str:
    """A picture of a gallery, and lines below it.

    Args:
        source: a data URL; "" where the picture is not there.
        said: HTML of what stands out; more: HTML of further lines, "" for none.
    """
    picture = f'<img src="{source}" alt="" width="96" height="96">' if source else "<span>picture not found</span>"
    lines = "".join(f"<small>{line}</small>" for line in more if line)
    return f"<li>{picture}<b>{said}</b>{lines}</li>"
