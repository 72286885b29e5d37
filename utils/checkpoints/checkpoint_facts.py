"""What is said of a checkpoint in what is made of it: an exported file, vectors, an index."""

from __future__ import annotations

from mindzoo.utils import files
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint


def checkpoint_facts(checkpoint: Checkpoint, which: str) -> dict[str, str]:
    """{"file", "sha256", "weights"}: enough to know the file again, wherever it lies, and nothing of this machine.

    Args:
        which: the weights that were asked for, "averaged" or "raw"; a checkpoint may have no averaged ones to take.
    """
    return {
        "file": checkpoint.path.name,
        "sha256": files.sha256(checkpoint.path),
        "weights": "averaged" if which == "averaged" and checkpoint.averaged else "raw",
    }
