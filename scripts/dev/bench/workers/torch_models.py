"""What the PyTorch workers share: networks of timm in channels-last, and their images."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mindzoo.scripts.dev.bench.serving import cores

# timm imports torchvision, whose wheel for CUDA cannot load its operators beside PyTorch for CPUs, and then fails at
# these two names. Networks and transforms of images need none of its operators.
installed = importlib.util.find_spec("torchvision")
assert installed is not None
assert installed.origin is not None
try:
    torch.ops.load_library(Path(installed.origin).with_name("_C.so"))
except OSError:
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm  # noqa: E402
from torchvision import datasets, transforms  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def names() -> list[str]:
    """All networks of timm."""
    found: list[str] = timm.list_models()
    return found


def network(settings: dict[str, Any]) -> torch.nn.Module:
    """The network `model` of timm, with drawn weights, in channels-last, on all cores."""
    torch.set_num_threads(cores())
    torch.manual_seed(1)
    made: torch.nn.Module = timm.create_model(settings["model"], num_classes=settings["classes"])
    return made.to(memory_format=torch.channels_last)


def optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    """Momentum as mindzoo's: weights of convolutions and classifiers decay, the rest does not."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 1e-4}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.01, momentum=0.9)


def train_on(
    model: torch.nn.Module, update: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
) -> float:
    """One step; returns its loss."""
    update.zero_grad(set_to_none=True)
    loss = torch.nn.functional.cross_entropy(model(images), labels, label_smoothing=0.1)
    loss.backward()
    update.step()
    return loss.item()


def save(model: torch.nn.Module, update: torch.optim.Optimizer, settings: dict[str, Any]) -> None:
    """A checkpoint to go on from, in the folder `output`."""
    torch.save({"model": model.state_dict(), "optimizer": update.state_dict()}, Path(settings["output"], "last.pth"))


def training_batches(settings: dict[str, Any]) -> torch.utils.data.DataLoader:
    """Random crops, flipped at random, of the files below `photos`, by as many workers as there are cores."""
    steps = transforms.Compose(
        [
            transforms.RandomResizedCrop(settings["size"]),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    return torch.utils.data.DataLoader(
        datasets.ImageFolder(settings["photos"], steps),
        settings["batch"],
        shuffle=True,
        drop_last=True,
        num_workers=cores(),
        persistent_workers=True,
    )


def middles(settings: dict[str, Any]) -> torch.utils.data.DataLoader:
    """The middle of each image below `folder`, by as many workers as there are cores."""
    size = settings["size"]
    steps = transforms.Compose(
        [
            transforms.Resize(round(size / 0.875)),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    images = datasets.ImageFolder(settings["folder"], steps)
    return torch.utils.data.DataLoader(images, settings["batch"], num_workers=min(cores(), len(images)))


def epochs(loader: torch.utils.data.DataLoader) -> Iterator[list[torch.Tensor]]:
    """The batches of epoch after epoch."""
    for _ in itertools.count():
        yield from loader
