// 2-D convolution of (N, H, W, C) maps with (O, C / groups, kh, kw) weights, forward and backward.
#pragma once
#include "onednn.h"

// int32[10] from Python: strides, dilations, padding at top, bottom, left and right, "pad to H / stride", groups.
struct Geometry {
    const int32_t* numbers;
    int64_t stride(int axis) const { return numbers[axis]; }
    int64_t dilation(int axis) const { return numbers[2 + axis]; }
    int64_t before(int axis) const { return numbers[4 + 2 * axis]; }
    bool same() const { return numbers[8]; }
    int64_t groups() const { return numbers[9]; }
};

// The axes of the maps in the library's order (N, C, H, W).
struct Convolution {
    onednn::Dims input, output, weights;
    Geometry geometry;
    bool biased = false;

    void forward(const float* x, const float* w, const float* b, float* y) const;
    void to_inputs(const float* dy, const float* w, float* dx) const;
    void to_weights(const float* x, const float* dy, float* dw, float* db) const;
};
