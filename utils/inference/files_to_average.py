"""The files that an average is made of: read one by one, and all of one network, as one sentence says where they are not."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindzoo.utils.checkpoints import checkpoint_file, network_plan, origin_preprocessing, soundness
from mindzoo.utils.checkpoints.checkpoint_facts import checkpoint_facts
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.config.reading import show
from mindzoo.utils.errors import UserError, counted, shorten
from mindzoo.utils.inference.evaluate_checkpoints import checkpoints_of
from mindzoo.utils.log import logger
from mindzoo.utils.spec import ModelSpec


@dataclass(frozen=True)
class Member:
    """One of the files. `facts`: its name, its digest, and which of its weights; more may be added."""

    path: Path
    facts: dict[str, Any]


class Reader:
    """Reads files of one network; `which`: the weights that are taken, "averaged" where there are any, or "raw"."""

    def __init__(self, specs: Collection[ModelSpec], which: str) -> None:
        self.specs, self.which = specs, which
        self.known: tuple[ModelSpec, Path, dict[str, Any]] | None = None  # of the first file

    @property
    def spec(self) -> ModelSpec:
        """The network of the files, once one was read."""
        assert self.known is not None
        return self.known[0]

    def read(self, path: Path) -> tuple[Checkpoint, dict[str, Any]]:
        """The content of a file, with the weights that are taken and no others, and the facts of a `Member`.

        Raises:
            UserError: it cannot be read, its weights cannot be a network's, or it differs from the first file.
        """
        spec, found = checkpoint_file.recognise(path, self.specs)
        weights = found.chosen(self.which)
        soundness.check(path, weights)
        traits = traits_of(spec, found, weights)
        self.known = self.known or (spec, path, traits)
        refuse_difference(self.known[1:], (path, traits))
        facts = checkpoint_facts(found, self.which)
        return dataclasses.replace(found, weights=weights, averaged={}, state={}), dict(facts)

    def distinct(self, paths: Sequence[Path]) -> Iterator[tuple[Checkpoint, Member]]:
        """The files, each read when it is asked for; one with the weights of another is left out.

        Raises:
            UserError: see `read`; or two of them are not left.
        """
        known: dict[str, Path] = {}
        for path in paths:
            found, facts = self.read(path)
            same = known.setdefault(digest_of(found.weights), path)
            if same is path:
                yield found, Member(path, facts)
            else:
                logger.info("left out: %s has the weights of %s", path, same)
        if len(known) < 2:
            raise UserError(f"all checkpoints have the weights of {paths[0]}; there is nothing to average")


def paths_of(specs: Collection[ModelSpec], files: Sequence[str], target: Path) -> list[Path]:
    """The files, and those in the folders among them.

    Raises:
        UserError: one is missing, fewer than two, or `target` is one of them.
    """
    paths: list[Path] = []
    for name in files:
        path = Path(name)
        inside = sorted(path.glob("[!.]*.ckpt")) if path.is_dir() else []
        spec = checkpoint_file.recognise(inside[0], specs)[0] if inside else next(iter(specs))
        paths += checkpoints_of(spec, path)
    if missing := [path for path in paths if not path.exists()]:
        checkpoint_file.recognise(missing[0], specs)  # which says so
    if len(paths) < 2:
        raise UserError(
            f"wanted two checkpoints or more, mindzoo average FILE FILE ...; found {counted(len(paths), 'checkpoint')}"
        )
    for path in paths:
        if target.exists() and path.exists() and target.samefile(path):
            raise UserError(f"output is {target}, which is one of the files to average; give another name")
    return paths


def traits_of(spec: ModelSpec, found: Checkpoint, weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What must be the same in all files, in words and in the order in which it is looked at."""
    plan = network_plan.plan_network(spec, found)
    defaults = spec.eval_config()
    options = {name: plan.options.get(name, getattr(defaults, name)) for name in spec.options}
    numbers = spec.parameter_options  # are weights, and averaged
    how = origin_preprocessing.settled(found, defaults, say=False).to_dict()
    return {
        "network": spec.name,
        **{name: _plain(value) for name, value in options.items() if name not in numbers},
        "number of classes": plan.num_classes,
        "class names": found.classes,
        **{name: _plain(value) for name, value in how.items()},
        "names of weights": sorted(weights),
        **{f"the shape of {name}": list(value.shape) for name, value in sorted(weights.items())},
    }


def refuse_difference(first: tuple[Path, dict[str, Any]], other: tuple[Path, dict[str, Any]]) -> None:
    """Refuse to average what is not alike.

    Raises:
        UserError: names the first trait that differs.
    """
    (path, traits), (second, found) = first, other
    for name, value in traits.items():
        theirs = found.get(name)
        if theirs == value:
            continue
        if (
            isinstance(value, list)
            and isinstance(theirs, list)
            and all(isinstance(one, str) for one in (*value, *theirs))
        ):
            only = shorten([one for one in value if one not in theirs] or value, 3), [*(set(theirs) - set(value))]
            value, theirs = only[0] or "none", shorten(sorted(only[1]) or theirs, 3) or "none"
        raise UserError(
            f"{path} and {second} cannot be averaged: {name} differ{'' if name.endswith('s') else 's'}, {show(_tuple(value))} and "
            f"{show(_tuple(theirs))}; give checkpoints of one network, with the same classes and preprocessing"
        )


def digest_of(weights: Mapping[str, np.ndarray]) -> str:
    """Of names and values, whatever else is in the file."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].dtype}\n".encode(errors="backslashreplace"))
        digest.update(np.ascontiguousarray(weights[name]).data.cast("B") if weights[name].size else b"")
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
