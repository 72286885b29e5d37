"""The graph of a network in ONNX without its weights: made once in a process of its own, and kept for all checkpoints."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindzoo.utils import environment
from mindzoo.utils.checkpoints.fitting import Slot
from mindzoo.utils.checkpoints.network_plan import NetworkPlan
from mindzoo.utils.compiling import surroundings
from mindzoo.utils.compiling.store import Store
from mindzoo.utils.compiling.waiting import moving
from mindzoo.utils.engine.choice import PACKAGES
from mindzoo.utils.files import user_cache
from mindzoo.utils.log import logger
from mindzoo.utils.runtime import LAUNCHER_VARIABLES
from mindzoo.utils.spec import ModelSpec

LOGITS, EMBEDDING, MAPS = "logits", "embedding", "maps"
NAME = "graph.onnx"
MOST_CHARACTERS = 300  # of a reason
# The program of the process: the path of importable.py is its argument, the job its input.
MAKER = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='importable'); from mindzoo.utils.engine import graph_maker; graph_maker.main()"


class NoGraphError(Exception):
    """Why there is no graph, as the end of a sentence."""


@dataclass(frozen=True)
class NetworkGraph:
    """A graph whose initializers are the parameters of its network, by their names; they get their values later.

    Attributes:
        content: the ONNX file. Its input is (B, 3, H, W) float32, its output (B, D), or maps (B, C, h, w), float32.
        initializers: the parameters that the graph uses.
        slots: what each parameter of the network takes.
    """

    content: bytes
    initializers: tuple[str, ...]
    slots: Mapping[str, Slot]

    @classmethod
    def from_entry(cls, entry: bytes) -> NetworkGraph:
        """The inverse of `entry_of`.

        Raises:
            NoGraphError: making it has failed before.
        """
        line, _, content = entry.partition(b"\n")
        facts = json.loads(line)
        if "failure" in facts:
            raise NoGraphError(facts["failure"])
        slots = {name: Slot(tuple(shape), fractions) for name, (shape, fractions) in facts["slots"].items()}
        return cls(content, tuple(facts["initializers"]), slots)


def entry_of(content: bytes, **facts: Any) -> bytes:
    """What is kept: a line of JSON, and the graph."""
    return json.dumps(facts).encode() + b"\n" + content


def graph_of(spec: ModelSpec, plan: NetworkPlan, size: tuple[int, ...], head: str) -> NetworkGraph:
    """The graph of a network for images of a size (height, width); from the store, or made and verified.

    Args:
        head: LOGITS, EMBEDDING or MAPS.

    Raises:
        NoGraphError: MindSpore cannot export this network, the graph computes something else, or the process was ended.
    """
    store = Store(user_cache("onnx"), NAME)
    # The values of parameters come with the weights.
    options = {name: value for name, value in plan.options.items() if name not in spec.parameter_options}
    about = {"network": spec.name, "classes": plan.num_classes, "options": options, "size": size, "head": head}
    key = key_of(about)
    entry = store.read(key)
    if entry is None:
        entry = _made({"build": spec.build, **about})
        _keep(store, key, entry)
    return NetworkGraph.from_entry(entry)


def key_of(about: Mapping[str, Any], root: Path = environment.ROOT) -> str:
    """A name that changes with everything the graph depends on: what it is of, our sources, versions."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    facts = [about, surroundings.sources(root), surroundings.versions(), packages]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _made(job: Mapping[str, Any]) -> bytes:
    """The entry that a process makes, see `graph_maker`; of a failure an entry as well, so that it is not tried each time.

    Raises:
        NoGraphError: it failed for a reason that may be another one the next time: memory, disk, a signal.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mindzoo-") as folder,
        moving("making the graph for ONNX Runtime, once for all checkpoints of this network and size") as wait,
    ):
        wait.outcome = "made and compared with MindSpore in"
        importable = environment.ROOT / "utils" / "importable.py"
        done = subprocess.run(
            [sys.executable, "-c", MAKER, str(importable)],
            input=pickle.dumps(job),
            capture_output=True,
            cwd=folder,
            env=_surroundings(),
            check=False,
        )
        with suppress(OSError):
            if done.returncode == 0:
                return (Path(folder) / NAME).read_bytes()
        wait.outcome = "not made after"
    reason = _reason(done)
    if done.returncode != 1 or re.match(r"(OSError|MemoryError)\b", reason):
        raise NoGraphError(reason)
    return entry_of(b"", failure=reason)


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """What the process said last of an error, or at all; MindSpore's errors go on with traces."""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (errors or lines or [f"the process ended with {done.returncode}"])[-1][:MOST_CHARACTERS]


def _surroundings() -> dict[str, str]:
    """Those of a process that is no rank, and that tells what goes wrong and nothing else."""
    own = {name: value for name, value in os.environ.items() if name not in LAUNCHER_VARIABLES}
    return {**own, "GLOG_v": "3"}


def _keep(store: Store, key: str, entry: bytes) -> None:
    """Keep it; a disk that is full, or a folder that cannot be written, costs the next command and not this one."""
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        store.add(key, entry)
    except OSError as error:
        logger.info(
            "note: the graph for ONNX Runtime is not kept: %s",
            f"{error.filename}: {error.strerror}" if error.filename else error,
        )
