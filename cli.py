"""The command `mindzoo`: the entry points of each network, `predict`, `convert`, `list`, and those of retrieval."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from mindzoo import __version__
from mindzoo.models import SPECS, get_spec, list_models
from mindzoo.utils import commands, log, runtime
from mindzoo.utils.doctor import examination
from mindzoo.utils.errors import UserError, nearest

COMMANDS: dict[str, tuple[str, Callable[..., int]]] = {
    "train": ("train a network on class folders", commands.train),
    "eval": ("evaluate a checkpoint, or every checkpoint of a folder", commands.evaluate),
    "launch": ("start a training or an evaluation on several ranks: launch NETWORK train", commands.launch),
    "export": ("write a checkpoint as MINDIR, ONNX or AIR, and verify it", commands.export),
    "predict": ("name the classes of images", commands.predict),
    "embed": ("write the vectors of a folder of images", commands.embed),
    "query": ("name the images of an index that are nearest to given ones", commands.search),
    "fit-exponent": ("fit the exponent of a generalised-mean pooling to a size of images", commands.fit_exponent),
}
# Commands that are not about one network that is named.
OTHERS = {
    "convert": "write any checkpoint that can be read as one of this zoo: convert IN OUT.ckpt",
    "list": "list the networks",
    "doctor": "check this machine, and say what is wrong: doctor [--rank_table FILE]",
    "whiten": "fit a whitening on vectors: whiten VECTORS.npy --output W.npz",
    "index": "make an index of vectors: index VECTORS.npy --output FOLDER",
    "evaluate-retrieval": "how well vectors rank images: evaluate-retrieval VECTORS.npy --protocol P",
}
RETRIEVAL: dict[str, Callable[[Sequence[str], str], int]] = {
    "whiten": commands.whiten,
    "index": commands.build_index,
    "evaluate-retrieval": commands.evaluate_retrieval,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        return _say(_usage())
    if words[0] in ("-V", "--version"):
        return _say(f"mindzoo {__version__}")
    return _dispatch(words[0], words[1:])


def _dispatch(command: str, rest: Sequence[str]) -> int:
    if command == "list":
        return _say(_table(rest[0] if rest else "*"))
    if command == "convert":
        return commands.convert(list(SPECS.values()), rest, "mindzoo convert")
    if command == "doctor":
        return examination.main(rest)
    if command in RETRIEVAL:
        return RETRIEVAL[command](rest, f"mindzoo {command}")

    def refuse() -> None:
        if command not in COMMANDS:
            raise UserError(
                f"unknown command {command}{nearest(command, [*COMMANDS, *OTHERS])}; mindzoo --help lists them all"
            )
        if not rest or (rest[0].startswith("-") and rest[0] not in ("-h", "--help")):
            raise UserError(f"which network? wanted mindzoo {command} NETWORK, with one of {', '.join(list_models())}")
        if rest[0] not in SPECS and rest[0] not in ("-h", "--help"):
            raise UserError(f"unknown network {rest[0]}{nearest(rest[0], SPECS)}; there are {', '.join(list_models())}")

    status = runtime.exit_status(refuse)
    if status:
        return status
    if rest[0] in ("-h", "--help"):
        return _say(
            f"usage: mindzoo {command} NETWORK{' [IMAGE ...]' if command in ('predict', 'query') else ''} [--key value ...]\nmindzoo {command} NETWORK --help explains every key."
        )
    return COMMANDS[command][1](get_spec(rest[0]), rest[1:], f"mindzoo {command} {rest[0]}")


def _usage() -> str:
    lines = ["usage: mindzoo COMMAND [NETWORK] [--key value ...]", ""]
    lines += [f"  {name:20}{help}" for name, (help, _) in COMMANDS.items()]
    lines += [f"  {name:20}{help}" for name, help in OTHERS.items()]
    return "\n".join([*lines, "", "mindzoo COMMAND NETWORK --help explains every key."])


def _table(pattern: str) -> str:
    if not list_models(pattern):
        return f"no network matches {pattern}; there are {', '.join(list_models())}"
    rows: list[tuple[str, ...]] = [("network", "title", "top-1 claimed", "top-5 claimed", "paper")]
    for name in list_models(pattern):
        spec = SPECS[name]
        rows.append(
            (
                name,
                spec.title,
                *(f"{spec.published[k]:.2f}" if k in spec.published else "-" for k in ("top1", "top5")),
                spec.paper,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _say(text: str) -> int:
    log.start()
    log.logger.info(text)
    log.stop()
    return 0
