"""Deterministic weights and inputs for the reference vectors.

Every array depends only on (seed, parameter name, shape), so a checkpoint of
any size can be rebuilt from the list of names and shapes in a vector file.
"""

import zlib

import numpy as np


def _rng(seed, name):
    return np.random.RandomState((zlib.crc32(name.encode()) ^ (seed * 2654435761)) & 0xFFFFFFFF)


def fill(name, shape, seed=1):
    """float32 array of `shape` for the parameter `name`.

    BatchNorm variances are positive, scales are near 1, and weights of two or
    more dimensions have variance 1/fan_in, so that logits stay of order 1.
    """
    rng, shape = _rng(seed, name), tuple(shape)
    leaf = name.rsplit(".", 1)[-1]
    if leaf in ("moving_variance", "running_var"):
        value = rng.uniform(0.5, 1.5, shape)
    elif leaf in ("moving_mean", "running_mean"):
        value = 0.1 * rng.standard_normal(shape)
    elif leaf == "gamma" or (leaf == "weight" and len(shape) == 1):
        value = rng.uniform(0.8, 1.2, shape)
    elif len(shape) <= 1:
        value = 0.05 * rng.standard_normal(shape)
    else:
        value = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return np.asarray(value, np.float32)


def images(batch=2, size=224, seed=1):
    """float32 (batch, 3, size, size), standard normal."""
    return _rng(seed, f"images{size}").standard_normal((batch, 3, size, size)).astype(np.float32)
