"""Hook of mkdocs: the site has the folders of the clone, so that links between its documents need no change.

The pages of docs/ link to README.md, to the READMEs of the networks and to files of the clone. mkdocs knows docs/ alone; so
this takes the documents that git would show, and what they link to, from the clone itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("*.md", "docs/*.md", "models/*.md", "models/*/*.md", "tests/*.md")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"")


def on_files(files: Files, config: Any) -> Files:
    """The documents of the clone, and the files that they link to, in the places that they have there."""
    pages = [path for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))]
    theirs = [file for file in files if file.src_dir != config.docs_dir]  # of the theme
    return Files([*theirs, *(_file(path, config) for path in [*pages, *linked(pages)])])


def linked(pages: list[Path]) -> list[Path]:
    """Files of the clone that are no documents, and that a document links to."""
    found = set()
    for page in pages:
        for match in LINK.finditer(page.read_text(encoding="utf-8")):
            target = (page.parent / unquote(match[1] or match[2])).resolve()
            if target.is_file() and target.is_relative_to(ROOT) and target not in pages:
                found.add(target)
    return sorted(found)


def _file(path: Path, config: Any) -> File:
    return File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, config.use_directory_urls)
