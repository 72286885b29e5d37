"""The key tables of the READMEs: true to the code, the same in both languages, and what is missing is said."""

from __future__ import annotations

import copy
import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mindzoo.models import SPECS, list_models
from mindzoo.models.densenet121 import SPEC
from mindzoo.models.densenet121.keys import DenseNetTrainConfig
from mindzoo.scripts.dev import document_keys
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.config.reading import Conversion, key
from mindzoo.utils.spec import ModelSpec

TEXTS = document_keys.translations()
DOCUMENTS = ("README.md", "README_CN.md")


@dataclasses.dataclass(frozen=True)
class Changed(DenseNetTrainConfig):
    """DenseNet-121's keys, one of them with another help text"""

    growth_rate: int = key(32, "new words | for an old key", minimum=1)


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    """DenseNet-121 with documents that a test may change."""
    for name in DOCUMENTS:
        shutil.copy(SPEC.folder / name, tmp_path / name)
    return dataclasses.replace(SPEC, folder=tmp_path)


def changed(spec: ModelSpec) -> ModelSpec:
    return dataclasses.replace(spec, train_config=Changed)


def with_entry(section: str, name: str, *entries: dict[str, str]) -> dict[str, Any]:
    texts = copy.deepcopy(TEXTS)
    texts[section][name] = [*texts[section].get(name, []), *entries]
    return texts


def without(section: str, name: str) -> dict[str, Any]:
    texts = copy.deepcopy(TEXTS)
    del texts[section][name]
    return texts


def section(text: str, command: str) -> str:
    (found,) = re.findall(rf"<!-- keys: {command} -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    return str(found)


@pytest.mark.parametrize("name", list_models())
def test_documents_are_up_to_date(name: str) -> None:
    problems: list[str] = []
    found = document_keys.outdated(SPECS[name], TEXTS, problems)
    assert problems == []
    assert list(found) == [], "run python scripts/dev/document_keys.py"


def test_the_page_of_the_keys_of_all_networks_is_up_to_date() -> None:
    problems: list[str] = []
    assert document_keys.outdated_page(TEXTS, problems) == {}, "run python scripts/dev/document_keys.py"
    assert problems == []
    text = (ROOT / "docs" / "KEYS.md").read_text(encoding="utf-8")
    for command, (config_class, aliases) in document_keys.COMMON.items():
        words = {field.name for field in dataclasses.fields(config_class)} | set(aliases if command == "train" else ())
        assert [word for word in sorted(words) if not re.search(rf"`(--)?{word}`", section(text, command))] == []


def test_what_all_networks_share_is_said_once() -> None:
    """A row of a network's table differs from that of the page in its default, its spellings or its meaning."""
    shared = set(section((ROOT / "docs" / "KEYS.md").read_text(encoding="utf-8"), "train").splitlines())
    for spec in SPECS.values():
        own = section((spec.folder / "README.md").read_text(encoding="utf-8"), "train").splitlines()
        rows = [line for line in own if line.startswith("| `--")]
        assert rows
        assert shared.isdisjoint(rows)


@pytest.mark.parametrize("name", list_models())
def test_each_table_names_every_key_and_spelling_of_its_command(name: str) -> None:
    for document in DOCUMENTS:
        text = (SPECS[name].folder / document).read_text(encoding="utf-8")
        for command, (config_class, aliases) in document_keys.commands(SPECS[name]).items():
            keys = {field.name for field in dataclasses.fields(config_class)}
            # Elsewhere a key that is as for the training is only named, without its spellings.
            own = set(aliases) - set(document_keys.COMMON[command][1])
            words = keys | (own if command == "train" else set())
            absent = [word for word in sorted(words) if not re.search(rf"`(--)?{word}`", section(text, command))]
            assert absent == [], (document, command)


@pytest.mark.parametrize("name", list_models())
def test_both_languages_have_the_same_rows(name: str) -> None:
    tables = []
    for document in DOCUMENTS:
        text = (SPECS[name].folder / document).read_text(encoding="utf-8")
        found = [
            line.split(" | ") for c in document_keys.commands(SPECS[name]) for line in section(text, c).splitlines()
        ]
        cells = [row[:-1] for row in found if row[0].startswith("| `")]
        tables.append([[cell if cell != "无" else "none" for cell in row] for row in cells])
    assert len(tables[0]) > 15
    assert tables[0] == tables[1]


def test_every_translation_is_used() -> None:
    every = [*document_keys.COMMON.values(), *document_keys.EVERY.values()]
    common = [row for command in every for row in document_keys.rows(*command)]
    used = {("shared", row.name, row.meaning) for row in common}
    titles = {"Converted", *(row.group for row in common)}
    for name, spec in SPECS.items():
        for command in document_keys.commands(spec).values():
            for row in document_keys.rows(*command):
                used |= {(part, row.name, row.meaning) for part in (name, "shared")}
                titles.add(row.group)
    stale = [
        (part, name, entry["en"])
        for part in ("shared", *SPECS)
        for name, entries in TEXTS.get(part, {}).items()
        for entry in entries
        if (part, name, entry["en"]) not in used
    ]
    assert stale == []
    assert [title for title in TEXTS["groups"] if title not in titles] == []


@pytest.mark.parametrize("check", [True, False])
def test_a_changed_help_text_is_to_be_translated_anew(
    spec: ModelSpec, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    assert document_keys.run([changed(spec)], TEXTS, check=check) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for part in ("densenet121", "growth_rate", "'new words | for an old key'", "translate anew"):
        assert part in line
    assert document_keys.run([spec], TEXTS, check=True) == 0


def test_a_changed_help_text_makes_documents_out_of_date_until_they_are_written(
    spec: ModelSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = with_entry("densenet121", "growth_rate", {"en": "new words | for an old key", "cn": "新的说法"})
    paths = [spec.folder / document for document in DOCUMENTS]
    assert document_keys.run([changed(spec)], texts, check=True) == 1
    assert capsys.readouterr().out.splitlines() == [f"out of date: {path}" for path in paths]
    assert [path.read_text(encoding="utf-8").count("new words") for path in paths] == [0, 0]
    assert document_keys.run([changed(spec)], texts, check=False) == 0
    english, chinese = (path.read_text(encoding="utf-8") for path in paths)
    assert "| `--growth_rate` | 32 | | new words \\| for an old key |" in english
    assert "| `--growth_rate` | 32 | | 新的说法 |" in chinese
    assert document_keys.run([changed(spec)], texts, check=True) == 0


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("part", "word"), [("densenet121", "growth_rate"), ("shared", "lr"), ("groups", "Training data")]
)
def test_a_missing_translation_is_an_error(
    spec: ModelSpec, capsys: pytest.CaptureFixture[str], part: str, word: str, check: bool
) -> None:
    assert document_keys.run([spec], without(part, word), check=check) == 2
    lines = capsys.readouterr().err.splitlines()
    assert {line.split(": ")[1] for line in lines} <= {"shared", "densenet121"}
    assert lines
    assert all(re.search(rf"\b{word}\b.* has no translation", line) for line in lines)
    assert document_keys.run([spec], TEXTS, check=True) == 0


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize(
    ("command", "old", "new", "count"),
    [
        ("train", "<!-- keys: train -->", "", "no"),
        ("eval", "<!-- keys: eval -->", "<!-- keys: evaluate -->", "no"),
        ("train", "<!-- end -->", "", "no"),
        ("export", "<!-- keys: export -->", "<!-- keys: export -->\n<!-- end -->\n<!-- keys: export -->", "2"),
    ],
)
def test_missing_and_doubled_markers_are_errors(
    spec: ModelSpec,
    capsys: pytest.CaptureFixture[str],
    document: str,
    command: str,
    old: str,
    new: str,
    count: str,
) -> None:
    path = spec.folder / document
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert document_keys.run([spec], TEXTS, check=False) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path} has {count} places for the keys of {command};")
    assert path.read_text(encoding="utf-8") == before


def test_a_missing_document_is_an_error(spec: ModelSpec, capsys: pytest.CaptureFixture[str]) -> None:
    (spec.folder / "README_CN.md").unlink()
    assert document_keys.run([spec], TEXTS, check=True) == 2
    assert f"error: {spec.folder / 'README_CN.md'} is missing" in capsys.readouterr().err


def test_words_that_are_converted_come_last_where_the_command_has_their_keys() -> None:
    word = Conversion("size of a side; sets both", ("image_size", "flip_prob"), lambda value: {"image_size": value})
    train = document_keys.rows(SPEC.train_config, {"side": word, "rate": "lr"})
    assert (train[-1].group, train[-1].flag, train[-1].default) == ("Converted", "--side", None)
    assert [row.spellings for row in train if row.name == "lr"] == [("--rate",)]
    (english, _) = document_keys.languages(TEXTS, [])
    lines = document_keys.table("densenet121", train, english, grouped=True)
    assert lines[-2:] == ["| **Converted** | | | |", "| `--side` | | | size of a side; sets both |"]
    assert "--side" not in [row.flag for row in document_keys.rows(SPEC.eval_config, {"side": word})]


def test_a_key_that_is_converted_itself_has_one_row() -> None:
    word = Conversion("False means none", ("pretrained",), lambda value: {"pretrained": value})
    listed = document_keys.rows(SPEC.train_config, {"pretrained": word})
    assert [row.group for row in listed if row.flag == "--pretrained"] == ["The run, its output and its checkpoints"]


def test_keys_that_differ_from_the_training_in_anything_are_listed(spec: ModelSpec) -> None:
    """growth_rate has another help text in the training: the evaluation cannot be said to have the same."""
    texts = with_entry("densenet121", "growth_rate", {"en": "new words | for an old key", "cn": "新的说法"})
    row = "| `--growth_rate` | 32 | | channels that each layer adds |"
    assert document_keys.run([changed(spec)], texts, check=False) == 0
    changed_text = (spec.folder / "README.md").read_text(encoding="utf-8")
    assert row in section(changed_text, "eval")
    assert row not in section((SPEC.folder / "README.md").read_text(encoding="utf-8"), "eval")


def script(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "dev" / "document_keys.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_script_runs_from_any_folder() -> None:
    done = script("--check", "densenet121")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_network_is_refused() -> None:
    done = script("densenet")
    assert done.returncode == 2
    assert "unknown network densenet; there are densenet121" in done.stderr
