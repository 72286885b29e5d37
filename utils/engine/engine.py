"""The engine of a command: it opens checkpoints, and may compare what it computes with MindSpore."""

from __future__ import annotations

import numpy as np
from mindspore import nn

from mindzoo.utils.checkpoints import fitting, loading, network_source
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.config.checkpoint_keys import EngineKeys
from mindzoo.utils.engine import choice, network_graph
from mindzoo.utils.engine.difference import TOLERANCE
from mindzoo.utils.engine.network_graph import LOGITS, MAPS, NetworkGraph, NoGraphError
from mindzoo.utils.engine.runners import Compared, Differences, MindSporeRunner, Runner
from mindzoo.utils.errors import UserError
from mindzoo.utils.exits import FoundProblems
from mindzoo.utils.log import aside, logger
from mindzoo.utils.spec import ModelSpec


class Engine:
    """What computes the outputs of the networks of one kind in a command.

    Raises:
        UserError: see `choice.choose`.
    """

    def __init__(self, spec: ModelSpec, config: EngineKeys, device: str) -> None:
        self.spec, self.verify = spec, config.verify
        self.name = choice.choose(config.engine, device)
        self.required = choice.asked_for(config.engine) == choice.ONNX_RUNTIME
        self.differences = Differences()
        if self.name == choice.ONNX_RUNTIME:
            aside("computing by ONNX Runtime %s; --engine mindspore takes MindSpore", _version())
        elif self.verify:
            logger.info("note: verify has no effect: MindSpore computes")

    @property
    def description(self) -> str:
        """For facts: the engine, with its version where it is not MindSpore."""
        return self.name if self.name == choice.MINDSPORE else f"{self.name} {_version()}"

    def open(self, made_from: Source, which: str, head: str = LOGITS, *, say: bool = True) -> Runner:
        """The network of a checkpoint with its weights; `which`: "averaged" or "raw"; `say`: log them.

        Raises:
            UserError: the weights do not fit, or ONNX Runtime is asked for and there is no graph for it.
        """
        if self.name == choice.ONNX_RUNTIME:
            try:
                size = made_from.preprocessing.image_size
                graph = network_graph.graph_of(self.spec, made_from.plan, size, head)
            except NoGraphError as error:
                self._give_up(error)
            else:
                return self._by_onnx_runtime(graph, made_from, which, head, say)
        return self._by_mindspore(made_from, which, head, say)

    def open_split(self, made_from: Source, which: str) -> tuple[Runner, nn.Cell]:
        """What computes the last maps of the network of a checkpoint, and the network, whose `classify` goes on from them.

        Raises:
            UserError: see `open`.
        """
        network = network_source.build_network(self.spec, made_from, which, say=False)
        if self.name == choice.MINDSPORE:
            return MindSporeRunner(network, MAPS), network
        return self.open(made_from, which, MAPS, say=False), network

    def finish(self) -> None:
        """Say how much the engines differed, where that was asked for.

        Raises:
            FoundProblems: by more than rounding explains.
        """
        largest = self.differences.largest
        if largest is None:
            return
        logger.info("largest difference between ONNX Runtime and MindSpore: %.2e of the largest output", largest)
        if not largest <= TOLERANCE:
            raise FoundProblems(
                f"the engines differ by {largest:.2e} of the largest output; at most {TOLERANCE:g} is right"
            )

    def _by_onnx_runtime(self, graph: NetworkGraph, made_from: Source, which: str, head: str, say: bool) -> Runner:
        from mindzoo.utils.engine.onnx_runner import OnnxRunner

        weights = weights_for(graph, self.spec, made_from, which)
        plan = made_from.plan
        if say:
            loading.say_loaded(
                made_from.checkpoint, which, len(graph.slots), len(plan.kept), plan.kept, plan.options.get("flavour")
            )
        runner = OnnxRunner(graph, weights)
        if not self.verify:
            return runner
        return Compared(runner, self._by_mindspore(made_from, which, head, say), self.differences)

    def _by_mindspore(self, made_from: Source, which: str, head: str, say: bool) -> Runner:
        return MindSporeRunner(network_source.build_network(self.spec, made_from, which, say=say), head)

    def _give_up(self, error: NoGraphError) -> None:
        """MindSpore is taken from here on, unless the other one was asked for."""
        if self.required:
            raise UserError(
                f"engine is {self.name}, and there is no graph of {self.spec.name} for it: {error}"
            ) from None
        logger.info(
            "note: MindSpore computes, since there is no graph of %s for ONNX Runtime: %s", self.spec.name, error
        )
        self.name = choice.MINDSPORE


def weights_for(graph: NetworkGraph, spec: ModelSpec, made_from: Source, which: str) -> dict[str, np.ndarray]:
    """The values of all parameters of a network, as `loading.load_into` gives them.

    Raises:
        UserError: they do not fit, see `fitting.check_fit`.
    """
    values = dict(made_from.checkpoint.chosen(which))
    for option, value in network_source.option_values(spec, made_from, which).items():
        values[spec.parameter_options[option]] = np.asarray(value, np.float32)
    fitting.check_fit(graph.slots, values, made_from.checkpoint.path)
    return values


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
