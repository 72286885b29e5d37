"""Which network a checkpoint is of."""

from __future__ import annotations

from pathlib import Path

from mindzoo.models import create_model, get_spec
from mindzoo.utils.checkpoints.checkpoint_file import read_checkpoint, save_checkpoint
from mindzoo.utils.checkpoints.network_plan import plan_network


def test_what_the_weights_show_wins_over_what_was_left_open(tmp_path: Path) -> None:
    """A training without `--layers` records an empty list; vectors of its checkpoint could not be queried."""
    spec = get_spec("multigrain")
    network = create_model("multigrain", 2, layers=(1, 1, 1, 1), base_width=4)
    meta = {"network": spec.name, "options": {"layers": [], "base_width": 4, "gem_p": 3.0}, "num_classes": 2}
    save_checkpoint(tmp_path / "x.ckpt", network.parameters_dict(), meta)
    plan = plan_network(spec, read_checkpoint(tmp_path / "x.ckpt", spec))
    assert plan.options["layers"] == (1, 1, 1, 1)
    again = plan_network(spec, read_checkpoint(tmp_path / "x.ckpt", spec), options=plan.options)
    assert again.options == plan.options
