"""The networks of the zoo: `list_models`, `create_model`. To add one, see docs/ADD_A_NETWORK.md.

MindSpore is imported when a network is made, not before.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindzoo.models import densenet121, genet_res50, glore_res50, hrnet_w48, multigrain
from mindzoo.utils import environment
from mindzoo.utils.errors import nearest
from mindzoo.utils.spec import ModelSpec

if TYPE_CHECKING:
    from mindspore import nn

# The entries, written by hand: nothing looks for networks.
SPECS: dict[str, ModelSpec] = {
    "densenet121": densenet121.SPEC,
    "genet_res50": genet_res50.SPEC,
    "glore_res50": glore_res50.SPEC,
    "hrnet_w48": hrnet_w48.SPEC,
    "multigrain": multigrain.SPEC,
}


def list_models(pattern: str = "*") -> list[str]:
    """Names of the networks that match `pattern`, as in a shell: `list_models("*res50")`."""
    return sorted(fnmatch.filter(SPECS, pattern))


def get_spec(name: str) -> ModelSpec:
    """The description of a network.

    Raises:
        ValueError: no network of that name; the message lists them.
    """
    if name not in SPECS:
        raise ValueError(f"unknown network {name}{nearest(name, SPECS)}; there are {', '.join(list_models())}")
    return SPECS[name]


def create_model(
    name: str,
    num_classes: int | None = None,
    checkpoint: str | Path | None = None,
    *,
    replace_head: bool = False,
    **options: Any,
) -> nn.Cell:
    """A network, set to inference.

    Args:
        name: one of `list_models()`.
        num_classes: outputs of the classifier; by default the checkpoint's, or 1000.
        checkpoint: a file of any kind that docs/EVALUATION.md lists, such as .ckpt, .pth and .safetensors. Loading is
            strict: every parameter gets a value. Or its address on the web, or a name that `mindzoo list-weights` shows.
        replace_head: keep the new network's own classifier, where `num_classes` is another than the checkpoint's.
        options: arguments of the network; those not given are the checkpoint's, or the network's defaults.

    Returns:
        A cell: images (B, 3, H, W) float32, normalised -> logits (B, num_classes) float32.

    Raises:
        ValueError: no network of that name.
        UserError: a checkpoint that cannot be read or does not fit; says what is missing, unexpected or of another
            shape.
        TypeError: an option that the network does not have.
    """
    from mindzoo.utils.checkpoints import checkpoint_file, loading, network_plan, soundness
    from mindzoo.utils.weights import named

    environment.check_mindspore()
    environment.limit_onednn()
    spec = get_spec(name)
    if checkpoint is None:
        network = spec.build(1000 if num_classes is None else num_classes, **options)
    else:
        content = checkpoint_file.read_checkpoint(named.local(str(checkpoint), [spec], "checkpoint"), spec)
        plan = network_plan.plan_network(
            spec, content, num_classes=num_classes, options=options, replace_head=replace_head
        )
        network = spec.build(plan.num_classes, **plan.options)
        loading.load_into(network, content, without=plan.kept)
        soundness.check(content.path, content.chosen("averaged"), allowed=True)
    network.set_train(False)
    return network
