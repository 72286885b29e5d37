"""THOR in NumPy and float64, for one small network: the original zoo's formulas, with whole matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]


class Settings(NamedTuple):
    """Of a training: a rate and a damping for each step."""

    rates: Sequence[float]
    dampings: Sequence[float]
    frequency: int
    block_size: int
    momentum: float
    weight_decay: float
    eps: float  # of the batch norm


def convolve(x: np.ndarray, w: np.ndarray, stride: int, pads: tuple[int, int, int, int]) -> tuple[np.ndarray, Any]:
    """Output, and what its backward pass needs. `pads` are top, bottom, left, right."""
    top, bottom, left, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    kernel = w.shape[2]
    height, width = ((side - kernel) // stride + 1 for side in padded.shape[2:])
    rows = np.empty((len(x), height, width, x.shape[1], kernel, kernel))
    for i, j in np.ndindex(height, width):
        rows[:, i, j] = padded[:, :, i * stride :, j * stride :][:, :, :kernel, :kernel]
    return np.einsum("bijckl,ockl->boij", rows, w), (rows, padded.shape, w, stride, pads)


def convolve_back(dy: np.ndarray, saved: Any) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of the input and of the weight."""
    rows, shape, w, stride, (top, bottom, left, right) = saved
    kernel, dx = w.shape[2], np.zeros(shape)
    for i, j in np.ndindex(dy.shape[2:]):
        window = dx[:, :, i * stride :, j * stride :][:, :, :kernel, :kernel]
        window += np.einsum("bo,ockl->bckl", dy[:, :, i, j], w)
    dx = dx[:, :, top : shape[2] - bottom, left : shape[3] - right]
    return dx, np.einsum("boij,bijckl->ockl", dy, rows)


def gradients(w: Arrays, images: np.ndarray, labels: np.ndarray, eps: float) -> tuple[float, Arrays, dict[str, Any]]:
    """Loss and gradients of `Convolutional` in test_thor.py, and for each layer with factors its rows of inputs and of gradients."""
    x0 = images.astype(np.float64)
    y1, saved1 = convolve(x0, w["same.weight"], 2, (1, 1, 0, 1))  # "same" of 11 x 10: 6 x 5
    mean, spread = y1.mean((0, 2, 3), keepdims=True), np.sqrt(y1.var((0, 2, 3), keepdims=True) + eps)
    normal = (y1 - mean) / spread
    column = (1, -1, 1, 1)
    before1 = normal * w["norm.gamma"].reshape(column) + w["norm.beta"].reshape(column)
    y2, saved2 = convolve(np.maximum(before1, 0), w["stages.0.weight"], 2, (1, 1, 1, 1))
    before2 = y2 + w["stages.0.bias"].reshape(column)
    x3 = np.maximum(before2, 0)
    groups = [convolve(x3[:, g : g + 2], w["stages.2.weight"][g : g + 2], 1, (1, 1, 1, 1)) for g in (0, 2, 4)]
    y4, saved4 = convolve(np.concatenate([y for y, _ in groups], 1), w["stages.3.weight"], 2, (0, 0, 0, 0))
    pooled = y4.mean((2, 3))
    logits = pooled @ w["fc.weight"].T + w["fc.bias"]
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    numbers = np.arange(len(labels))
    loss = -np.log(probabilities[numbers, labels]).mean()

    found: Arrays = {}
    delta = probabilities.copy()
    delta[numbers, labels] -= 1
    delta /= len(labels)
    found["fc.weight"], found["fc.bias"] = delta.T @ pooled, delta.sum(0)
    dy4 = np.broadcast_to((delta @ w["fc.weight"])[:, :, None, None], y4.shape) / y4[0, 0].size
    d3, found["stages.3.weight"] = convolve_back(dy4, saved4)
    parts = [convolve_back(d3[:, 2 * k : 2 * k + 2], saved) for k, (_, saved) in enumerate(groups)]
    found["stages.2.weight"] = np.concatenate([weight for _, weight in parts])
    dy2 = np.concatenate([part for part, _ in parts], 1) * (before2 > 0)
    found["stages.0.bias"] = dy2.sum((0, 2, 3))
    d1, found["stages.0.weight"] = convolve_back(dy2, saved2)
    d1 = d1 * (before1 > 0)
    found["norm.gamma"], found["norm.beta"] = (d1 * normal).sum((0, 2, 3)), d1.sum((0, 2, 3))
    d1 = d1 * w["norm.gamma"].reshape(column)
    centred = d1 - d1.mean((0, 2, 3), keepdims=True) - normal * (d1 * normal).mean((0, 2, 3), keepdims=True)
    _, found["same.weight"] = convolve_back(centred / spread, saved1)
    layers = {"same.weight": (saved1[0], centred / spread), "stages.0.weight": (saved2[0], dy2)}
    layers["stages.3.weight"] = (saved4[0], dy4)
    layers["fc.weight"] = (pooled[:, None, None, :], delta[:, :, None, None])
    return loss, found, layers


def in_blocks(matrix: np.ndarray, block_size: int) -> np.ndarray:
    """`matrix` with zeros outside of as few equal blocks as have at most `block_size` rows."""
    length = len(matrix)
    size = -(-length // -(-length // block_size))
    block = np.arange(length) // size
    return np.where(block[:, None] == block[None, :], matrix, 0)


def inverses(layers: dict[str, Any], damping: float, block_size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {}
    for name, (inputs, outputs) in layers.items():
        batch = len(inputs)
        dy = outputs.transpose(0, 2, 3, 1).reshape(-1, outputs.shape[1])
        x = inputs.reshape(len(dy), -1)
        share = batch / len(x)
        a, g = (in_blocks(matrix, block_size) for matrix in (x.T @ x / len(x), dy.T @ dy / len(x) * batch**2))
        root = np.sqrt(damping * share)
        found[name] = (
            np.linalg.inv(a + root * np.eye(len(a))),
            np.linalg.inv(g + root * np.eye(len(g))) * share,
        )
    return found


def train(start: Arrays, data: Sequence[Batch], settings: Settings) -> tuple[list[float], Arrays]:
    """The losses, and the trained weights at the end."""
    w = {name: value.astype(np.float64) for name, value in start.items()}
    velocity: Arrays = {}
    losses = []
    for i, (images, labels) in enumerate(data):
        loss, found, layers = gradients(w, images, labels, settings.eps)
        losses.append(loss)
        if i % settings.frequency == 0:
            inverse = inverses(layers, settings.dampings[i], settings.block_size)
        for name, gradient in found.items():
            update = gradient
            if name in inverse:
                a, g = inverse[name]
                update = (g @ gradient.reshape(len(gradient), -1) @ a).reshape(gradient.shape)
            velocity[name] = settings.momentum * velocity.get(name, 0) + update + settings.weight_decay * w[name]
            w[name] = w[name] - settings.rates[i] * velocity[name]
    return losses, {name: w[name] for name in velocity}
