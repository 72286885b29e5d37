"""Every command in a document runs as it is written, or says what it needs; and every flag in it is known.

A block for bash may have one of these on the line before it:

    <!-- needs: card, network -->    words of NEEDS; the block is not run
    <!-- slow -->                    the block is run with the slow tests only

The blocks of a page run one after another in the root of a fresh copy of the clone, each in a bash of its own. Chinese pages have the same commands, which test_languages.py sees to.
Long trainings are made short; quick.py says how.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mindzoo.tests.documents import quick, shell
from mindzoo.tests.documents.markdown import CONTRIBUTORS_PAGES, USER_PAGES, Block, Page, tracked, tracked_pages
from mindzoo.tests.support.paths import ROOT
from mindzoo.utils.compiling import graphs
from mindzoo.utils.engine import choice

NEEDS = ("card", "bucket", "servers", "ImageNet", "network", "own data", "hours")
# tests/models/test_add_a_network.py does what this page says.
ELSEWHERE = "docs/ADD_A_NETWORK.md"
PAGES = [page for page in (*USER_PAGES, *CONTRIBUTORS_PAGES) if page in tracked_pages() and page != ELSEWHERE]
# Pages that train or use what was trained, and take more than 10 s.
SLOW_PAGES = (
    *(
        f"docs/{name}.md"
        for name in ("TRAINING", "DATA", "EVALUATION", "EXPORT", "RELIABILITY", "REPORTS", "RETRIEVAL", "CLUSTERS")
    ),
    *(page for page in USER_PAGES if page.startswith("models/")),
)
# Their recipes train a small network. RELIABILITY stops a training in its middle, which a small one reaches too soon.
WITH_SMALL_NETWORKS = tuple(page for page in SLOW_PAGES if page.startswith("docs/") and page != "docs/RELIABILITY.md")
# What other tests run, by the words of a line.
RUN_ELSEWHERE = {
    "bash scripts/demo.sh": "tests/scripts/test_demo.py",
    "bash scripts/test.sh": ".ci/run",
    "bash scripts/test.sh --full": ".ci/run",
    "mindzoo launch densenet121 train --ranks 2 -- --config_path digits_cpu --data_dir digits/train --max_steps 4": "docs/CLUSTERS.md",
}
SECONDS = 1500  # of a block; HRNet alone compiles for minutes


class MarkError(Exception):
    """What stands before a block is no mark."""


def needs(block: Block) -> list[str]:
    """What the block needs, by the mark before it.

    Raises:
        MarkError: there is a mark that means nothing.
    """
    if not block.before.startswith("<!--") or block.before == "<!-- slow -->":
        return []
    mark = re.fullmatch(r"<!-- needs: (.+) -->", block.before)
    words = [word.strip() for word in mark[1].split(",")] if mark else []
    if not words or not set(words) <= set(NEEDS):
        raise MarkError(f"{block.page}:{block.line - 1}: {block.before}; wanted <!-- slow -->, or needs: {NEEDS}")
    return words


def blocks(page: str) -> list[Block]:
    return [block for block in Page(page).blocks if block.language == "bash"]


def blocks_to_run(page: str, *, slow: bool) -> list[Block]:
    return [
        block
        for block in blocks(page)
        if not needs(block)
        and (slow or block.before != "<!-- slow -->")
        and not {line.code for line in shell.lines(block.text)} <= RUN_ELSEWHERE.keys()
    ]


@pytest.mark.parametrize("page", PAGES)
def test_marks_stand_before_blocks_and_name_what_is_needed(page: str) -> None:
    found = Page(page)
    marks = [line for line in found.prose if re.match(r"\s*<!-- *(?:needs?|slow)\b", line)]
    assert len(marks) == sum(block.before.startswith("<!--") for block in blocks(page))
    for block in blocks(page):
        if "pip install" in "\n".join(line.code for line in shell.lines(block.text)):
            assert "network" in needs(block), f"{page}:{block.line}: pip install needs the network"


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_flags_of_every_command_are_known(page: str) -> None:
    wrong = []
    for block in blocks(page):
        try:
            shell.check_block(block.text, ROOT)
        except shell.CommandError as error:
            wrong.append(f"{page}:{block.line}: {error}")
    assert wrong == [], "\n".join(wrong)


class Clone:
    """A copy of the tracked files, and programs that run it, `python` and `mindzoo`."""

    def __init__(self, folder: Path) -> None:
        self.root, self.bin, self.log = folder / "mindzoo", folder / "bin", folder / "output"
        for name in tracked():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        self.bin.mkdir()
        # A link to the interpreter would not find the packages of its virtual environment.
        python = [sys.executable]
        for name, words in {"python": python, "python3": python, "mindzoo": [*python, str(self.root)]}.items():
            (self.bin / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            (self.bin / name).chmod(0o755)

    def environment(self) -> dict[str, str]:
        path = [str(self.bin), str(Path(sys.executable).parent), os.environ["PATH"]]
        # scripts/environment.sh uses an active environment as it is.
        more = {"PATH": os.pathsep.join(path), "VIRTUAL_ENV": sys.prefix}
        # As a reader has them: other tests of this process say which engine computes, and that no graph is kept.
        return {**os.environ, choice.VARIABLE: "auto", graphs.VARIABLE: "auto", **more}

    def run(self, block: Block) -> None:
        """Run one block, which must succeed; what it leaves in the background is ended."""
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", quick.shorter(block.text)],
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status: int | str = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                status = f"not ended after {SECONDS} s"
            finally:
                end_group(process)
        if status != 0:
            last = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            head = f"{block.page}:{block.line}: status {status} of"
            pytest.fail("\n".join([head, block.text, *last]), pytrace=False)


def end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_what_is_run_elsewhere_is_run_there() -> None:
    for command, path in RUN_ELSEWHERE.items():
        if path.endswith(".md"):
            run = {line.code for block in blocks_to_run(path, slow=True) for line in shell.lines(block.text)}
            assert command in run, (command, path)
        else:
            script = Path(command.split()[1]).name
            assert script in (ROOT / path).read_text(encoding="utf-8"), (command, path)


def cases() -> list[object]:
    """Each page once with the slow tests, if it has what is slow, and once without that."""
    found: list[object] = []
    for page in PAGES:
        quick, every = (len(blocks_to_run(page, slow=slow)) for slow in (False, True))
        if quick and page not in SLOW_PAGES:
            found.append(pytest.param(page, False, id=page))
        if every and (page in SLOW_PAGES or every > quick):
            found.append(pytest.param(page, True, id=f"{page}-slow", marks=pytest.mark.slow(minutes=1)))
    return found


@pytest.mark.parametrize(("page", "slow"), cases())
def test_commands_run_as_they_are_written(page: str, slow: bool, tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    if page in WITH_SMALL_NETWORKS:
        quick.make_networks_small(clone.root)
    for block in blocks_to_run(page, slow=slow):
        clone.run(block)


def test_a_block_runs_in_the_clone_with_its_programs_and_a_failure_says_where(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    clone.run(Block("README.md", 7, "bash", "mindzoo --version >made\ntest -f setup.py\nsleep 1000 &", ""))
    clone.run(Block("README.md", 7, "bash", "grep mindzoo made\npython -c 'import numpy'", ""))
    with pytest.raises(pytest.fail.Exception) as failed:
        clone.run(Block("README.md", 7, "bash", "echo first\nfalse | true\necho never\n", ""))
    message = str(failed.value)
    assert message.startswith("README.md:7: status 1 of\necho first\n")
    assert message.endswith("\nfirst")


@pytest.mark.parametrize("before", ["<!-- slow -->", "<!-- needs: card -->", "<!-- needs: own data, network -->", ""])
def test_marks_that_mean_something(before: str) -> None:
    words = before.removeprefix("<!-- needs: ").removesuffix(" -->").split(", ") if "needs" in before else []
    assert needs(Block("README.md", 7, "bash", "", before)) == words


@pytest.mark.parametrize("before", ["<!-- needs: luck -->", "<!-- need: card -->", "<!-- needs: -->", "<!--slow-->"])
def test_marks_that_mean_nothing_are_refused(before: str) -> None:
    with pytest.raises(MarkError, match=r"README\.md:6: "):
        needs(Block("README.md", 7, "bash", "", before))
