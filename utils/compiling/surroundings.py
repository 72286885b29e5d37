"""What a compiled graph depends on beside the network: our sources, versions, this machine, variables, configuration."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindzoo.utils.environment import ROOT

# Keys of the configuration that reach no graph. All others count, also those that may not: a key too many costs a
# compilation, one too few would cost a wrong result.
WITHOUT_EFFECT_ON_GRAPHS = frozenset(
    {
        *("config_path", "compile_cache", "modelarts", "data_url", "eval_data_url", "checkpoint_url", "train_url"),
        *("data_dir", "eval_data_dir", "output_dir", "output", "html", "index", "images", "images_root", "classes"),
        *("checkpoint", "pretrained", "resume", "weights", "allow_nonfinite", "overwrite", "top_k", "effort"),
        *(
            "begin_epoch",
            "end_epoch",
            "max_steps",
            "log_interval",
            "tracker",
            "run_eval",
            "eval_start_epoch",
            "eval_interval",
        ),
        *(
            "metric",
            "patience",
            "min_delta",
            "save_checkpoint",
            "save_best_ckpt",
            "ckpt_interval",
            "save_checkpoint_epochs",
        ),
        *("save_minutes", "keep_checkpoint_max", "is_save_on_master", "workers", "engine", "verify"),
    }
)
SOURCES = ("*.py", "models/**/*.py", "utils/**/*.py")  # below the root
VARIABLES = ("MS_", "MINDSPORE_", "ONEDNN_", "DNNL_", "OMP_", "GRAPH_OP_RUN", "ENABLE_")
OF_LOGS = ("MS_SUBMODULE_LOG_v", "MS_OM_PATH")
CPU_FACTS = ("vendor_id", "model name", "flags", "Features", "CPU part")


def describe(config: Any, root: Path = ROOT) -> dict[str, Any]:
    """All of it, as JSON takes it; `config` is the typed configuration of a command."""
    return {
        "configuration": configuration(config),
        "sources": sources(root),
        "versions": versions(),
        "machine": machine(),
        "variables": variables(os.environ),
    }


def configuration(config: Any) -> dict[str, str]:
    """The values of the keys that may reach a graph."""
    values = dataclasses.asdict(config)
    return {name: repr(value) for name, value in sorted(values.items()) if name not in WITHOUT_EFFECT_ON_GRAPHS}


def sources(root: Path) -> str:
    """The SHA-256 of the names and contents of all our sources."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in root.glob(pattern)}):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Of what compiles."""
    return {
        "python": sys.version,
        **{package: importlib.metadata.version(package) for package in ("mindspore", "numpy")},
    }


def machine(cpu_facts: Path = Path("/proc/cpuinfo")) -> list[str]:
    """System and processor; of a processor what its first core says."""
    found = [platform.system(), platform.machine(), platform.processor()]
    try:
        lines = cpu_facts.read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return found
    return found + [line for line in lines if line.split("\t")[0].strip() in CPU_FACTS]


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that MindSpore and oneDNN read."""
    return {
        name: value for name, value in sorted(environment.items()) if name.startswith(VARIABLES) and name not in OF_LOGS
    }
