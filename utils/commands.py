"""The sentence that an entry point is: `train(SPEC)`, `evaluate(SPEC)`, `export(SPEC)`.

Each reads the command line, runs, and returns the exit status.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from mindzoo.utils import log, runtime, storage
from mindzoo.utils.config import reading
from mindzoo.utils.config.keys import CHECKPOINT_ALIASES, TRAIN_ALIASES, ConvertConfig, PredictConfig
from mindzoo.utils.config.reading import Aliases, Loaded
from mindzoo.utils.errors import UserError
from mindzoo.utils.inference import classify_images, convert_checkpoint, evaluate_checkpoints, export_checkpoint
from mindzoo.utils.launch import launcher
from mindzoo.utils.launch.keys import LaunchConfig
from mindzoo.utils.retrieval import embedder, exponent, index, query, ranking, whitening
from mindzoo.utils.retrieval.keys import (
    EmbedConfig,
    EvaluateRetrievalConfig,
    FitExponentConfig,
    IndexConfig,
    QueryConfig,
    WhitenConfig,
    with_options,
)
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.training import trainer

C = TypeVar("C")


def train(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Train; the flags are those of `spec.train_config`."""

    def run() -> None:
        loaded = _load(spec, spec.train_config, {**TRAIN_ALIASES, **spec.train_aliases}, argv, prog, "Train")
        progress = log.start(spec.lines.format, console=_on_console(loaded.config))
        trainer.train(spec, loaded, progress)

    return runtime.exit_status(run)


def evaluate(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Evaluate one checkpoint, or every checkpoint of a folder."""

    def run() -> None:
        loaded = _load(spec, spec.eval_config, {**CHECKPOINT_ALIASES, **spec.eval_aliases}, argv, prog, "Evaluate")
        log.start(spec.lines.format, console=_on_console(loaded.config))
        evaluate_checkpoints.evaluate(spec, loaded)

    return runtime.exit_status(run)


def launch(spec: ModelSpec, argv: Sequence[str], prog: str) -> int:
    """Train or evaluate on several ranks: `train --ranks 8 -- FLAGS OF TRAIN`."""
    commands: dict[str, tuple[type[Any], Aliases, Aliases]] = {
        "train": (spec.train_config, TRAIN_ALIASES, spec.train_aliases),
        "eval": (spec.eval_config, CHECKPOINT_ALIASES, spec.eval_aliases),
    }
    command, *rest = argv or [""]

    def run() -> None:
        log.start()
        if command not in (*commands, "-h", "--help"):
            raise UserError(
                f"{prog} {command}: wanted {prog} train or {prog} eval, flags, -- and the command's own flags"
            )
        own = rest[: rest.index("--")] if "--" in rest else rest
        options = _launch_options(own if command in commands else ["--help"], f"{prog} {command}")
        config_class, common, aliases = commands[command]
        flags = rest[len(own) + 1 :]
        loaded = _read(spec, config_class, {**common, **aliases}, flags, f"{prog} {command} --", command.capitalize())
        launcher.launch(spec.folder / f"{command}.py", command, options, loaded, flags)

    return runtime.exit_status(run)


def _launch_options(argv: Sequence[str], prog: str) -> LaunchConfig:
    """The flags in front of the `--`; the error of an unknown one says where the others belong."""
    behind = "the flags of train or eval itself stand behind a --"
    try:
        what = f"Start a command on several ranks and watch over them; {behind}."
        return reading.load(LaunchConfig, argv, prog=prog, description=what).config
    except UserError as error:
        raise UserError(f"{error}; {behind}") from None


def export(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Write a checkpoint as MINDIR, ONNX or AIR."""

    def run() -> None:
        loaded = _load(spec, spec.export_config, {**CHECKPOINT_ALIASES, **spec.export_aliases}, argv, prog, "Export")
        log.start()
        export_checkpoint.export(spec, storage.fetch(loaded, spec.cache_paths))

    return runtime.exit_status(run)


def predict(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Name the classes of images."""

    def run() -> None:
        loaded = _load(
            spec, PredictConfig, {**CHECKPOINT_ALIASES, **spec.eval_aliases}, argv, prog, "Classify images with"
        )
        log.start()
        classify_images.predict(spec, storage.fetch(loaded, spec.cache_paths))

    return runtime.exit_status(run)


def embed(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Write the vectors of a folder of images."""

    def run() -> None:
        aliases = {**CHECKPOINT_ALIASES, **spec.eval_aliases}
        loaded = _load(spec, with_options(EmbedConfig, spec, spec.options), aliases, argv, prog, "Embed images with")
        progress = log.start()
        embedder.embed(spec, storage.fetch(loaded, spec.cache_paths), progress)

    return runtime.exit_status(run)


def search(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Name the images of an index that are nearest to given ones."""

    def run() -> None:
        aliases = {**CHECKPOINT_ALIASES, **spec.eval_aliases}
        loaded = _load(
            spec, with_options(QueryConfig, spec, spec.parameter_options), aliases, argv, prog, "Search an index with"
        )
        log.start()
        query.query(spec, storage.fetch(loaded, spec.cache_paths))

    return runtime.exit_status(run)


def fit_exponent(spec: ModelSpec, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Find the exponent of the pooling that goes with a size of images."""

    def run() -> None:
        aliases = {**CHECKPOINT_ALIASES, **spec.eval_aliases}
        loaded = _load(
            spec,
            with_options(FitExponentConfig, spec, spec.options),
            aliases,
            argv,
            prog,
            "Fit the exponent of the pooling of",
        )
        log.start()
        exponent.fit(spec, loaded)

    return runtime.exit_status(run)


def whiten(argv: Sequence[str], prog: str) -> int:
    """Fit a whitening on vectors."""
    return _plain(WhitenConfig, whitening.whiten, argv, prog, "Fit a PCA whitening on a file of vectors.")


def build_index(argv: Sequence[str], prog: str) -> int:
    """Make an index of vectors."""
    return _plain(IndexConfig, index.build, argv, prog, "Make an index of a file of vectors.")


def evaluate_retrieval(argv: Sequence[str], prog: str) -> int:
    """Evaluate how vectors rank images."""
    return _plain(EvaluateRetrievalConfig, ranking.evaluate, argv, prog, "Evaluate the ranking by vectors.")


def convert(specs: Collection[ModelSpec], argv: Sequence[str], prog: str) -> int:
    """Write any checkpoint that can be read as one of this zoo."""

    def run() -> None:
        loaded = reading.load(ConvertConfig, argv, prog=prog, description="Write any checkpoint as one of this zoo.")
        log.start()
        convert_checkpoint.convert(specs, loaded.config)

    return runtime.exit_status(run)


def _plain(
    config_class: type[C], command: Callable[[C], object], argv: Sequence[str], prog: str, description: str
) -> int:
    """Run a command that needs no network."""

    def run() -> None:
        loaded = reading.load(config_class, argv, prog=prog, description=description)
        log.start()
        for note in loaded.notes():
            log.logger.info(note)
        command(loaded.config)

    return runtime.exit_status(run)


def _load(
    spec: ModelSpec, config_class: type[Any], aliases: Any, argv: Sequence[str] | None, prog: str | None, verb: str
) -> Loaded[Any]:
    """The configuration with its `*_url` keys put in place."""
    loaded = _read(spec, config_class, aliases, argv, prog, verb)
    known = {field.name for field in dataclasses.fields(config_class)}
    if "checkpoint_url" not in known:
        return loaded
    return storage.settle(loaded, "checkpoint" if "checkpoint" in known else spec.checkpoint_url_key)


def _read(
    spec: ModelSpec, config_class: type[Any], aliases: Any, argv: Sequence[str] | None, prog: str | None, verb: str
) -> Loaded[Any]:
    known = {field.name for field in dataclasses.fields(config_class)}
    # One recipe serves all commands of a network; what only a training needs is skipped by the others.
    training = {field.name for field in dataclasses.fields(spec.train_config)} | {*TRAIN_ALIASES, *spec.train_aliases}
    return reading.load(
        config_class,
        sys.argv[1:] if argv is None else argv,
        aliases={
            word: meant
            for word, meant in aliases.items()
            if known.issuperset((meant,) if isinstance(meant, str) else meant.keys)
        },
        recipes=spec.recipes,
        prog=prog,
        passed_over=training,
        description=f"{verb} {spec.title} ({spec.paper}).",
    )


def _on_console(settings: Any) -> bool:
    """One rank of eight speaks, as in the original zoo."""
    return bool(settings.rank % 8 == 0)
