"""Every command runs in the one way: it says its notes, copies from buckets, explains itself, refuses what it does not know."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mindzoo import cli
from mindzoo.models import get_spec, list_models
from mindzoo.utils import commands
from mindzoo.utils.commands import Command
from mindzoo.utils.config.image_keys import PreprocessingKeys
from mindzoo.utils.config.reading import Loaded, key
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.storage import INPUTS

NETWORK = "multigrain"  # the one that every command takes
LISTED = sorted(cli.COMMANDS)
NEEDED = {name: ["vectors.npy"] for name in ("whiten", "index", "index-add", "evaluate-retrieval")} | {
    "check-data": ["photographs"],
    "pack": ["photographs", "packed"],
}


class Work:
    """Stands in the place of what a command does, and keeps what it was given."""

    def __init__(self) -> None:
        self.loaded: list[Loaded[Any]] = []

    def __call__(self, spec: ModelSpec | None, loaded: Loaded[Any], progress: Any) -> None:
        self.loaded.append(loaded)


def run(command: Command, *words: str) -> int:
    spec = get_spec(NETWORK) if command.of_a_network else None
    return commands.run_command(command, spec, [*NEEDED.get(command.name, []), *words], f"mindzoo {command.name}")


def with_a_key(command: Command) -> Command:
    """The command with one more key, which has no effect unless another value of its mode is given."""
    idle = ("idle", int, key(0, "a key without effect", only_with=("idle_mode", ("other",))))
    mode = ("idle_mode", str, key("this", "what the key depends on"))

    def config(spec: Any) -> type[Any]:
        plain: Any = command.config(spec)
        return dataclasses.make_dataclass(plain.__name__, [mode, idle], bases=(plain,), frozen=True)

    return dataclasses.replace(command, config=config)


@pytest.mark.parametrize("name", LISTED)
def test_it_says_which_keys_have_no_effect(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    work = Work()
    command = dataclasses.replace(with_a_key(cli.COMMANDS[name]), run=work)
    assert run(command, "--idle", "3") == 0
    assert "note: idle has no effect: idle_mode is this, and it is used with other only\n" in capsys.readouterr().out
    assert work.loaded[0].config.idle == 3


@pytest.mark.parametrize("name", LISTED)
def test_it_fetches_what_a_url_names(name: str) -> None:
    command, work = cli.COMMANDS[name], Work()
    spec = get_spec(NETWORK) if command.of_a_network else None
    fields = {field.name: field for field in dataclasses.fields(command.config(spec))}
    places = [place for place in INPUTS if place in fields and not fields[place].metadata["positional"]]
    flags = [word for place in places for word in (f"--{place}", f"file:///somewhere/{place}")]
    assert run(dataclasses.replace(command, run=work), *flags) == 0
    found = {place: getattr(work.loaded[0].config, place) for place in places}
    assert found == {place: f"/somewhere/{place}" for place in places}


@pytest.mark.parametrize("network", list_models())
@pytest.mark.parametrize("name", ["predict", "embed", "query", "fit-exponent"])
def test_the_defaults_of_preprocessing_are_those_of_the_networks_evaluation(name: str, network: str) -> None:
    """A checkpoint that records none is preprocessed by these."""
    spec = get_spec(network)
    found, wanted = cli.COMMANDS[name].config(spec), spec.eval_config
    shared = [field.name for field in dataclasses.fields(PreprocessingKeys)]
    assert {key: getattr(found, key) for key in shared} == {key: getattr(wanted, key) for key in shared}
    assert found.__doc__ != wanted.__doc__


def test_which_commands_read_from_buckets() -> None:
    spec = get_spec(NETWORK)
    named = {
        name: {field.name for field in dataclasses.fields(command.config(spec if command.of_a_network else None))}
        for name, command in cli.COMMANDS.items()
    }
    reading = {name for name, keys in named.items() if keys & (INPUTS.keys() - {"images"})}
    assert reading == {
        "train",
        "eval",
        "export",
        "predict",
        "embed",
        "query",
        "fit-exponent",
        "show-batch",
        "lr-find",
        "average",
        "finetune",
    }


@pytest.mark.parametrize("name", LISTED)
def test_it_has_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = cli.COMMANDS[name]
    words = [name, NETWORK, "--help"] if command.of_a_network else [name, "--help"]
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    out = capsys.readouterr().out
    assert ended.value.code == 0
    prog = " ".join(["mindzoo", *words[:-1]])
    assert out.endswith("examples:\n" + "".join(f"  {prog} {example}".rstrip() + "\n" for example in command.examples))
    assert command.examples


@pytest.mark.parametrize("name", [name for name in LISTED if name != "launch"])
def test_its_examples_are_understood(name: str) -> None:
    command = cli.COMMANDS[name]
    spec = get_spec(NETWORK) if command.of_a_network else None
    for example in command.examples:
        commands.read_command(command, spec, example.replace("'", "").split(), name)


@pytest.mark.parametrize("name", LISTED)
def test_it_refuses_an_unknown_key(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    work = Work()
    assert run(dataclasses.replace(cli.COMMANDS[name], run=work), "--zzyzx", "3") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: unknown flag --zzyzx; mindzoo {name} --help lists them all")
    assert (captured.err.count("\n"), captured.out, work.loaded) == (1, "", [])


@pytest.mark.parametrize("name", LISTED)
def test_a_device_that_is_absent_is_refused_before_the_work(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, work = cli.COMMANDS[name], Work()
    spec = get_spec(NETWORK) if command.of_a_network else None
    if "device_target" not in {field.name for field in dataclasses.fields(command.config(spec))}:
        return
    assert run(dataclasses.replace(command, run=work), "--device_target", "Ascend") == 2
    assert "device_target is Ascend, and MindSpore finds none here" in capsys.readouterr().err
    assert work.loaded == []


def test_no_mindspore_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed = {"mindspore": "", "numpy": "1.26.4", "pyyaml": "6.0", "pillow": "12.0"}
    monkeypatch.setattr("mindzoo.utils.environment._version_text", installed.__getitem__)
    assert run(cli.COMMANDS["export"], "--checkpoint", "x.ckpt") == 2
    assert capsys.readouterr().err.startswith(
        "error: mindzoo needs MindSpore 2.8 to 2.10, which is not installed: run pip"
    )
    assert cli.main(["list"]) == 0
