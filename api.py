"""What `import mindzoo` offers to programs: a classifier that is a file, as `mindzoo predict` and `mindzoo embed` use it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mindzoo.models import SPECS, list_models
from mindzoo.utils import runtime
from mindzoo.utils.checkpoints import checkpoint_file, foreign_names, network_source
from mindzoo.utils.checkpoints.checkpoint_file import Checkpoint
from mindzoo.utils.checkpoints.network_source import Source
from mindzoo.utils.commands.of_networks import PREDICT
from mindzoo.utils.compiling import graphs
from mindzoo.utils.config.reading import Loaded
from mindzoo.utils.config.values import checked_values
from mindzoo.utils.data.image_file import read_file
from mindzoo.utils.data.transforms import preprocessed
from mindzoo.utils.engine.engine import Engine
from mindzoo.utils.engine.network_graph import EMBEDDING, LOGITS
from mindzoo.utils.engine.runners import Runner
from mindzoo.utils.errors import UserError, nearest
from mindzoo.utils.images import exif
from mindzoo.utils.images.fault import Fault
from mindzoo.utils.inference import class_names
from mindzoo.utils.inference.classify_images import softmax
from mindzoo.utils.retrieval import encoder
from mindzoo.utils.spec import ModelSpec
from mindzoo.utils.weights import named

# MindSpore compiles graphs for the whole process, and counts them: no two threads may do it at once.
_computing = threading.RLock()
# A file, a picture of Pillow's, or pixels (H, W, 3) uint8 RGB.
IMAGES = "the path of a file, a picture of Pillow's, or pixels (height, width, 3) of uint8"
ImageLike = str | os.PathLike[str] | Image.Image | np.ndarray


@dataclass(frozen=True)
class Prediction:
    """A class that an image may be of."""

    label: str
    probability: float  # 0..1
    index: int  # of the network's output, from 0


class Classifier:
    """A network with the weights, the classes and the preprocessing of a checkpoint. Made by `load`.

    Threads may share one; they compute one after another, over all classifiers of the process.

    >>> classifier = mindzoo.Classifier.load("best.ckpt")
    >>> classifier.network, classifier.image_size, classifier.classes
    ('densenet121', (32, 32), ['blue', 'green', 'red'])
    >>> [[best, second]] = classifier.predict("red.png", top_k=2)
    >>> best.label, best.index, best.probability > second.probability
    ('red', 2, True)
    >>> classifier.embed(["red.png", "blue.png"]).shape
    (2, 10)
    >>> classifier.predict("absent.png")
    Traceback (most recent call last):
    mindzoo.utils.errors.UserError: absent.png cannot be opened: No such file or directory
    """

    def __init__(self, spec: ModelSpec, made_from: Source, config: Any, device: str) -> None:
        self._spec, self._made_from, self._config = spec, made_from, config
        self._engine = Engine(spec, config, device)
        self._runners: dict[str, Runner] = {}
        self._runner(LOGITS)  # weights that do not fit are refused now

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str],
        *,
        network: str = "",
        engine: str = "auto",
        device: str = "auto",
        weights: str = "averaged",
        classes: str | os.PathLike[str] = "",
        image_size: int | tuple[int, int] | None = None,
    ) -> Classifier:
        """Read a checkpoint of any kind that `mindzoo predict` reads, or the folder of a run.

        Args:
            file: its path; or its address on the web, or a name that `mindzoo list-weights` shows, and it is downloaded.
            network: its name, where the file does not show it.
            engine: "auto", "mindspore" or "onnxruntime".
            device: "auto", "CPU", "Ascend" or "GPU".
            weights: "averaged" or "raw", of a file that holds both.
            classes: a file with the names of the classes, for a checkpoint without any.
            image_size: height and width, or one number for both; by default what the checkpoint was evaluated with.

        Raises:
            UserError: the file cannot be downloaded or read, is of no network of the zoo, or a value means nothing.
        """
        if not isinstance(classes, str | os.PathLike):
            raise UserError(f"classes is {_kind(classes)}; wanted the path of a file with one name a line")
        path = checkpoint_file.single_file(named.local(os.fspath(file), SPECS.values(), "file"))
        words: dict[str, Any] = {"checkpoint": str(path), "engine": engine, "device_target": device, "weights": weights}
        if image_size is not None:
            words["image_size"] = [image_size] if isinstance(image_size, int) else list(image_size)
        spec, content = _recognised(path, network)
        config = PREDICT.config(spec)(**checked_values("the call", words, PREDICT.config(spec)))
        with _computing:
            used = runtime.take_device(config.device_target)
        read = network_source.settled_source(spec, content, Loaded(config, frozenset(words)))
        return cls(spec, class_names.named(read, str(classes)), config, used)

    @property
    def network(self) -> str:
        """The name of the network."""
        return self._spec.name

    @property
    def classes(self) -> list[str]:
        """A name for each output; its number where the checkpoint has no names."""
        return self._made_from.class_names()

    @property
    def image_size(self) -> tuple[int, ...]:
        """Height and width of what the network sees, in pixels."""
        return self._made_from.preprocessing.image_size

    @property
    def facts(self) -> dict[str, Any]:
        """What decides over the vectors: network, options, checkpoint, preprocessing."""
        return encoder.source_facts(self._spec, self._made_from, self._config.weights)

    def preprocess(self, images: ImageLike | Iterable[ImageLike]) -> np.ndarray:
        """What the network is given: (N, 3, H, W) float32, normalised.

        Raises:
            UserError: an image cannot be read; names it.
        """
        found = [self._prepared(image) for image in listed(images)]
        return np.stack(found) if found else np.zeros((0, 3, *self.image_size), np.float32)

    def predict(self, images: ImageLike | Iterable[ImageLike], top_k: int = 5) -> list[list[Prediction]]:
        """The most probable classes of each image, best first; the numbers of `mindzoo predict`.

        Raises:
            UserError: an image cannot be read, or top_k is less than 1.
        """
        if top_k < 1:
            raise UserError(f"top_k is {top_k}; wanted 1 or more")
        return [self._ranked(softmax(self._outputs(image, LOGITS)), top_k) for image in listed(images)]

    def embed(self, images: ImageLike | Iterable[ImageLike]) -> np.ndarray:
        """The vectors that the classifier of the network sees: (N, D) float32, not normalised.

        Raises:
            UserError: there is no image, one cannot be read, or its vector is not finite.
        """
        vectors = [self._outputs(image, EMBEDDING) for image in listed(images)]
        if not vectors:
            raise UserError("no image is given; wanted one or more")
        if not np.isfinite(vectors).all():
            raise UserError("the network's vector of an image is not finite; use another checkpoint")
        return np.stack(vectors)

    def _ranked(self, probabilities: np.ndarray, top_k: int) -> list[Prediction]:
        names = self.classes
        best = np.argsort(-probabilities, kind="stable")[:top_k]
        return [Prediction(names[place], float(probabilities[place]), int(place)) for place in best]

    def _outputs(self, image: ImageLike, head: str) -> np.ndarray:
        """(D,) of one image: one at a time, as the command does it, so that the numbers are the same."""
        batch = self._prepared(image)[None]
        with _computing:
            return np.asarray(self._runner(head)(batch)[0])

    def _runner(self, head: str) -> Runner:
        """What computes this output, made when it is wanted first."""
        with _computing:
            if head not in self._runners:
                graphs.start(self._config, runtime.World())
                runner = self._engine.open(self._made_from, self._config.weights, head)
                runner.prepare((1, 3, *self.image_size))
                self._runners[head] = runner
            return self._runners[head]

    def _prepared(self, image: ImageLike) -> np.ndarray:
        name, content = _content(image)
        try:
            return preprocessed(content if content is not None else read_file(name), self._made_from.preprocessing)
        except Fault as fault:
            raise UserError(f"{name} {fault}") from None


def listed(images: ImageLike | Iterable[ImageLike]) -> list[ImageLike]:
    """One image, or several, as a list. Pixels (N, H, W, 3) are several.

    Raises:
        UserError: it is neither.
    """
    if isinstance(images, str | os.PathLike | Image.Image):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim in (2, 3):
        return [images]
    if isinstance(images, bytes) or not isinstance(images, Iterable):
        raise UserError(f"the images are {_kind(images)}; wanted {IMAGES}, or several of them")
    return list(images)


def _kind(found: object) -> str:
    return "None" if found is None else f"of the type {type(found).__name__}"


def _content(image: ImageLike) -> tuple[str, bytes | None]:
    """What to call an image, and the content of a file that has its pixels; None where it is a file itself.

    Pictures in memory go the way of files, as PNG without loss, so that nothing can differ.
    """
    if isinstance(image, str | os.PathLike):
        return os.fspath(image), None
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise UserError(f"pixels are {image.dtype} of the shape {image.shape}; wanted uint8 of (height, width, 3)")
        image = Image.fromarray(np.ascontiguousarray(image))
    if not isinstance(image, Image.Image):
        raise UserError(f"an image is {_kind(image)}; wanted {IMAGES}")
    if not (image.width and image.height):
        raise UserError(f"a picture has {image.width} x {image.height} pixels; wanted one or more")
    picture = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1, icc_profile=None, exif=_mark(picture))
    return "the picture", buffer.getvalue()


def _mark(picture: Image.Image) -> bytes:
    """The camera's mark of a picture that was opened from a file, which `orientation` follows as in the file itself."""
    block = picture.info.get("exif", b"")
    mark = Image.Exif()
    mark[exif.ORIENTATION] = exif.orientation_of(block.removeprefix(b"Exif\0\0") if isinstance(block, bytes) else b"")
    return mark.tobytes()


def _recognised(path: Path, network: str) -> tuple[ModelSpec, Checkpoint]:
    """The network of a file, and what is in it.

    Raises:
        UserError: there is no such network, or weights from elsewhere may be those of several.
    """
    if network and network not in SPECS:
        raise UserError(f"network is {network}{nearest(network, SPECS)}; there are {', '.join(list_models())}")
    spec, content = checkpoint_file.recognise(path, [SPECS[network]] if network else SPECS.values())
    if not network and content.origin != checkpoint_file.OURS:
        also = [one.name for one in SPECS.values() if foreign_names.recognised(content.weights, [one])]
        if len(also) > 1:
            raise UserError(f'{path} may be of {" or ".join(also)}; say which: network="{spec.name}"')
    return spec, content
