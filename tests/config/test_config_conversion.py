"""Words of an original README whose values are converted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mindzoo.tests.config.test_reading import ALIASES, Sample
from mindzoo.utils.config import reading
from mindzoo.utils.config.reading import Conversion, Loaded
from mindzoo.utils.errors import UserError


def split(value: Any) -> dict[str, Any]:
    """`--both 3x0.5`, or {"count": 3, "lr": 0.5} in YAML."""
    if isinstance(value, dict):
        return {"count": value["count"], "lr": value["lr"]}
    count, lr = str(value).split("x")
    return {"count": count, "lr": lr}


def unnamed(value: Any) -> dict[str, Any]:
    return {"name": "" if str(value).lower() == "false" else value}


CONVERTED: dict[str, str | Conversion] = {
    **ALIASES,
    "both": Conversion("count and rate at once", ("count", "lr"), split),
    "name": Conversion("False is none", ("name",), unnamed),
}


def converted(*argv: str) -> Loaded[Sample]:
    return reading.read_config(Sample, argv, aliases=CONVERTED, prog="sample")


def test_a_converted_word_sets_its_keys_and_the_last_one_wins() -> None:
    loaded = converted("--count", "1", "--both", "3x0.5")
    assert (loaded.config.count, loaded.config.lr, set(loaded.given)) == (3, 0.5, {"count", "lr"})
    assert converted("--both", "3x0.5", "--learning_rate=0.25").config.lr == 0.25
    assert (converted("--name", "False").config.name, converted("--name", "a").config.name) == ("", "a")


def test_a_converted_word_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("both: {count: 2, lr: 0.75}\nname: false\n")
    loaded = converted("--config_path", str(tmp_path / "r.yaml"))
    assert (loaded.config.count, loaded.config.lr, loaded.config.name) == (2, 0.75, "")
    (tmp_path / "r.yaml").write_text("both: 1x1\ncount: 2\n")
    with pytest.raises(UserError, match="count is given twice, once as count; keep one of them"):
        converted("--config_path", str(tmp_path / "r.yaml"))


def test_a_converted_word_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        converted("--help")
    assert re.search(r"--both VALUE\s+count and rate at once", capsys.readouterr().out)


def test_a_converted_value_of_another_type_names_the_word() -> None:
    with pytest.raises(UserError, match=r"^--both is 'many'; wanted a whole number$"):
        converted("--both", "manyx1")
