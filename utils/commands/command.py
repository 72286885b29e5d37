"""What a command is, and the one way in which every command runs.

A command is data: its name, its keys, and the function that does the work. `run_command` reads the command line, says
which keys have no effect, refuses a device that is absent, copies what lies elsewhere, and turns the way the work ends
into an exit status.

What a command needs is imported when it runs, so that `--help` needs no MindSpore.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindzoo.utils import environment, log, storage
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import TRAIN_ALIASES
from mindzoo.utils.config.no_effect import without_effect
from mindzoo.utils.config.progress_keys import ProgressKeys, apart, with_progress
from mindzoo.utils.config.reading import Aliases, Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.exits import exit_status
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.spec import CACHE_PATHS
from mindzoo.utils.weights import named

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec

# What a command does: (the network's description, its configuration, the progress line). The description is None
# where no network is named.
Work = Callable[[Any, Loaded[Any], ProgressDisplay], object]


def no_aliases(spec: Any) -> Aliases:
    return {}


@dataclass(frozen=True)
class Command:
    """One command of the zoo."""

    name: str
    help: str  # one line in the list of commands
    config: Callable[[Any], type[Any]]  # the network's description, or None -> the class of its keys
    run: Work
    verb: str  # what it does, in front of the network's title; a sentence where there is no network
    aliases: Callable[[Any], Aliases] = no_aliases  # the network's description, or None
    examples: Sequence[str] = ()  # what may stand behind the command
    of_a_network: bool = True
    operands: str = ""  # what stands behind the name without a flag, for usage lines
    original_lines: bool = False  # prints in the log format of the network's original README, on one rank of eight
    hands_on: str = ""  # takes a -- and another command's flags behind it: whose they are
    needs_mindspore: bool = True

    def explained_examples(self, prog: str) -> str:
        """The examples as lines of `--help`."""
        return "\n".join(["examples:", *(f"  {prog} {words}".rstrip() for words in self.examples)])


def run_command(command: Command, spec: ModelSpec | None, argv: Sequence[str] | None = None, prog: str = "") -> int:
    """Run a command on a command line; returns the exit status, see `exit_status`.

    Args:
        argv: by default that of this process.
        prog: what the command is called, for `--help`; by default this process's script.
    """

    def run() -> None:
        words = sys.argv[1:] if argv is None else argv
        loaded, said = read_words(command, spec, words, prog or Path(sys.argv[0]).name)
        progress = start_log(command, spec, loaded.config, said)
        for note in [*loaded.notes(), *without_effect(loaded)]:
            log.logger.info("note: %s", note)
        if command.needs_mindspore:
            environment.check_mindspore()
        refuse_early(spec, loaded)
        loaded = storage.fetch(named.fetch(loaded), CACHE_PATHS if spec is None else spec.cache_paths)
        command.run(spec, loaded, progress)

    return exit_status(run)


def read_command(command: Command, spec: ModelSpec | None, words: Sequence[str], prog: str) -> Loaded[Any]:
    """The configuration that the words mean, with its `*_url` keys put in place, and addresses for names of weights.

    Raises:
        UserError: an unknown key, or a value that is none of its kind.
    """
    return read_words(command, spec, words, prog)[0]


def read_words(
    command: Command, spec: ModelSpec | None, words: Sequence[str], prog: str
) -> tuple[Loaded[Any], ProgressKeys]:
    """The same, and what the command is to say while it works.

    Raises:
        UserError: see `read_command`.
    """
    config_class = command.config(spec)
    known = {field.name for field in dataclasses.fields(config_class)}
    own, behind = list(words), []
    if command.hands_on and "--" in own:
        own, behind = own[: own.index("--")], own[own.index("--") + 1 :]
    aliases = known_aliases(command.aliases(spec), known)
    about_network: dict[str, Any] = {"description": f"{command.verb}."}
    if spec is not None:
        about_network = {
            "description": f"{command.verb} {spec.title} ({spec.paper}).",
            "recipes": spec.recipes,
            # One recipe serves all commands of a network; what only a training needs is skipped by the others.
            "passed_over": keys_of_a_training(spec),
        }
    try:
        together = with_progress(config_class)
        explained = command.explained_examples(prog)
        read = reading.read_config(together, own, aliases=aliases, prog=prog, epilog=explained, **about_network)
        loaded, said = apart(read, config_class)
    except UserError as error:
        if not command.hands_on:
            raise
        raise UserError(f"{error}; {command.hands_on}") from None
    if command.hands_on:
        words_and_more = (*loaded.config.words, *behind)
        return dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, words=words_and_more)), said
    if spec is None:
        return loaded, said
    if "checkpoint_url" in known:
        loaded = storage.replace_urls(loaded, "checkpoint" if "checkpoint" in known else spec.checkpoint_url_key)
    return named.with_addresses(loaded, spec), said


def known_aliases(aliases: Aliases, known: set[str]) -> Aliases:
    """The aliases whose keys this command has."""
    return {
        word: meant
        for word, meant in aliases.items()
        if known.issuperset((meant,) if isinstance(meant, str) else meant.keys)
    }


def keys_of_a_training(spec: ModelSpec) -> set[str]:
    """Keys and aliases of the network's training."""
    return {field.name for field in dataclasses.fields(spec.train_config)} | {*TRAIN_ALIASES, *spec.train_aliases}


def start_log(command: Command, spec: ModelSpec | None, config: Any, said: ProgressKeys) -> ProgressDisplay:
    """The log of the command; one rank of eight speaks on the console, as in the original zoo."""
    if not command.original_lines or spec is None:
        return log.start(quiet=said.quiet, progress=said.progress)
    console = config.rank % 8 == 0
    return log.start(spec.lines.format, console=console, quiet=said.quiet, progress=said.progress)


def refuse_early(spec: ModelSpec | None, loaded: Loaded[Any]) -> None:
    """Refuse what no copy from a bucket could mend: a device that is absent, images that the network cannot take.

    Raises:
        UserError: says which.
    """
    config = loaded.config
    if getattr(config, "device_target", ""):
        from mindzoo.utils import runtime

        runtime.check_device(config.device_target)
    if spec is not None and "image_size" in loaded.given:
        spec.check_image_size(config.image_size)
