"""What users read stands in English and in Chinese, and the two say the same; contributors' pages are in English."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mindzoo.tests.documents import shell
from mindzoo.tests.documents.markdown import CONTRIBUTORS_PAGES, USER_PAGES, Page, chinese, tracked_pages

both_languages = pytest.mark.parametrize("name", USER_PAGES)


def read(name: str) -> tuple[Page, Page]:
    """The page in English and in Chinese."""
    return Page(name), Page(chinese(name))


def commands(page: Page) -> list[str]:
    """The blocks for bash without comments, which each language has its own of."""
    blocks = [block.text for block in page.blocks if block.language == "bash"]
    return ["\n".join(line.code + "\n" + line.document for line in shell.lines(text)) for text in blocks]


def targets(page: Page) -> list[str]:
    """The addresses, files and headings that are linked, a page's two languages taken as one."""
    return sorted(target if "://" in target else place(page, target) for _, target in page.links())


def place(page: Page, target: str) -> str:
    """The file that is linked, and the number of the heading: headings differ between the languages."""
    path, _, heading = target.partition("#")
    file = os.path.normpath(Path(page.name).parent / path) if path else page.name
    number = Page(file).heading_anchors().index(heading) if heading else ""
    return f"{file.replace('_CN.md', '.md')}#{number}"


def test_every_page_is_for_users_in_both_languages_or_for_contributors_in_english() -> None:
    wanted = {*USER_PAGES, *map(chinese, USER_PAGES), *CONTRIBUTORS_PAGES}
    assert sorted(tracked_pages()) == sorted(wanted)


@both_languages
def test_headings_are_the_same(name: str) -> None:
    english, translated = ([level for _, level, _ in page.headings()] for page in read(name))
    assert english == translated


@both_languages
def test_tables_have_the_same_rows_and_columns(name: str) -> None:
    english, translated = ([columns for _, columns in page.tables()] for page in read(name))
    assert english == translated


@pytest.mark.parametrize("name", tracked_pages())
def test_the_rows_of_a_table_have_the_same_columns(name: str) -> None:
    assert [line for line, columns in Page(name).tables() if len(set(columns)) > 1 or len(columns) < 2] == []


@both_languages
def test_commands_are_the_same(name: str) -> None:
    english, translated = map(commands, read(name))
    assert english == translated


@both_languages
def test_blocks_are_of_the_same_kinds(name: str) -> None:
    english, translated = ([block.language for block in page.blocks] for page in read(name))
    assert english == translated


@both_languages
def test_links_lead_to_the_same_places(name: str) -> None:
    english, translated = map(targets, read(name))
    assert english == translated
