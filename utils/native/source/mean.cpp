// The mean of each channel over the map of an image, forward and backward.
#include "arguments.h"
#include "passes.h"

// x (N, H, W, C) -> y (N, 1, 1, C) or (N, C)
OPERATOR(mean_over_map) {
    const ImageRows all(args.shape(0));
    const int64_t channels = all.rows.channels;
    std::vector<std::vector<double>> sums(all.parts());
    all.in_parts([&](int64_t, int64_t part, int64_t begin, int64_t end) {
        sums[part] = sums_of_rows(begin, end, channels, [&, channels](int64_t r, float* __restrict__ sum) {
            const float* x = args.data(0) + r * channels;
            for (int64_t c = 0; c < channels; ++c) sum[c] += x[c];
        });
    });
    all.add_up(sums, [&](int64_t i, double sum) { args.data(1)[i] = float(sum / double(all.rows.rows)); });
}

// dy, x -> dx; of x only the shape counts
OPERATOR(mean_over_map_inputs) {
    const ImageRows all(args.shape(1));
    const int64_t channels = all.rows.channels;
    const float share = 1.f / float(all.rows.rows);
    all.in_parts([&](int64_t image, int64_t, int64_t begin, int64_t end) {
        const float* dy = args.data(0) + image * channels;
        for (int64_t r = begin; r < end; ++r) {
            float* __restrict__ dx = args.data(2) + r * channels;
            for (int64_t c = 0; c < channels; ++c) dx[c] = dy[c] * share;
        }
    });
}
