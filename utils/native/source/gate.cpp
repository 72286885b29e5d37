// The end of a block whose map is scaled, channel by channel, by a gate of each image: y = max(0, u gate + s).
// Hu et al. 2018, https://arxiv.org/abs/1709.01507 and https://arxiv.org/abs/1810.12348
#include "arguments.h"
#include "passes.h"

// u (N, H, W, C), gate (N, 1, 1, C) or (N, C), s -> y
OPERATOR(gated_sum) {
    const ImageRows all(args.shape(0));
    const int64_t channels = all.rows.channels;
    all.in_parts([&](int64_t image, int64_t, int64_t begin, int64_t end) {
        const float* gate = args.data(1) + image * channels;
        for (int64_t r = begin; r < end; ++r) {
            const float *u = args.data(0) + r * channels, *s = args.data(2) + r * channels;
            float* __restrict__ y = args.data(3) + r * channels;
            for (int64_t c = 0; c < channels; ++c) y[c] = std::max(u[c] * gate[c] + s[c], 0.f);
        }
    });
}

// dy, y, u, gate -> du, dgate, ds
OPERATOR(gated_sum_gradients) {
    const ImageRows all(args.shape(0));
    const int64_t channels = all.rows.channels;
    std::vector<std::vector<double>> sums(all.parts());
    all.in_parts([&](int64_t image, int64_t part, int64_t begin, int64_t end) {
        const float* gate = args.data(3) + image * channels;
        sums[part] = sums_of_rows(begin, end, channels, [&, channels, gate](int64_t r, float* __restrict__ products) {
            const float *dy = args.data(0) + r * channels, *y = args.data(1) + r * channels, *u = args.data(2) + r * channels;
            float* __restrict__ du = args.data(4) + r * channels;
            float* __restrict__ ds = args.data(6) + r * channels;
            for (int64_t c = 0; c < channels; ++c) {
                float gradient = y[c] > 0.f ? dy[c] : 0.f;
                ds[c] = gradient;
                du[c] = gradient * gate[c];
                products[c] += gradient * u[c];
            }
        });
    });
    all.add_up(sums, [&](int64_t i, double sum) { args.data(5)[i] = float(sum); });
}
