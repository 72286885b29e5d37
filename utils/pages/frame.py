"""What all pages of mindzoo look like: colours, type, and the frame around what a page says."""

from __future__ import annotations

import html

STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --text: #1b1f24; --dim: #5b6672; --line: #d9dee4;
  --accent: #0a64d6; --empty: #e8ebef; --more: #0000003d; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --card: #1d2126; --text: #e8ebee; --dim: #9ba6b1; --line: #343a42; --accent: #6cb0ff;
    --empty: #2a2f36; --more: #ffffff3d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main, header { max-width: 1280px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; padding-bottom: 8px; }
h1 { margin: 0 0 4px; font-size: 26px; letter-spacing: -0.01em; }
header p { margin: 0; color: var(--dim); }
a { color: var(--accent); }
/* A box that scrolls has a shade at each edge beyond which there is more: what moves with the content hides it at the end. */
.box { overflow: auto; background:
  linear-gradient(90deg, var(--card) 60%, transparent) 0 0 / 26px 100% no-repeat local,
  linear-gradient(270deg, var(--card) 60%, transparent) 100% 0 / 26px 100% no-repeat local,
  linear-gradient(180deg, var(--card) 60%, transparent) 0 0 / 100% 16px no-repeat local,
  linear-gradient(0deg, var(--card) 60%, transparent) 0 100% / 100% 16px no-repeat local,
  linear-gradient(90deg, var(--more), transparent) 0 0 / 16px 100% no-repeat scroll,
  linear-gradient(270deg, var(--more), transparent) 100% 0 / 16px 100% no-repeat scroll,
  linear-gradient(180deg, var(--more), transparent) 0 0 / 100% 10px no-repeat scroll,
  linear-gradient(0deg, var(--more), transparent) 0 100% / 100% 10px no-repeat scroll, var(--card); }
"""


def document(title: str, description: str, main: str, *, style: str = "", menu: str = "") -> str:
    """The whole page.

    Args:
        title, description: plain text.
        main: HTML, whose texts were escaped.
        style: rules beside those that all pages have.
        menu: HTML below the description.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<header><h1>{escaped(title)}</h1><p>{escaped(description)}</p>{menu}</header>
<main>
{main}</main>
</body>
</html>
"""


def escaped(text: str) -> str:
    """A text as HTML, in an attribute too."""
    return html.escape(text, quote=True)
