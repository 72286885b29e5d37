"""The public files of weights that fit a network: facts of their owners, as a file beside the network lists them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mindzoo.utils.config.recipe import read_mapping
from mindzoo.utils.errors import UserError, nearest, shorten
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.weights.web_address import WebAddress, parse

FILE = "public_weights.yaml"


@dataclass(frozen=True)
class PublicWeights:
    """One file. Whatever is empty, its owner has not published, or nobody has found."""

    name: str  # owner/name
    network: str
    url: str
    sha256: str = ""
    licence: str = ""
    # image_size, and the shorter side before the crop, in pixels: as resize_size, or image_size is crop_pct of it; the
    # interpolation; mean and std of values 0..1
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    # top1 and top5 in percent of ImageNet's validation images, and how these were preprocessed
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""
    sources: tuple[str, ...] = ()  # where each of these facts stands

    @property
    def address(self) -> WebAddress:
        """Where the file is, with its digest."""
        return parse(WebAddress(self.url, self.sha256).text, self.name)


def of_network(spec: ModelSpec) -> list[PublicWeights]:
    """The public weights of a network, in the order of its file; none where it has no file."""
    path = spec.folder / FILE
    if not path.exists():
        return []
    return [
        PublicWeights(name, spec.name, **{**facts, "sources": tuple(facts["sources"])})
        for name, facts in read_mapping(path).items()
    ]


def find(word: str, specs: Collection[ModelSpec]) -> PublicWeights | None:
    """The weights of that name; None where the word is no such name.

    Raises:
        UserError: it begins as a name does, with an owner, and there is none of that name.
    """
    owner, slash, _ = word.partition("/")
    if not slash:
        return None
    known = {weights.name: weights for spec in specs for weights in of_network(spec)}
    if word in known:
        return known[word]
    if owner in {name.partition("/")[0] for name in known}:
        networks = shorten([spec.name for spec in specs])
        raise UserError(
            f"there is no file {word}, and no public weights of that name for {networks}{nearest(word, known)}; "
            "mindzoo list-weights lists those there are"
        )
    return None
