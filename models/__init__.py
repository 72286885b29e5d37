"""The networks of the zoo: `list_models`, `create_model`. To add one, see docs/ADD_A_NETWORK.md.

MindSpore is imported when a network is made, not before.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindzoo.models import densenet121, genet_res50, glore_res50, hrnet_w48, multigrain
from mindzoo.utils import environment
from mindzoo.utils.errors import nearest
from mindzoo.utils.spec import IMAGE_CHANNELS, ModelSpec

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
    in_channels: int | None = None,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    **options: Any,
) -> nn.Cell:
    """A network, set to inference.

    Args:
        name: one of `list_models()`.
        num_classes: outputs of the classifier; by default the checkpoint's, or 1000. With 0 there is none, and the network
            gives what it would see: (B, C).
        checkpoint: a file of any kind that docs/EVALUATION.md lists, such as .ckpt, .pth and .safetensors. Loading is
            strict: every parameter gets a value. Or its address on the web, or a name that `mindzoo list-weights` shows.
        replace_head: keep the new network's own classifier, where `num_classes` is another than the checkpoint's.
        in_channels: of the images; by default the checkpoint's, or 3. Weights for 3 channels are changed as timm does:
            summed for 1 channel, else repeated and multiplied by 3 / in_channels.
        features_only: give the last map of each stride in place of logits, see `models/feature_maps.py`.
        out_indices: which of them, from 0 for stride 2; by default those of the strides 4, 8, 16 and 32.
        options: arguments of the network, such as `drop_rate`; those not given are the checkpoint's, or the network's
            defaults.

    Returns:
        A cell: images (B, in_channels, H, W) float32, normalised -> logits (B, num_classes) float32, or a tuple of maps.

    Raises:
        ValueError: no network of that name, or a value that it cannot take.
        UserError: a checkpoint that cannot be read or does not fit; says what is missing, unexpected or of another
            shape.
        TypeError: an option that the network does not have.
    """
    environment.check_mindspore()
    environment.limit_onednn()
    spec = get_spec(name)
    _check(num_classes, in_channels, out_indices, features_only=features_only)
    if in_channels is not None:
        options["in_channels"] = in_channels
    classes = 0 if features_only else num_classes
    if checkpoint is None:
        network = spec.build(1000 if classes is None else classes, **options)
    else:
        from mindzoo.utils.weights import named

        path = named.local(str(checkpoint), [spec], "checkpoint")
        network = _loaded(spec, path, classes, options, replace_head=replace_head)
    if features_only:
        from mindzoo.models.feature_maps import FeatureMaps

        network = FeatureMaps(network, out_indices)
    network.set_train(False)
    return network


def _check(
    num_classes: int | None, in_channels: int | None, out_indices: Sequence[int] | None, *, features_only: bool
) -> None:
    """Refuse what does not go together, or is no number of anything."""
    if features_only and num_classes:
        raise ValueError(f"num_classes is {num_classes}, and features_only has no classifier; leave out one of them")
    if out_indices is not None and not features_only:
        raise ValueError("out_indices is given without features_only; add features_only=True")
    if in_channels is not None and in_channels < 1:
        raise ValueError(f"in_channels is {in_channels}; wanted at least 1")


def _loaded(
    spec: ModelSpec, path: Path, num_classes: int | None, options: dict[str, Any], *, replace_head: bool
) -> nn.Cell:
    """The network with the weights of a checkpoint."""
    from mindzoo.utils.checkpoints import checkpoint_file, input_channels, loading, network_plan, soundness

    content = checkpoint_file.read_checkpoint(path, spec)
    channels = options.get("in_channels", spec.input_channels(content.weights))
    content = input_channels.adapted(content, spec, channels)
    if channels != IMAGE_CHANNELS:
        options = {**options, "in_channels": channels}
    plan = network_plan.plan_network(spec, content, num_classes=num_classes, options=options, replace_head=replace_head)
    network = spec.build(plan.num_classes, **plan.options)
    loading.load_into(network, content, without=plan.kept)
    soundness.check(content.path, content.chosen("averaged"), allowed=True)
    return network
