"""What weights from elsewhere are called: wrappers around a network, PyTorch's words, another zoo's structure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mindzoo.utils.spec import ModelSpec

# Batch norm in PyTorch's words and in MindSpore's.
WORDS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
COUNTED = "num_batches_tracked"
# Origins: names of the original zoo, which are ours; PyTorch's words; MindSpore's words in another structure.
ZOO, TORCH, OTHER_ZOO = "zoo", "torch", "mindcv"
# Wrappers: module. of DataParallel, _orig_mod. of torch.compile, model. of Lightning, and what people call a network.
# Any word that all names begin with is taken off, so they need no list; these are the second of two networks.
AVERAGED = ("teacher", "ema", "ema_model", "model_ema", "averaged", "momentum_encoder")
MOST_WRAPPERS = 5

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Named:
    """Weights by our names, and what was done for it."""

    origin: str
    weights: dict[str, np.ndarray]
    prefix: str = ""  # was taken off the names
    outside: tuple[str, ...] = ()  # names without it, which are left out
    added: tuple[str, ...] = ()  # weights that are zero, because the other network does not have them


def recognised(raw: Arrays, specs: Collection[ModelSpec]) -> tuple[ModelSpec, Named] | None:
    """The network that the arrays are weights of, under as few wrappers as possible; None where it is none.

    One that comes out with its classifier is preferred: a wrapper may be called as a part of a network is.
    """
    without = None
    for prefix, inside in unwrapped(raw):
        outside = tuple(name for name in raw if not name.startswith(prefix))
        for spec in specs:
            found = named(inside, spec)
            if spec.shown_by(found.weights) is None:
                continue
            whole = spec, _completed(found, spec, prefix, outside)
            if f"{spec.classifier}.weight" in found.weights:
                return whole
            without = without or whole
    return without


def named(raw: Arrays, spec: ModelSpec) -> Named:
    """The arrays by the names of the network `spec`, as far as it knows them."""
    if is_of_torch(raw):
        return Named(TORCH, _structured(_in_our_words(raw), spec))
    structured = _structured(raw, spec)
    # The original zoo's names stay as they are; others become ours where that gives a network.
    if structured.keys() != raw.keys() and spec.shown_by(structured) is not None:
        return Named(OTHER_ZOO, structured)
    return Named(ZOO, dict(raw))


def is_of_torch(names: Collection[str]) -> bool:
    """Whether batch norm is called as in PyTorch."""
    return any(name.endswith((".running_mean", COUNTED)) for name in names)


def unwrapped(raw: Arrays) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The arrays as they are, then without the word before the first point that most of them share, then again.

    What does not have it is not of the network: metrics, losses, a counter, or a second network.
    """
    prefix, inside = "", dict(raw)
    for _ in range(MOST_WRAPPERS + 1):
        yield prefix, inside
        words = Counter(word for word, point, _ in (name.partition(".") for name in inside) if point)
        if not words:
            return
        most = max(words.values())
        equal = [word for word, count in words.items() if count == most]
        word = next((word for word in equal if word not in AVERAGED), equal[0])
        prefix += f"{word}."
        inside = {name.removeprefix(f"{word}."): value for name, value in inside.items() if name.startswith(f"{word}.")}


def _in_our_words(raw: Arrays) -> dict[str, np.ndarray]:
    """Batch norm in MindSpore's words."""
    norms = {name.removesuffix(".running_mean") for name in raw if name.endswith(".running_mean")}
    weights = {}
    for name, value in raw.items():
        stem, _, leaf = name.rpartition(".")
        if leaf != COUNTED:
            weights[f"{stem}.{WORDS.get(leaf, leaf)}" if stem in norms else name] = value
    return weights


def _structured(raw: Arrays, spec: ModelSpec) -> dict[str, np.ndarray]:
    """By the names of our structure; as they are where two would get one name."""
    found = {spec.from_torch(name) or name: value for name, value in raw.items()}
    return found if len(found) == len(raw) else dict(raw)


def _completed(found: Named, spec: ModelSpec, prefix: str, outside: tuple[str, ...]) -> Named:
    absent = {} if found.origin == ZOO else dict(spec.absent(found.weights))
    return Named(found.origin, {**found.weights, **absent}, prefix, outside, tuple(absent))
