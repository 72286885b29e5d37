"""The documents say what the code does: keys, recipes, files, and the same in both languages."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from mindzoo.models import SPECS, list_models
from mindzoo.tests.support.paths import ROOT

DOCUMENTS = [*ROOT.glob("README*.md"), *ROOT.glob("models/*/README*.md"), *ROOT.glob("docs/*.md")]


def headings(path: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"^(#+) ", text, flags=re.MULTILINE)


@pytest.mark.parametrize("folder", [ROOT, *(SPECS[name].folder for name in list_models())], ids=lambda p: p.name)
def test_both_languages_have_the_same_sections_tables_and_commands(folder: Path) -> None:
    english, chinese = folder / "README.md", folder / "README_CN.md"
    assert headings(english) == headings(chinese)
    counts = [
        [
            sum(line.startswith("|") for line in path.read_text(encoding="utf-8").splitlines()),
            path.read_text(encoding="utf-8").count("```"),
        ]
        for path in (english, chinese)
    ]
    assert counts[0] == counts[1]


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


def test_the_root_document_has_its_sections_in_order() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    order = ["| network", "scripts/demo.sh", "your own", "export.py", "## layout", "add a network"]
    places = [text.find(words) for words in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    broken = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_and_files_that_are_named_exist(path: Path) -> None:
    named = set(
        re.findall(r"(?:scripts|models|utils|tests)/[\w./-]+\.(?:py|sh|yaml)\b", path.read_text(encoding="utf-8"))
    )
    missing = [name for name in named if not (ROOT / name).exists() and not (path.parent / name).exists()]
    assert [name for name in missing if "run_" not in name and "NAME" not in name and "NETWORK" not in name] == []
