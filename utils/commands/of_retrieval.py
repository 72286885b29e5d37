"""Search by images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mindzoo.utils.commands.command import Command
from mindzoo.utils.commands.of_networks import aliases_of_evaluation
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.log import ProgressDisplay
from mindzoo.utils.retrieval.keys import (
    EmbedConfig,
    EvaluateRetrievalConfig,
    FitExponentConfig,
    IndexAddConfig,
    IndexConfig,
    IndexRemoveConfig,
    QueryConfig,
    WhitenConfig,
    with_options,
)

if TYPE_CHECKING:
    from mindzoo.utils.spec import ModelSpec


def _embed(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import embedder

    embedder.embed(spec, loaded)


def _query(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import query

    query.query(spec, loaded)


def _fit_exponent(spec: ModelSpec, loaded: Loaded[Any], _: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import exponent

    exponent.fit(spec, loaded)


def _whiten(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import whitening

    whitening.whiten(loaded.config)


def _index(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import index

    index.build(loaded.config)


def _index_add(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import changes

    changes.add(loaded.config)


def _index_remove(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import changes

    changes.remove(loaded.config)


def _evaluate_retrieval(_: None, loaded: Loaded[Any], __: ProgressDisplay) -> None:
    from mindzoo.utils.retrieval import ranking

    ranking.evaluate(loaded.config)


EMBED = Command(
    name="embed",
    help="write the vectors of a folder of images",
    config=lambda spec: with_options(spec.preprocessed(EmbedConfig), spec, spec.options),
    run=_embed,
    verb="Embed images with",
    aliases=aliases_of_evaluation,
    examples=("--checkpoint best.ckpt --images FOLDER --output vectors.npy",),
)


QUERY = Command(
    name="query",
    help="name the images of an index that are nearest to given ones",
    config=lambda spec: with_options(spec.preprocessed(QueryConfig), spec, spec.parameter_options),
    run=_query,
    verb="Search an index with",
    aliases=aliases_of_evaluation,
    examples=(
        "--index INDEX --checkpoint best.ckpt photo.jpg --html page.html",
        "--index INDEX --checkpoint best.ckpt front.jpg side.jpg --together",
    ),
    operands=" [IMAGE ...]",
)


FIT_EXPONENT = Command(
    name="fit-exponent",
    help="fit the exponent of a generalised-mean pooling to a size of images",
    config=lambda spec: with_options(spec.preprocessed(FitExponentConfig), spec, spec.options),
    run=_fit_exponent,
    verb="Fit the exponent of the pooling of",
    aliases=aliases_of_evaluation,
    examples=("--checkpoint best.ckpt --data_dir ROOT/val --image_size 320",),
)


WHITEN = Command(
    name="whiten",
    help="fit a whitening on vectors: whiten VECTORS.npy --output W.npz",
    config=lambda _: WhitenConfig,
    run=_whiten,
    verb="Fit a PCA whitening on a file of vectors",
    examples=("vectors.npy --output whitening.npz --dimension 256",),
    of_a_network=False,
    needs_mindspore=False,
)


INDEX = Command(
    name="index",
    help="make an index of vectors: index VECTORS.npy --output FOLDER",
    config=lambda _: IndexConfig,
    run=_index,
    verb="Make an index of a file of vectors",
    examples=("vectors.npy --output INDEX", "vectors.npy --output INDEX --kind hnsw --whitening whitening.npz"),
    of_a_network=False,
    needs_mindspore=False,
)


INDEX_ADD = Command(
    name="index-add",
    help="add images to an index: index-add VECTORS.npy --index FOLDER",
    config=lambda _: IndexAddConfig,
    run=_index_add,
    verb="Add the images of a file of vectors to an index",
    examples=("new.npy --index INDEX", "again.npy --index INDEX --replace"),
    of_a_network=False,
    needs_mindspore=False,
)


INDEX_REMOVE = Command(
    name="index-remove",
    help="remove images from an index: index-remove IMAGE ... --index FOLDER",
    config=lambda _: IndexRemoveConfig,
    run=_index_remove,
    verb="Remove images from an index",
    examples=("cats/003.jpg dogs --index INDEX", "'*/draft-*' --index INDEX", "--names gone.txt --index INDEX"),
    operands=" [IMAGE ...]",
    of_a_network=False,
    needs_mindspore=False,
)


EVALUATE_RETRIEVAL = Command(
    name="evaluate-retrieval",
    help="how well vectors rank images: evaluate-retrieval VECTORS.npy --protocol P",
    config=lambda _: EvaluateRetrievalConfig,
    run=_evaluate_retrieval,
    verb="Evaluate the ranking by vectors",
    examples=("vectors.npy", "vectors.npy --protocol holidays --whitening whitening.npz"),
    of_a_network=False,
    needs_mindspore=False,
)
