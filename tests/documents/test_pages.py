"""The documents say what the code does: links, files, keys, and what a root document must have."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest

from mindzoo.models import SPECS, list_models
from mindzoo.tests.documents.markdown import (
    CONTRIBUTORS_PAGES,
    USER_PAGES,
    Page,
    anchor,
    chinese,
    tracked,
    tracked_pages,
)
from mindzoo.tests.support.paths import ROOT

every_page = pytest.mark.parametrize("name", tracked_pages())
# What a changelog tells of may be gone, and what a recipe for a new network names is not there yet.
PLACEHOLDER = re.compile(r"NAME|NETWORK|\bmy_")
FOLDERS = r"(?:\.ci|docs|models|scripts|tests|utils)"
# Files that every network has may be named from the folder of any, and others by their name, as in `network.py`.
ONLY_THE_END = re.compile(rf"scripts/run_|(?!{FOLDERS}/)")
# The network that docs/ADD_A_NETWORK.md adds; tests/models/test_add_a_network.py does what it says.
SIXTH = "plainnet"


@cache
def everything() -> frozenset[str]:
    """The tracked files and their folders."""
    folders = {str(folder) for name in tracked() for folder in PurePosixPath(name).parents}
    return frozenset({*tracked(), *folders})


def within(page: str, path: str) -> str:
    """The path in the repository of what a page links."""
    return str((ROOT / page).parent.joinpath(unquote(path)).resolve().relative_to(ROOT.resolve()))


def exists(page: str, path: str) -> bool:
    """Whether there is a file or folder that a page may mean by a path."""
    beside = str(PurePosixPath(page).parent / path).rstrip("/")
    if PLACEHOLDER.search(path) or path.rstrip("/") in everything() or beside in everything():
        return True
    return bool(ONLY_THE_END.match(path)) and any(f"/{name}".endswith(f"/{path}") for name in tracked())


def broken(page: Page, target: str) -> bool:
    """Whether a link within the repository leads nowhere."""
    if re.match(r"[a-z]+:", target):
        return False
    path, _, name = target.partition("#")
    try:
        linked = within(page.name, path) if path else page.name
    except ValueError:  # outside of the repository
        return True
    if linked not in everything():
        return True
    if not name:
        return False
    if linked.endswith(".md"):
        return unquote(name) not in Page(linked).anchors()
    lines = re.fullmatch(r"L(\d+)(?:-L(\d+))?", name)
    return lines is None or int(lines[2] or lines[1]) > (ROOT / linked).read_text(encoding="utf-8").count("\n")


@every_page
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    page = Page(name)
    wrong = [f"{name}:{line}: {target}" for line, target in page.links() if broken(page, target)]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Mixed loss and retrieval", "mixed-loss-and-retrieval"),
        ("`eval.py`: *one* file, or a [folder](docs/X.md)", "evalpy-one-file-or-a-folder"),
        ("混合损失（THOR）与检索：3 个 种子", "混合损失thor与检索3-个-种子"),
        ("A key_name - twice", "a-key_name---twice"),
    ],
)
def test_headings_are_named_as_github_names_them(heading: str, name: str) -> None:
    assert anchor(heading) == name


def test_broken_links_are_found() -> None:
    text = "# One\n## 二、三\n## One\n[a](#one) [b](#one-1) [c](#二三)\n```text\n[d](e.md)\n```\n`[d](e.md)`\n"
    page = Page("README.md", text)
    assert [target for _, target in page.links() if not target.startswith("#")] == []
    assert page.anchors() == {"one", "one-1", "二三"}
    assert [name for name in ("one", "one-1", "two") if name not in page.anchors()] == ["two"]
    wanted = {
        "setup.py": False,
        "setup.py#L1-L2": False,
        "setup.py#L9999": True,
        "docs": False,
        "docs/": False,
        "gone.md": True,
        "../elsewhere.md": True,
        "https://example.org/x": False,
        f"models/{list_models()[0]}/README.md#no-such-heading": True,
    }
    assert {target: broken(page, target) for target in wanted} == wanted


@every_page
def test_scripts_and_files_that_are_named_exist(name: str) -> None:
    if name == "CHANGELOG.md":
        pytest.skip("a changelog names what is gone")
    named = []
    for number, line in enumerate(Page(name).text.splitlines(), 1):
        named += [(number, path) for path in re.findall(rf"(?<![\w/.-]){FOLDERS}/[\w./-]+\.(?:py|sh|yaml|md)\b", line)]
    for number, span in Page(name).code_spans():
        named += [(number, span)] if re.fullmatch(rf"{FOLDERS}/[\w./-]*|[\w./-]*\w\.(?:py|sh)", span) else []
    missing = [
        f"{name}:{number}: {path}" for number, path in dict.fromkeys(named) if not (exists(name, path) or SIXTH in path)
    ]
    assert missing == [], "\n".join(missing)


@every_page
def test_python_examples_import_what_is_there(name: str) -> None:
    if name == "docs/ADD_A_NETWORK.md":
        pytest.skip("tests/models/test_add_a_network.py runs its examples")
    for block in Page(name).blocks:
        if block.language != "python":
            continue
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and not PLACEHOLDER.search(line := ast.unparse(node)):
                exec(line, {})


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("language", ["README.md", "README_CN.md"])
def test_a_model_document_names_every_key_and_alias(name: str, language: str) -> None:
    spec = SPECS[name]
    text = (spec.folder / language).read_text(encoding="utf-8")
    keys = {
        field.name
        for config in (spec.train_config, spec.eval_config, spec.export_config)
        for field in dataclasses.fields(config)
    }
    aliases = {*spec.train_aliases, *spec.eval_aliases, *spec.export_aliases}
    absent = sorted(word for word in keys | aliases if not re.search(rf"\b{word}\b", text))
    assert absent == []


@pytest.mark.parametrize("name", ["README.md", "README_CN.md"])
def test_the_root_document_is_short(name: str) -> None:
    assert len(Page(name).text.splitlines()) <= 200


def test_the_root_document_leads_to_everything_in_order() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    pages = ["training", "export", "architecture", "add_a_network"]
    order = ["| network", "scripts/demo.sh", *(f"](docs/{page}.md)" for page in pages)]
    places = [text.find(words) for words in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)
    for page, words in {"TRAINING": "your own", "EXPORT": "export.py", "ADD_A_NETWORK": "models/__init__.py"}.items():
        assert words in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), (page, words)


@pytest.mark.parametrize("language", [lambda page: page, chinese], ids=["English", "Chinese"])
def test_every_page_is_reached_from_the_root_document(language: Callable[[str], str]) -> None:
    reached: set[str] = set()
    waiting = [language("README.md")]
    while waiting:
        page = Page(waiting.pop())
        reached.add(page.name)
        linked = {within(page.name, target.split("#")[0]) for _, target in page.links() if ".md" in target}
        # A reader of Chinese is led through Chinese pages, where there are any.
        waiting += [name for name in linked - reached if name in tracked() and name not in left_out(language)]
    wanted = {*map(language, USER_PAGES), *CONTRIBUTORS_PAGES}
    assert sorted(wanted - reached) == []


def left_out(language: Callable[[str], str]) -> set[str]:
    return {page for name in USER_PAGES for page in (name, chinese(name)) if page != language(name)}
