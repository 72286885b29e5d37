"""The command `mindzoo`: its commands, what it says of itself, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo import __version__, cli
from mindzoo.models import SPECS
from mindzoo.tests.support.paths import ROOT
from mindzoo.tests.support.trainings import Trained, newest_run, training


def test_list_shows_every_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [word for word in ("network", "title", "top-1", "top-5", "paper") if word not in lines[0]] == []
    assert [line.split()[0] for line in lines[1:]] == sorted(SPECS)
    (row,) = (line for line in lines if line.startswith("densenet121 "))
    assert row.split()[1:] == ["DenseNet-121", "75.13", "92.57", "https://arxiv.org/abs/1608.06993"]


@pytest.mark.parametrize("pattern", ["dense*", "*121", "*"])
def test_list_with_a_pattern(capsys: pytest.CaptureFixture[str], pattern: str) -> None:
    assert cli.main(["list", pattern]) == 0
    assert "\ndensenet121 " in capsys.readouterr().out


def test_list_with_a_pattern_of_nothing_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "zzz*"]) == 0
    assert "no network matches zzz*; there are densenet121" in capsys.readouterr().out


def test_train_eval_export_and_predict(colors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They say how far they are to programs, and what they found to people who want no more."""
    out, name, told = tmp_path / "out", "densenet121", ["--progress", "json"]
    assert cli.main(["train", name, *training(colors / "train", out, "--max_steps", "1", *told)]) == 0
    source = str(newest_run(out) / "0-1_1.ckpt")
    data = ["--data_dir", str(colors), "--output_dir", str(tmp_path / "eval")]
    assert cli.main(["eval", name, "--checkpoint", source, *data, *told]) == 0
    assert cli.main(["export", name, "--checkpoint", source, "--file_name", str(tmp_path / "net"), *told]) == 0
    image = str(next(colors.glob("val/red/*.png")))
    ends = [found for line in capsys.readouterr().err.splitlines() if (found := json.loads(line))["done"]]
    last = {found["what"].split(" ")[0]: (found["done"], found["total"]) for found in ends}
    last.pop("building", None)  # native code, where no test before has built it
    assert last == {"train": (1, 1), "evaluate": (13, 13), "compiling": (1, 1)}
    assert cli.main(["predict", name, "--checkpoint", source, image, "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    (line,) = captured.out.splitlines()
    assert line.startswith(f"{image}: ")
    assert (tmp_path / "net.mindir").is_file()
    assert '"total": 13' in (newest_run(tmp_path / "eval") / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["trian", "densenet121"], ["unknown command trian", "did you mean train?"]),
        (["zzyzx"], ["unknown command zzyzx"]),
        # Longer than a name may be.
        (["report", "a" * 5000], ["an argument (RUNS) is aaa", "and 5000 characters long, which no path may be"]),
        (["index", "add", "x.npy"], ["index add is one word", "wanted mindzoo index-add"]),
        (["check", "data"], ["wanted mindzoo check-data"]),
        (["train", "densnet121"], ["unknown network densnet121", "did you mean densenet121?", "there are densenet121"]),
        (["train"], ["which network?", "mindzoo train NETWORK", "densenet121"]),
        (["eval", "--data_dir", "x"], ["which network?"]),
        (["predict", "densenet121"], ["no image given"]),
        (["export", "densenet121"], ["checkpoint is not given"]),
        (["train", "densenet121", "--lrr", "1"], ["unknown flag --lrr", "did you mean --lr?"]),
    ],
)
def test_wrong_words_are_refused(capsys: pytest.CaptureFixture[str], words: list[str], wanted: list[str]) -> None:
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert [text for text in wanted if text not in error] == [], error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_help(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: mindzoo COMMAND")
    for command in ("train", "eval", "export", "predict", "list"):
        assert f"\n  {command} " in out


@pytest.mark.parametrize("command", ["train", "eval", "export", "predict"])
def test_help_of_a_command(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"usage: mindzoo {command} NETWORK" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "densenet121", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: mindzoo {command} densenet121" in out
    assert "--device_target" in out


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert cli.main([word]) == 0
    assert capsys.readouterr().out == f"mindzoo {__version__}\n"


def test_the_folder_of_the_clone_is_a_command(trained: Trained, tmp_path: Path) -> None:
    image = str(next(trained.data.glob("val/red/*.png")))
    words = ["predict", "densenet121", "--checkpoint", str(trained.checkpoint), image, "--output", "rows.json"]
    command = [sys.executable, str(ROOT), *words]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "red" in done.stdout
    assert json.loads((tmp_path / "rows.json").read_text())[0]["classes"][0]["name"] == "red"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "rows.json"]


def test_a_word_longer_than_a_name_may_be_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "a" * 300]) == 2
    assert "wanted mindzoo info FILE, or mindzoo info NETWORK" in capsys.readouterr().err
