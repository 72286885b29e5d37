"""Which operators are in the graphs of the five networks, as MindSpore's frontend hands them to an Ascend card."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from mindspore.graph.api import _cell_graph_executor
from mindspore.train.dataset_helper import _DataWrapper
from mindspore.train.mind_ir_pb2 import ModelProto

from mindzoo.models import SPECS
from mindzoo.models.layers import dropout
from mindzoo.models.multigrain.network import LogitsAndEmbedding
from mindzoo.utils import compat
from mindzoo.utils.config.keys import TrainConfig
from mindzoo.utils.data.transforms import Preprocessing
from mindzoo.utils.inference.export_graph import WithScaling
from mindzoo.utils.learning import optimizers
from mindzoo.utils.learning.dropout import seeded
from mindzoo.utils.learning.kept_losses import KeptLosses
from mindzoo.utils.learning.losses import SmoothedCrossEntropy
from mindzoo.utils.learning.metric_losses import MarginLoss, MixedLoss, TripletLoss
from mindzoo.utils.learning.overflow import StatusRegisters
from mindzoo.utils.learning.sync_batch_norm import synchronise
from mindzoo.utils.learning.thor import ThorStep
from mindzoo.utils.learning.train_step import TrainStep
from mindzoo.utils.runtime import World
from mindzoo.utils.training import setup
from mindzoo.utils.training.hit_counter import CountingStep

CLASSES, BATCH, SIDE = 5, 4, 32
# Small networks, by name: all kinds of layers are in some of them.
NETWORKS: dict[str, list[dict[str, Any]]] = {
    "hrnet_w48": [{"width": 4, "modules": (1, 1), "blocks": 1, "head_width": 2}],
    "glore_res50": [{"layers": (1, 1, 2, 1), "base_width": 4, "unit": unit} for unit in ("zoo", "paper")],
    "genet_res50": [
        {"layers": (1, 1, 1, 1), "base_width": 4, "image_size": (SIDE, SIDE), **variant}
        for variant in ({}, {"gather": "paper"}, {"extra": False})
    ],
    "multigrain": [
        {"layers": (1, 1, 1, 1), "base_width": 4, **variant}
        for variant in ({"learn_p": True}, {"flavour": "paper", "backbone": "se_resnet50", "whitening": True})
    ],
    "densenet121": [
        {"block_config": (1, 1), "growth_rate": 4, "init_features": 8, "flavour": f} for f in ("zoo", "paper")
    ],
}
# By the name on the page: arguments of a training step, with all kinds of state that it can have.
FULL: dict[str, Any] = {"accumulation_steps": 2, "clip_norm": 1.0, "ema_decay": 0.9, "loss_scale": 1024.0}
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "momentum": ("momentum", FULL),
    "nesterov": ("nesterov", {}),
    "rmsprop": ("rmsprop", {}),
    "dynamic loss scale": ("momentum", {**FULL, "dynamic_loss_scale": True}),
    "dynamic loss scale on 910A": ("momentum", {"dynamic_loss_scale": True, "loss_scale": 2.0, "registers": True}),
}
# The same: keys of a training that change its step.
KEYS: dict[str, dict[str, Any]] = {
    "adamw": {"optimizer": "adamw"},
    "averages that warm up": {"ema_decay": 0.9, "ema_warmup": True},
    "dropout": {"drop_rate": 0.2},
    "focal and adjusted loss": {"loss": "focal", "logit_adjustment": 1.0, "class_weights": "effective"},
    "layer rates and plateau": {"layer_decay": 0.75, "schedule": "plateau"},
    "mixing": {"mixup": 0.2, "cutmix": 1.0},
    "random erasing": {"random_erasing": 0.25},
}
CARDS = {"910A": "ascend910", "A2": "ascend910b"}


class Small(nn.Cell):
    """The kinds of layers that the second-order step treats differently, for graphs in which the step matters."""

    def __init__(self, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.SequentialCell(
            nn.Conv2d(3, 4, 3, 2, pad_mode="same"), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3, 1, pad_mode="pad", padding=1, group=2), nn.Conv2d(4, 6, 1, 2, has_bias=True),
        )  # fmt: skip
        self.dropout, self.fc = dropout(drop_rate), nn.Dense(6, CLASSES)

    def construct(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.layers(x).mean((2, 3))))


def collect() -> dict[str, list[str]]:
    """The names of the graphs that an operator is in, by operator; a graph that one card alone meets says so."""
    found: dict[str, set[str]] = defaultdict(set)
    for graph, operators in _graphs():
        for operator in operators:
            found[operator].add(graph)
    steps = {graph for graphs in found.values() for graph in graphs if graph.startswith("step: ")}
    every = {kind: {f"{network} {kind}" for network in NETWORKS} for kind in ("train", "eval", "export")}
    return {operator: _shortened(graphs, {**every, "step": steps}) for operator, graphs in found.items()}


def _shortened(graphs: set[str], every: Mapping[str, set[str]]) -> list[str]:
    """The names, sorted; one for all graphs of a kind."""
    for kind, names in every.items():
        graphs = graphs - names | {f"every {kind}"} if names <= graphs else graphs
    return sorted(graphs)


def _graphs() -> Iterator[tuple[str, set[str]]]:
    images, labels, mask = inputs()
    for name, variants in NETWORKS.items():
        for options in variants:
            with card("A2"):
                # Half precision has all operators of float32, and Cast.
                network = SPECS[name].make(CLASSES, options)
                half = ms.amp.auto_mixed_precision(SPECS[name].make(CLASSES, options), "O2", ms.float16)
                step = training_step(half, SmoothedCrossEntropy(CLASSES, 0.1), "momentum", {})
                yield f"{name} train", operators_of(step, images, labels)
                counting = CountingStep(network.set_train(False), CLASSES, CLASSES, 0.1)
                yield f"{name} eval", operators_of(counting, images, labels, mask)
                yield f"{name} export", operators_of(network, images)
    how = Preprocessing((SIDE, SIDE), 1.0, "square", mean=(0.5,) * 3, std=(0.2,) * 3)
    pixels = Tensor(np.zeros((BATCH, SIDE, SIDE, 3), np.uint8))
    yield "export with preprocessing", operators_of(WithScaling(Small().set_train(False), how), pixels)
    yield from _step_graphs(images, labels)


def _step_graphs(images: Tensor, labels: Tensor) -> Iterator[tuple[str, set[str]]]:
    cross_entropy = SmoothedCrossEntropy(CLASSES, weights=np.ones(CLASSES, np.float32))
    for graph, (optimizer, options) in STEPS.items():
        with card("910A"):
            yield (
                f"step: {graph}",
                operators_of(training_step(Small(), cross_entropy, optimizer, options), images, labels),
            )
    yield from _graphs_of_keys(images, labels)
    for generation in CARDS:
        with card(generation):
            step = training_step(Small(), cross_entropy, "thor", {**FULL, "dynamic_loss_scale": True})
            # The graph that refreshes the factors has all of the other.
            yield f"step: thor on {generation}", operators_of(step, images, labels, True)
    for metric in (TripletLoss(), MarginLoss()):
        with card("910A"):
            network = LogitsAndEmbedding(SPECS["multigrain"].make(CLASSES, NETWORKS["multigrain"][0]))
            step = training_step(network, MixedLoss(SmoothedCrossEntropy(CLASSES), metric, 0.5, 2), "momentum", {})
            yield "step: metric loss", operators_of(step, images, labels)
    with card("910A"):
        kept = KeptLosses(training_step(Small(), cross_entropy, "momentum", {}), 3)
        types, shapes = [images.dtype, labels.dtype], [list(images.shape), list(labels.shape)]
        yield "step: data sink", operators_of(_DataWrapper(kept, types, shapes, "queue").set_train())
    with card("910A"), ranks(2):
        network = Small()
        synchronise(network, 2)
        yield (
            "step: ranks",
            operators_of(training_step(network, cross_entropy, "momentum", {"distributed": True}), images, labels),
        )
        step = training_step(Small(), cross_entropy, "thor", {"distributed": True})
        yield "step: ranks", operators_of(step, images, labels, True)


def _graphs_of_keys(images: Tensor, labels: Tensor) -> Iterator[tuple[str, set[str]]]:
    rates = np.full(3, 0.1, np.float32)
    for graph, keys in KEYS.items():
        config = TrainConfig(image_size=(SIDE, SIDE), max_epoch=1, **keys)
        with card("910A"):
            network = Small(config.drop_rate)
            seeded(network, config.seed, 0)
            loss = setup.build_loss(config, CLASSES, np.arange(CLASSES))
            step = setup.build_step(config, network, loss, rates, "O0", World(), stages=(("layers.",),))
            yield f"step: {graph}", operators_of(step, images, labels)


def operators_of(cell: nn.Cell, *inputs: Any) -> set[str]:
    """The names of the primitives in the compiled graph of `cell` and in its subgraphs."""
    phase, _ = _cell_graph_executor.compile(cell, *inputs, phase="export.operators", do_convert=False)
    model = ModelProto.FromString(_cell_graph_executor._get_func_graph_proto(cell, phase, "mind_ir"))
    return {primitive.op_type for primitive in model.primitives}


@contextmanager
def card(generation: str) -> Iterator[None]:
    """Python code is told that the device is an Ascend card of this generation."""
    context = type(ms.context._context())
    ask: Callable[[Any, Any], Any] = context.get_param
    device = ms.context.ms_ctx_param.device_target

    def answer(self: Any, name: Any) -> Any:
        return "Ascend" if name == device else ask(self, name)

    with (
        mock.patch.object(context, "get_param", answer),
        mock.patch.object(compat, "soc_version", return_value=CARDS[generation]),
    ):
        yield


@contextmanager
def ranks(size: int) -> Iterator[None]:
    """Python code is told that there are `size` ranks."""
    with ExitStack() as stack:
        for module in ("mindzoo.utils.learning.buckets", "mindspore.nn.wrap.grad_reducer"):
            stack.enter_context(mock.patch(f"{module}.get_group_size", return_value=size))
        yield


def training_step(network: nn.Cell, loss: nn.Cell, optimizer: str, options: dict[str, Any]) -> TrainStep:
    """The step with this optimizer; `options` are those of `TrainStep`, of which `registers` is true or absent here."""
    kind = ThorStep if optimizer == "thor" else TrainStep
    made = optimizers.create(
        kind.update_rule or optimizer, network, np.full(3, 0.1, np.float32), momentum=0.9, weight_decay=1e-4,
        loss_parameters=loss.trainable_params(), no_decay=kind.no_decay,
    )  # fmt: skip
    if options.get("registers"):
        options = {**options, "registers": StatusRegisters()}
    more: dict[str, Any] = {"dampings": np.full(3, 0.1, np.float32), "frequency": 2} if kind is ThorStep else {}
    return kind(network, loss, made, **more, **options).set_train(True)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and mask of a batch."""
    images = Tensor(np.zeros((BATCH, 3, SIDE, SIDE), np.float32))
    return images, Tensor(np.zeros(BATCH, np.int32)), Tensor(np.ones(BATCH, np.float32))
