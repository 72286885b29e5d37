"""The native operators as MindSpore sees them, with their gradients.

Maps are (N, H, W, C) float32. Each function gives a primitive that may be called while a graph is compiled. MindSpore
compiles a `bprop` once for all primitives that have it: what it calls may depend on its arguments only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.ops import signature

from mindzoo.utils.native.library import opened

Shape = tuple[int, ...]
Size = tuple[int, int]
Sides = tuple[int, int, int, int]  # top, bottom, left, right


def convolution(
    kernel: Size, strides: Size, dilations: Size, padding: Sides | None, groups: int, *, biased: bool
) -> tuple[ops.Custom, Tensor]:
    """(x, w (O, C / groups, kh, kw), [b (O,),] geometry) -> y, and the geometry; `padding` None pads to H / stride."""
    geometry = Tensor([*strides, *dilations, *(padding or (0, 0, 0, 0)), int(padding is None), groups], ms.int32)
    to_inputs = _custom("convolution_inputs", lambda dy, w, a, x: x, lambda dy, w, a, x: dy)
    if biased:
        to_both = _custom("biased_convolution_weights", lambda x, dy, a, w: (w, w[:1]), lambda x, dy, a, w: (x, x))

        def biased_bprop(x: Tensor, w: Tensor, b: Tensor, a: Tensor, out: Tensor, dout: Tensor) -> Any:
            dw, db = to_both(x, dout, a, w)
            return to_inputs(dout, w, a, x), dw, db, ops.zeros_like(a)

        def biased_shape(x: Shape, w: Shape, b: Shape, a: Shape) -> Shape:
            return _output(x, w[0], kernel, strides, dilations, padding)

        return _custom("biased_convolution", biased_shape, lambda x, w, b, a: x, biased_bprop), geometry
    to_weights = _custom("convolution_weights", lambda x, dy, a, w: w, lambda x, dy, a, w: x)

    def bprop(x: Tensor, w: Tensor, a: Tensor, out: Tensor, dout: Tensor) -> Any:
        return to_inputs(dout, w, a, x), to_weights(x, dout, a, w), ops.zeros_like(a)

    def shape(x: Shape, w: Shape, a: Shape) -> Shape:
        return _output(x, w[0], kernel, strides, dilations, padding)

    return _custom("convolution", shape, lambda x, w, a: x, bprop), geometry


def pooling(kernel: Size, strides: Size, padding: Sides | None, *, mean: bool) -> tuple[ops.Custom, Tensor]:
    """(x, geometry) -> (y, where), and the geometry; a mean is that of the pixels inside the map."""
    top, _, left, _ = padding or (0, 0, 0, 0)
    geometry = Tensor([*kernel, *strides, top, left, int(padding is None), int(mean)], ms.int32)
    to_inputs = _custom("pooling_inputs", lambda dy, where, a, x: x, lambda dy, where, a, x: dy)

    def bprop(x: Tensor, a: Tensor, out: Any, dout: Any) -> Any:
        return to_inputs(dout[0], out[1], a, x), ops.zeros_like(a)

    def shape(x: Shape, a: Shape) -> tuple[Shape, Shape]:
        out = _output(x, x[3], kernel, strides, (1, 1), padding)
        return out, out

    return _custom("pooling", shape, lambda x, a: (x, ms.uint8), bprop), geometry


def batch_norm() -> ops.Custom:
    """(x, gamma, beta, [epsilon, rectified]) -> (y, mean, variance), by the batch's own statistics."""
    back = _custom(
        "batch_norm_gradients",
        lambda dy, x, g, y, m, v, o: (x, g, g),
        lambda dy, x, g, y, m, v, o: (x, g, g),
    )

    def bprop(x: Tensor, g: Tensor, b: Tensor, o: Tensor, out: Any, dout: Any) -> Any:
        dx, dg, db = back(dout[0], x, g, out[0], out[1], out[2], o)
        return dx, dg, db, ops.zeros_like(o)

    return _custom("batch_norm", lambda x, g, b, o: (x, g, g), lambda x, g, b, o: (x, g, g), bprop)


def batch_norm_of_sum() -> ops.Custom:
    """(x, gamma, beta, addend, [epsilon, rectified]) -> (y, mean, variance); the addend comes before the ReLU."""
    back = _custom(
        "batch_norm_of_sum_gradients",
        lambda dy, x, g, y, m, v, o: (x, g, g, x),
        lambda dy, x, g, y, m, v, o: (x, g, g, x),
    )

    def bprop(x: Tensor, g: Tensor, b: Tensor, s: Tensor, o: Tensor, out: Any, dout: Any) -> Any:
        dx, dg, db, ds = back(dout[0], x, g, out[0], out[1], out[2], o)
        return dx, dg, db, ds, ops.zeros_like(o)

    return _custom("batch_norm_of_sum", lambda x, g, b, s, o: (x, g, g), lambda x, g, b, s, o: (x, g, g), bprop)


def normalisation() -> ops.Custom:
    """(x, gamma, beta, mean, variance, [epsilon, rectified]) -> y, by given statistics, which get no gradient."""

    def bprop(x: Tensor, g: Tensor, b: Tensor, m: Tensor, v: Tensor, o: Tensor, out: Tensor, dout: Tensor) -> Any:
        dx, dg, db, _ = _normalisation_gradients(x, g, m, v, o, out, dout)
        return dx, dg, db, ops.zeros_like(m), ops.zeros_like(v), ops.zeros_like(o)

    return _custom("normalisation", lambda x, g, b, m, v, o: x, lambda x, g, b, m, v, o: x, bprop)


def normalisation_of_sum() -> ops.Custom:
    """(x, gamma, beta, addend, mean, variance, [epsilon, rectified]) -> y."""

    def bprop(
        x: Tensor, g: Tensor, b: Tensor, s: Tensor, m: Tensor, v: Tensor, o: Tensor, out: Tensor, dout: Tensor
    ) -> Any:
        dx, dg, db, ds = _normalisation_gradients(x, g, m, v, o, out, dout)
        return dx, dg, db, ds, ops.zeros_like(m), ops.zeros_like(v), ops.zeros_like(o)

    return _custom("normalisation_of_sum", lambda x, g, b, s, m, v, o: x, lambda x, g, b, s, m, v, o: x, bprop)


def moving_statistics() -> ops.Custom:
    """(means, variances, [share of the new, rows, first], moving_mean, moving_variance) changes the last two.

    By as many of the means and variances as they hold, from the number `first` on.
    """
    return _changing("moving_statistics", ("mean", "variance", "options"), ("moving_mean", "moving_variance"))


def mean_over_map(*, keep_dims: bool) -> ops.Custom:
    """x -> y (N, C), or (N, 1, 1, C) where the axes are kept."""
    back = _custom("mean_over_map_inputs", lambda dy, x: x, lambda dy, x: dy)

    def bprop(x: Tensor, out: Tensor, dout: Tensor) -> Any:
        return (back(dout, x),)

    return _custom("mean_over_map", lambda x: (x[0], 1, 1, x[3]) if keep_dims else (x[0], x[3]), lambda x: x, bprop)


def gated_sum() -> ops.Custom:
    """(x, gate (N, 1, 1, C) or (N, C), addend) -> max(0, x gate + addend)."""
    back = _custom("gated_sum_gradients", lambda dy, y, x, g: (x, g, x), lambda dy, y, x, g: (x, g, x))

    def bprop(x: Tensor, g: Tensor, s: Tensor, out: Tensor, dout: Tensor) -> Any:
        return back(dout, out, x, g)

    return _custom("gated_sum", lambda x, g, s: x, lambda x, g, s: x, bprop)


def addition() -> ops.Custom:
    """(x, y) -> x + y, without a gradient: it is for the way back."""
    return _custom("addition", lambda x, y: x, lambda x, y: x)


def upsampling(factor: int) -> ops.Custom:
    """x -> y (N, factor H, factor W, C), the nearest neighbour."""
    back = _custom("upsampling_inputs", lambda dy, x: x, lambda dy, x: dy)

    def bprop(x: Tensor, out: Tensor, dout: Tensor) -> Any:
        return (back(dout, x),)

    return _custom("upsampling", lambda x: (x[0], x[1] * factor, x[2] * factor, x[3]), lambda x: x, bprop)


class DenseBlock(nn.Cell):
    """(x, six parameters of each layer) -> the block's map, and what the way back needs; see `source/dense_block.cpp`.

    A cell, since a primitive's bprop cannot take as many arguments as there are parameters.

    Args:
        layers: how many.
        growth: channels that each adds.
        inner: channels inside a layer.
        geometries: of the 1x1 and of the 3x3 convolutions.
        epsilon: of all batch norms.
    """

    def __init__(self, layers: int, growth: int, inner: int, geometries: tuple[Tensor, Tensor], epsilon: float) -> None:
        super().__init__()
        self.one, self.three = geometries
        self.options = Tensor([epsilon], ms.float32)

        def shapes(x: Shape, *_: Shape) -> tuple[Shape, ...]:
            pixels, channels = x[0] * x[1] * x[2], x[3]
            seen = sum(channels + layer * growth for layer in range(layers))
            all_channels, inside = (channels + layers * growth,), (layers, pixels, inner)
            statistics = (all_channels, all_channels, (layers, inner), (layers, inner))
            return ((*x[:3], *all_channels), *statistics, (pixels * seen,), inside, inside)

        self.forward = _custom("dense_block", shapes, lambda x, *_: (x,) * 8)
        self.backward = _custom(
            "dense_block_gradients",
            lambda dy, *rest: ((*dy[:3], rest[13][1]), *rest[11:]),
            lambda dy, *rest: (dy,) * (len(rest) - 10),
        )

    def construct(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return self.forward(x, self.one, self.three, self.options, *parameters)

    def bprop(self, x: Tensor, parameters: tuple[Tensor, ...], out: Any, dout: Any) -> Any:
        gradients = self.backward(dout[0], *out, self.one, self.three, self.options, *parameters)
        return gradients[0], gradients[1:]


def momentum_update(count: int) -> ops.Custom:
    """(rate (1 or count,), [momentum], decays (count,), weights..., moments..., gradients...) changes weights and moments."""
    changed = _numbered(count, "w", "v")
    return _changing("momentum_update", ("rate", "options", "decays"), changed, _numbered(count, "g"))


def rmsprop_update(count: int) -> ops.Custom:
    """(rate, [momentum, rho, epsilon], decays, weights..., squares..., moments..., gradients...) changes the first three."""
    changed = _numbered(count, "w", "s", "v")
    return _changing("rmsprop_update", ("rate", "options", "decays"), changed, _numbered(count, "g"))


def adamw_update(count: int) -> ops.Custom:
    """(rate, [b1, b2, epsilon], corrections, decays, weights..., means..., squares..., gradients...), see `AdamW`."""
    changed = _numbered(count, "w", "m", "s")
    first = ("rate", "options", "corrections", "decays")
    return _changing("adamw_update", first, changed, _numbered(count, "g"))


def _custom(name: str, shape: Callable, dtype: Callable, bprop: Callable | None = None) -> ops.Custom:
    return ops.Custom(f"{opened()}:{name}", shape, dtype, func_type="aot", bprop=bprop)


def _changing(name: str, first: tuple[str, ...], changed: tuple[str, ...], last: tuple[str, ...] = ()) -> ops.Custom:
    """An operator that writes to the parameters `changed`, in the order of the program."""
    made = _custom(name, lambda *shapes: (1,), lambda *dtypes: dtypes[0])
    made.add_prim_attr("side_effect_mem", True)
    read = [signature.make_sig(argument) for argument in first]
    written = [signature.make_sig(argument, signature.sig_rw.RW_WRITE) for argument in changed]
    made.set_signatures([*read, *written, *(signature.make_sig(argument) for argument in last)])
    return made


def _numbered(count: int, *letters: str) -> tuple[str, ...]:
    return tuple(f"{letter}{i}" for letter in letters for i in range(count))


def _output(
    x: Shape, channels: int, kernel: Size, strides: Size, dilations: Size, padding: Sides | None
) -> tuple[int, int, int, int]:
    def side(axis: int) -> int:
        if padding is None:
            return -(-x[1 + axis] // strides[axis])
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        return (x[1 + axis] + padding[2 * axis] + padding[2 * axis + 1] - reach) // strides[axis] + 1

    return x[0], side(0), side(1), channels


def _normalisation_gradients(
    x: Tensor, gamma: Tensor, mean: Tensor, variance: Tensor, options: Tensor, y: Tensor, dy: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of x, gamma, beta and the addend."""
    passed = dy * ops.logical_or(y > 0, options[1] < 0.5).astype(dy.dtype)
    scale = ops.rsqrt(variance + options[0])
    axes = (0, 1, 2)
    return passed * (gamma * scale), (passed * (x - mean) * scale).sum(axes), passed.sum(axes), passed
