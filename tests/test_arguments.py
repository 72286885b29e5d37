"""Arguments at random for every command: a refusal is a sentence, soon, and nothing is written.

MINDZOO_EXAMPLES=2000 python -m pytest tests/test_arguments.py tries as many per command, others each time.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from mindzoo import cli
from mindzoo.models import get_spec, list_models
from mindzoo.tests.support import arguments
from mindzoo.utils import commands
from mindzoo.utils.cluster import hccl_tools
from mindzoo.utils.commands import EVAL, TRAIN, Command
from mindzoo.utils.commands.of_networks import PREDICT
from mindzoo.utils.commands.of_retrieval import EMBED
from mindzoo.utils.errors import UserError
from mindzoo.utils.launch import launcher

EXAMPLES = int(os.environ.get("MINDZOO_EXAMPLES", "0"))
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES or 20,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
)
TOOL_FLAGS = st.sampled_from(["--visible_devices", "--server_ip", "--hccn_conf"])
LONGEST_LINE = 300
SECONDS = 15.0  # a busy machine takes some; a hang takes more
MEMORY = 2 << 30  # beside what the process has anyway
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800-\udfff]")


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playground")
    arguments.make_playground(folder)
    return folder


@pytest.fixture(autouse=True)
def _nothing_is_started(playground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a launch would make its folders, all has been checked: that is as far as these tests go."""

    def refuse(*_: Any, **__: Any) -> None:
        raise UserError("a job would have been started")

    monkeypatch.setattr(launcher, "make_folders", refuse)
    monkeypatch.chdir(playground)


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """What asks for more than MEMORY fails."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    facts = {str(path): path.lstat() for path in folder.rglob("*")}
    return {name: (fact.st_size, fact.st_mtime_ns) for name, fact in facts.items()}


def check(run: Callable[[list[str]], int], argv: list[str], capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    """Run it and look at all that a user would see of it."""
    before, started = listing(folder), time.monotonic()
    try:
        with little_memory():
            status = run(argv)
    except SystemExit as end:  # of --help
        status = int(end.code or 0)
    seconds = time.monotonic() - started
    out, err = capfd.readouterr()
    shown = f"{argv!r}: status {status}\n{out[-1000:]}{err[-1000:]}"
    assert status in (0, 1, 2), shown
    assert "Traceback" not in out + err, shown
    assert max(map(len, (out + err).splitlines()), default=0) <= LONGEST_LINE, shown
    assert CONTROL.search(out + err) is None, shown
    assert (status == 2) == err.startswith(("error: ", "usage: ")), shown
    assert listing(folder) == before, shown
    assert seconds < SECONDS, shown


def of_network(command: Command) -> st.SearchStrategy[list[str]]:
    """Words behind `mindzoo COMMAND`: a network and flags of the command for it."""

    @cache
    def for_network(name: str) -> st.SearchStrategy[list[str]]:
        spec = get_spec(name)
        drawn = arguments.flags(command.config(spec), command.aliases(spec))
        if not command.hands_on:
            return drawn.map(lambda flags: [name, *flags])
        launched = {one: arguments.flags(one.config(spec), one.aliases(spec)) for one in (TRAIN, EVAL, PREDICT, EMBED)}
        behind = st.one_of(*(st.tuples(st.just(one.name), flags) for one, flags in launched.items()))
        return st.tuples(drawn, behind).map(lambda both: [name, both[1][0], *both[0], "--", *both[1][1]])

    return st.sampled_from(list_models()).flatmap(for_network)


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in ("doctor", "selftest", "watch")])
def test_any_arguments_of_a_command_are_refused_in_a_sentence(
    name: str, playground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # What `info` says of a network needs nothing that could be missing: it would do the work.
    command = cli.INFO_OF_FILE if name == "info" else cli.COMMANDS[name]
    drawn = of_network(command) if command.of_a_network else arguments.flags(command.config(None), {})

    @SETTINGS
    @given(drawn)
    def try_one(words: list[str]) -> None:
        check(cli.main, [name, *words], capfd, playground)

    try_one()


@pytest.mark.parametrize("name", ["train", "evaluate", "export"])
def test_any_arguments_of_an_entry_point_are_refused_in_a_sentence(
    name: str, playground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = {"train": TRAIN, "evaluate": EVAL, "export": commands.EXPORT}[name]

    @SETTINGS
    @given(of_network(command))
    def try_one(words: list[str]) -> None:
        network, *rest = words
        check(lambda argv: getattr(commands, name)(get_spec(network), argv), rest, capfd, playground)

    try_one()


@SETTINGS
@given(words=st.lists(arguments.words(str), max_size=3))
def test_any_words_in_the_place_of_a_command_are_refused_in_a_sentence(
    words: list[str], playground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check(cli.main, words, capfd, playground)


@SETTINGS
@given(ranges=arguments.words(str), flags=st.lists(st.tuples(TOOL_FLAGS, arguments.words(str)), max_size=3))
def test_any_arguments_of_the_maker_of_rank_tables_are_refused_in_a_sentence(
    ranges: str, flags: list[tuple[str, str]], playground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check(
        hccl_tools.hccl_tools, [word for flag in (*flags, ("--device_num", ranges)) for word in flag], capfd, playground
    )


@SETTINGS
@given(files=st.lists(arguments.words(str), max_size=3))
def test_any_files_that_are_joined_to_a_rank_table_are_refused_in_a_sentence(
    files: list[str], playground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check(hccl_tools.merge_hccl, files, capfd, playground)
