// Nearest neighbour upsampling of (N, H, W, C) maps by an integer, forward and backward.
#include <algorithm>

#include "arguments.h"
#include "pool.h"

// x -> y (N, factor H, factor W, C)
OPERATOR(upsampling) {
    const auto in = args.shape(0), out = args.shape(1);
    const int64_t factor = out[1] / in[1], row = in[2] * in[3], wide_row = out[2] * out[3], channels = in[3];
    parallel(in[0] * in[1], [&](int64_t number) {
        const float* from = args.data(0) + number * row;
        float* to = args.data(1) + number * factor * wide_row;
        for (int64_t pixel = 0; pixel < out[2]; ++pixel)
            std::copy_n(from + pixel / factor * channels, channels, to + pixel * channels);
        for (int64_t copy = 1; copy < factor; ++copy) std::copy_n(to, wide_row, to + copy * wide_row);
    });
}

// dy, x -> dx (N, H, W, C), the sum over each pixel's copies; of x only the shape counts
OPERATOR(upsampling_inputs) {
    const auto out = args.shape(0), in = args.shape(1);
    const int64_t factor = out[1] / in[1], row = in[2] * in[3], wide_row = out[2] * out[3], channels = in[3];
    parallel(in[0] * in[1], [&](int64_t number) {
        const float* from = args.data(0) + number * factor * wide_row;
        float* to = args.data(2) + number * row;
        std::fill_n(to, row, 0.f);
        for (int64_t copy = 0; copy < factor; ++copy)
            for (int64_t pixel = 0; pixel < out[2]; ++pixel) {
                const float* gradient = from + copy * wide_row + pixel * channels;
                float* sum = to + pixel / factor * channels;
                for (int64_t c = 0; c < channels; ++c) sum[c] += gradient[c];
            }
    });
}
