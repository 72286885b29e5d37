"""The command `mindzoo`: the table of its commands, and which one is meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo import __version__
from mindzoo.models import SPECS, get_spec, list_models
from mindzoo.utils import errors, log
from mindzoo.utils.commands.command import Command, read_command, run_command
from mindzoo.utils.commands.of_data import CHECK_DATA, PACK, SHOW_BATCH
from mindzoo.utils.commands.of_machines import DOCTOR, RANK_TABLE
from mindzoo.utils.commands.of_networks import EVAL, EXPORT, FINETUNE, INFO, LR_FIND, PREDICT, TRAIN
from mindzoo.utils.commands.of_retrieval import (
    EMBED,
    EVALUATE_RETRIEVAL,
    FIT_EXPONENT,
    INDEX,
    INDEX_ADD,
    INDEX_REMOVE,
    QUERY,
    WHITEN,
)
from mindzoo.utils.commands.of_runs import COMPARE, REPORT, WATCH
from mindzoo.utils.config.reading import Loaded, exists, key
from mindzoo.utils.errors import UserError, nearest
from mindzoo.utils.exits import FoundProblems, exit_status
from mindzoo.utils.inference.keys import AverageConfig, ConvertConfig
from mindzoo.utils.information.keys import FileInfoConfig
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.selftest.keys import StepConfig
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.weights.keys import ListWeightsConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        return _say(_usage())
    if words[0] in ("-V", "--version"):
        return _say(f"mindzoo {__version__}")
    name, *rest = words
    status = exit_status(lambda: _refuse(name, rest))
    if status:
        return status
    command = _meant(name, rest)
    if not command.of_a_network:
        return run_command(command, None, rest, f"mindzoo {name}")
    if rest[0] in ("-h", "--help"):
        return _say(_usage_of(command))
    return run_command(command, get_spec(rest[0]), rest[1:], f"mindzoo {name} {rest[0]}")


def _refuse(name: str, rest: Sequence[str]) -> None:
    """Refuse a command or a network that does not exist.

    Raises:
        UserError: names the nearest one.
    """
    joined = f"{name}-{rest[0]}" if rest else ""
    if joined in COMMANDS and not exists(rest[0]):
        raise UserError(f"{name} {rest[0]} is one word: wanted mindzoo {joined}")
    if name not in COMMANDS:
        raise UserError(f"unknown command {name}{nearest(name, COMMANDS)}; mindzoo --help lists them all")
    if not _meant(name, rest).of_a_network or rest[:1] in (["-h"], ["--help"]):
        return
    if name == INFO.name:
        _refuse_to_say(rest)
    if not rest or rest[0].startswith("-"):
        raise UserError(f"which network? wanted mindzoo {name} NETWORK, with one of {', '.join(list_models())}")
    if rest[0] not in SPECS:
        raise UserError(f"unknown network {rest[0]}{nearest(rest[0], SPECS)}; there are {', '.join(list_models())}")


def _refuse_to_say(rest: Sequence[str]) -> None:
    """Refuse what is neither a network nor a file, and say what there is.

    Raises:
        UserError: names every network.
    """
    if rest[:1] and rest[0] in SPECS:
        return
    found = "nothing is named" if not rest or rest[0].startswith("-") else f"{rest[0]} is no network and no file"
    guess = nearest(rest[0], SPECS) if rest else ""
    networks = (f"{spec.name:14}{spec.title}" for spec in map(get_spec, list_models()))
    raise UserError(f"{found}{guess}; wanted mindzoo info FILE, or mindzoo info NETWORK with one of", *networks)


def _meant(name: str, rest: Sequence[str]) -> Command:
    """The command of that name; there are two of INFO's."""
    of_a_file = rest and rest[0] not in SPECS and (rest[0] in ("-h", "--help") or _is_path(rest[0]))
    return INFO_OF_FILE if name == INFO.name and of_a_file else COMMANDS[name]


def _is_path(word: str) -> bool:
    """Whether a word is meant as a file, which need not be there: no network has a dot or a slash in its name."""
    return not word.startswith("-") and ("." in word or "/" in word or exists(word))


def _usage() -> str:
    lines = ["usage: mindzoo COMMAND [NETWORK] [--key value ...]", ""]
    lines += [f"  {command.name:20}{command.help}" for command in COMMANDS.values()]
    return "\n".join(
        [*lines, "", "mindzoo COMMAND NETWORK --help explains every key; mindzoo --version says which one this is."]
    )


def _usage_of(command: Command) -> str:
    """Of a command without its network."""
    prog = f"mindzoo {command.name} NETWORK"
    usage = f"usage: {prog}{command.operands} [--key value ...]\n{prog} --help explains every key."
    return f"{usage}\n\n{command.explained_examples(prog)}"


@dataclass(frozen=True)
class ListConfig:
    """Networks"""

    pattern: tuple[str, ...] = key(
        (), "which networks to list, as in a shell: '*res50'; all by default", positional=True
    )


def _list(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    """A table of the networks that match a pattern."""
    (pattern,) = loaded.config.pattern[:1] or ("*",)
    names = list_models(pattern)
    if not names:
        log.logger.info("no network matches %s; there are %s", pattern, ", ".join(list_models()))
        return
    rows: list[tuple[str, ...]] = [("network", "title", "top-1 claimed", "top-5 claimed", "paper")]
    for spec in map(get_spec, names):
        claims = (f"{spec.published[k]:.2f}" if k in spec.published else "-" for k in ("top1", "top5"))
        rows.append((spec.name, spec.title, *claims, spec.paper))
    for line in errors.aligned(rows):
        log.logger.info(line)


def _list_weights(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.weights import list_weights

    list_weights.run(SPECS, loaded.config)


def _convert(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.inference import convert_checkpoint

    convert_checkpoint.convert(list(SPECS.values()), loaded.config)


def _average(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.inference import average_checkpoints

    average_checkpoints.average(list(SPECS.values()), loaded.config)


def _info_of_file(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.information import file_info

    file_info.show(list(SPECS.values()), loaded.config)


def _launch(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    """Read the flags of the command that is to be launched, and launch it."""
    from mindzoo.utils.launch import finetuned, launcher

    prog = f"mindzoo launch {spec.name}"
    name, *flags = loaded.config.words or ("",)
    command = {one.name: one for one in (TRAIN, FINETUNE, EVAL, PREDICT, EMBED)}.get(name)
    if command is None:
        raise UserError(
            f"{f'{prog} {name}'.rstrip()}: wanted {prog} train, finetune, eval, predict or embed, flags, -- and the command's own flags"
        )
    launched = read_command(command, spec, flags, f"{prog} {name} --")
    script = Path(__file__).with_name("__main__.py")
    if command in (TRAIN, EVAL):
        started = launcher.Launched(spec.folder / f"{name}.py", name)
    elif command is FINETUNE:
        flags = [*flags, *finetuned.place_of_the_run(launched.config)]
        launched = read_command(command, spec, flags, f"{prog} {name} --")
        launched, recipe = finetuned.settle(spec, launched, loaded.config)
        started = launcher.Launched(script, name, (name, spec.name), recipe=recipe)
    else:
        started = launcher.Launched(script, name, (name, spec.name), together=True)
    launcher.launch(started, loaded.config, launched, flags)


def _selftest(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.selftest import protocol

    if not protocol.run(list(SPECS.values()), loaded):
        raise FoundProblems


LAUNCH = Command(
    name="launch",
    help="start train, finetune, eval, predict or embed on several ranks: launch NETWORK train",
    config=lambda spec: LaunchConfig,
    run=_launch,
    verb="Start a command on several ranks and watch over them, for",
    examples=(
        "train --ranks 8 -- --data_dir ROOT",
        "eval --devices 4,5,6,7 -- --data_dir ROOT --checkpoint best.ckpt",
        "finetune --ranks 2 -- --pretrained FILE --data_dir ROOT",
        "embed --ranks 8 -- --checkpoint best.ckpt --images FOLDER --output vectors.npy",
    ),
    operands=" train|finetune|eval|predict|embed",
    hands_on="the flags of the command itself stand behind a --",
    needs_mindspore=False,
)
CONVERT = Command(
    name="convert",
    help="write any checkpoint that can be read as one of this zoo: convert IN OUT.ckpt",
    config=lambda _: ConvertConfig,
    run=_convert,
    verb="Write any checkpoint as one of this zoo",
    examples=("hrnetv2_w48_imagenet_pretrained.pth hrnet_w48.ckpt",),
    of_a_network=False,
)
AVERAGE = Command(
    name="average",
    help="the mean of the weights of several checkpoints: average FILE FILE ...",
    config=lambda _: AverageConfig,
    run=_average,
    verb="Write the mean of the weights of several checkpoints of one network",
    examples=(
        "RUN1/best.ckpt RUN2/best.ckpt --output mean.ckpt",
        "RUN1/best.ckpt RUN2/best.ckpt RUN3/best.ckpt --greedy --data_dir ROOT/val --output soup.ckpt",
        "RUN --recalibrate --data_dir ROOT/train --output mean.ckpt",
    ),
    operands=" FILE FILE ...",
    of_a_network=False,
)
INFO_OF_FILE = Command(
    name=INFO.name,
    help=INFO.help,
    config=lambda _: FileInfoConfig,
    run=_info_of_file,
    verb=(
        "Say what a checkpoint, the folder of a run or an exported file holds. "
        "Of a network, mindzoo info NETWORK says what it costs; mindzoo info NETWORK --help explains its keys"
    ),
    examples=("best.ckpt", "RUN", "network.onnx --output network.json", "densenet121"),
    of_a_network=False,
    needs_mindspore=False,
)
LIST = Command(
    name="list",
    help="list the networks",
    config=lambda _: ListConfig,
    run=_list,
    verb="List the networks",
    examples=("", "'*res50'"),
    of_a_network=False,
    needs_mindspore=False,
)
LIST_WEIGHTS = Command(
    name="list-weights",
    help="list the public weights that fit the networks: list-weights [NETWORK]",
    config=lambda _: ListWeightsConfig,
    run=_list_weights,
    verb="List the public weights that fit the networks: where they are, their licences, and what is published of them",
    examples=("", "densenet121", "--json"),
    operands=" [NETWORK ...]",
    of_a_network=False,
    needs_mindspore=False,
)
SELFTEST = Command(
    name="selftest",
    help="try everything on this machine's device, and write a report to send",
    config=lambda _: StepConfig,
    run=_selftest,
    verb="Try everything on a device, step by step, and write a report that can be sent",
    examples=("--device Ascend", "--device CPU --small", "--networks hrnet_w48 --steps train,mindir"),
    of_a_network=False,
)
COMMANDS = {
    command.name: command
    for command in (
        TRAIN,
        FINETUNE,
        LR_FIND,
        EVAL,
        LAUNCH,
        RANK_TABLE,
        EXPORT,
        PREDICT,
        EMBED,
        QUERY,
        FIT_EXPONENT,
        CONVERT,
        AVERAGE,
        CHECK_DATA,
        SHOW_BATCH,
        PACK,
        REPORT,
        COMPARE,
        WATCH,
        LIST,
        LIST_WEIGHTS,
        INFO,
        DOCTOR,
        SELFTEST,
        WHITEN,
        INDEX,
        INDEX_ADD,
        INDEX_REMOVE,
        EVALUATE_RETRIEVAL,
    )
}


def _say(text: str) -> int:
    log.start()
    log.logger.info(text)
    log.stop()
    return 0
