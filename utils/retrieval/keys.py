"""The configuration keys of the commands that embed, index, search and evaluate."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from mindzoo.utils.config.checkpoint_keys import CheckpointKeys, ClassNameKeys, EngineKeys
from mindzoo.utils.config.image_keys import BadImageKeys, PreprocessingKeys
from mindzoo.utils.config.machine_keys import CompileKeys, DeviceKeys, RanksKeys, RecipeKeys
from mindzoo.utils.config.reading import key
from mindzoo.utils.errors import UserError
from mindzoo.utils.spec import ModelSpec

KINDS = ("exact", "flat", "ivf", "hnsw")
PROTOCOLS = ("folders", "holidays", "ukbench")
C = TypeVar("C")


@dataclass(frozen=True)
class EmbedConfig(CheckpointKeys, EngineKeys, PreprocessingKeys, RanksKeys, RecipeKeys):
    """Embedding"""

    images: str = key("", "folder of images, at any depth; the folder that an image lies in is noted as its class")
    output: str = key("", "file to write the vectors to, .npy; their facts and the images' names go beside it")
    batch_size: int = key(32, "images at a time", minimum=1)
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)
    overwrite: bool = key(False, "write output also where it exists, and begin anew where an earlier run was stopped")


@dataclass(frozen=True)
class VectorsKeys:
    """The vectors"""

    vectors: tuple[str, ...] = key((), "the file that mindzoo embed wrote, .npy", positional=True)

    def __post_init__(self) -> None:
        if len(self.vectors) != 1:
            raise UserError(f"{len(self.vectors)} files of vectors are given; wanted one, as mindzoo embed writes it")


@dataclass(frozen=True)
class WhitenConfig(VectorsKeys):
    """Whitening"""

    output: str = key("", "file to write the whitening to, .npz")
    dimension: int = key(0, "length of the whitened vectors; 0: every direction in which the vectors vary", minimum=0)
    overwrite: bool = key(False, "write output also where it exists")


@dataclass(frozen=True)
class IndexConfig(VectorsKeys):
    """Index"""

    output: str = key("", "folder to write the index to")
    kind: str = key(
        "exact",
        "exact: NumPy alone; of faiss (mindzoo's extra ann): flat is exact, ivf and hnsw are faster and may miss some",
        choices=KINDS,
    )
    whitening: str = key("", "whitening to apply, as mindzoo whiten writes it")
    lists: int = key(
        0, "cells that the vectors are divided into; 0: four times the root", minimum=0, only_with=("kind", ("ivf",))
    )
    links: int = key(32, "links from each vector to others", minimum=2, only_with=("kind", ("hnsw",)))


@dataclass(frozen=True)
class IndexAddConfig(VectorsKeys):
    """Adding to an index"""

    index: str = key("", "folder that mindzoo index wrote")
    replace: bool = key(False, "images that the index has already get their new vectors; not given: they are refused")
    images_root: str = key(
        "", "folder that the images of the index lie below now, which it notes; not given: the one that it names"
    )


@dataclass(frozen=True)
class IndexRemoveConfig:
    """Removing from an index"""

    images: tuple[str, ...] = key(
        (),
        "what to remove, as mindzoo query names it: an image, a folder with all below it, or a pattern for either, in which "
        "* and ? stand for what is in one name",
        positional=True,
    )
    index: str = key("", "folder that mindzoo index wrote")
    names: str = key("", "file with images to remove, one a line")


@dataclass(frozen=True)
class QueryConfig(EngineKeys, PreprocessingKeys, CompileKeys, RecipeKeys):
    """Query; images are preprocessed as those of the index, and a value that is given must be the same"""

    images: tuple[str, ...] = key(
        (), "image files, folders of them, or patterns such as 'photos/*.jpg'", positional=True
    )
    index: str = key("", "folder that mindzoo index wrote")
    checkpoint: str = key("", "the checkpoint that the vectors in the index are of")
    whitening: str = key("", "the index applies its own; a file given here must be the same")
    together: bool = key(False, "the images are one question: the mean of their vectors, each of the same weight")
    top_k: int = key(10, "how many images to name for each question", minimum=1)
    effort: int = key(
        0, "of an ivf index: cells to look into; of hnsw: candidates to keep; more finds more; 0: 16, or 64", minimum=0
    )
    output: str = key("", "file to write as well, .json")
    html: str = key("", "page with the pictures to write as well, .html")
    images_root: str = key(
        "", "folder that the pictures for the page lie below; not given: the one that the index names"
    )
    batch_size: int = key(32, "images at a time", minimum=1)


@dataclass(frozen=True)
class EvaluateRetrievalConfig(VectorsKeys):
    """Evaluation of retrieval"""

    protocol: str = key(
        "folders",
        "what belongs together; folders: images of one folder; holidays: INRIA Holidays, by file name; "
        "ukbench: UKBench, four in a row by file name",
        choices=PROTOCOLS,
    )
    whitening: str = key("", "whitening to apply, as mindzoo whiten writes it")
    output: str = key("", "file to write as well, .json, with the value of every query")


@dataclass(frozen=True)
class FitExponentConfig(CheckpointKeys, ClassNameKeys, PreprocessingKeys, BadImageKeys, DeviceKeys, RecipeKeys):
    """Fitting the exponent of the pooling"""

    data_dir: str = key(
        "",
        "folder with one folder of images per class; or a folder that holds only train/, val/ and test/; or a pack of either",
    )
    exponents: tuple[float, ...] = key(
        (), "exponents to try; none: 33 from 1 to 16, each 9 % above the last", minimum=1e-3
    )
    criterion: str = key(
        "cross_entropy",
        "what decides; cross_entropy: as in the paper, and a classifier that is too unsure makes it favour high exponents; accuracy: top-1, and of equal ones the lower cross entropy",
        choices=("cross_entropy", "accuracy"),
    )
    batch_size: int = key(32, "images at a time", minimum=1)
    workers: int = key(0, "threads that read images; 0: chosen from the number of cores", minimum=0)
    output: str = key("", "file to write as well, .json")


def with_options(
    config_class: type[C],
    spec: ModelSpec,
    names: Collection[str],
    title: str = "Network; what the checkpoint records, unless a key is given",
) -> type[C]:
    """`config_class` with these options of the network as keys of their own below `title`, as evaluation has them."""
    types = typing.get_type_hints(spec.eval_config)
    plain: Any = config_class
    known = {field.name for field in dataclasses.fields(plain)}
    options = [
        (field.name, types[field.name], dataclasses.field(default=field.default, metadata=field.metadata))
        for field in dataclasses.fields(spec.eval_config)
        if field.name in names and field.name not in known
    ]
    made: type[C] = dataclasses.make_dataclass(
        plain.__name__, options, bases=(plain,), namespace={"__doc__": title}, frozen=True
    )
    return made
