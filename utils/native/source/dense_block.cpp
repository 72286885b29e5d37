// A block of layers in training, each of which sees the maps of all layers before it (Huang et al. 2017,
// https://arxiv.org/abs/1608.06993): batch norm, ReLU, 1x1 convolution, batch norm, ReLU, 3x3 convolution.
//
// All layers write into one map, so nothing is concatenated, and a channel's statistics are computed once for all batch
// norms that see it. Backwards all gradients of that map are added up in one place. What a batch norm takes off for the
// mean and the slope of its gradients is linear in the map: it is summed over the layers, and taken off when a channel
// is done.
#include <cmath>

#include "arguments.h"
#include "convolution.h"
#include "passes.h"
#include "primitive.h"

using onednn::Dims;

namespace {

constexpr int per_layer = 6;  // gamma, beta, w of the 1x1, gamma, beta, w of the 3x3 convolution

struct Block {
    int64_t images, height, width, channels, inner, growth;  // channels of the input, inside a layer, and out of it
    int64_t layers;
    Geometry one, three;

    int64_t pixels() const { return images * height * width; }
    int64_t all() const { return seen(layers); }
    int64_t seen(int64_t layer) const { return channels + layer * growth; }
    int64_t seen_before(int64_t layer) const { return layer * channels + growth * layer * (layer - 1) / 2; }
    Dims map(int64_t depth) const { return {images, depth, height, width}; }
    Convolution narrowing(int64_t layer) const {
        return {map(seen(layer)), map(inner), {inner, seen(layer), 1, 1}, one};
    }
    Convolution growing() const { return {map(inner), map(growth), {growth, inner, 3, 3}, three}; }
};

void copy_columns(const float* from, int64_t from_stride, float* to, int64_t to_stride, const Rows& rows) {
    rows.in_parts([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
            std::copy_n(from + r * from_stride, rows.channels, to + r * to_stride);
    });
}

// Gradients of the block's map while they are added up.
struct Gradients {
    float* sum;
    const float *map, *mean;
    int64_t stride;
    std::vector<float> constant, slope;  // still to be taken off

    // The finished gradients of the channels from `first` on.
    void finish(int64_t first, float* to, const Rows& rows) const {
        const float *off = constant.data() + first, *tilt = slope.data() + first, *middle = mean + first;
        rows.in_parts([&](int64_t, int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) {
                const float *from = sum + r * stride + first, *in = map + r * stride + first;
                float* __restrict__ out = to + r * rows.channels;
                for (int64_t c = 0; c < rows.channels; ++c) out[c] = from[c] - off[c] - (in[c] - middle[c]) * tilt[c];
            }
        });
    }
    // What comes back from a layer's first batch norm and ReLU, whose result was y.
    ChannelSums add(const float* dy, const float* y, const float* scale, const Rows& rows) const {
        const int64_t channels = rows.channels;
        return sums_over(rows, [&, channels](int64_t r, float* __restrict__ sums, float* __restrict__ products) {
            const float *from = dy + r * channels, *out = y + r * channels, *in = map + r * stride, *middle = mean;
            float* __restrict__ to = sum + r * stride;
            for (int64_t c = 0; c < channels; ++c) {
                float gradient = out[c] > 0.f ? from[c] : 0.f;
                to[c] += scale[c] * gradient;
                sums[c] += gradient;
                products[c] += gradient * (in[c] - middle[c]);
            }
        });
    }
};

}  // namespace

// x, geometry of the 1x1 and of the 3x3 convolutions, [epsilon], then six parameters of each layer ->
// the block's map, mean and variance of its channels, means and variances inside the layers, and what the way back
// needs: results of the first batch norms, of the 1x1 convolutions, and of the second batch norms
OPERATOR(dense_block) {
    const int first = 4, layers = (args.count() - first - 8) / per_layer, out = first + layers * per_layer;
    const Dims x = args.shape(0), w = args.shape(first + 5);
    const Block block{x[0], x[1], x[2], x[3], w[1], w[0], layers, {args.data<int32_t>(1)}, {args.data<int32_t>(2)}};
    const float epsilon = args.data(3)[0];
    const int64_t pixels = block.pixels(), all = block.all(), size = pixels * block.inner;
    float *map = args.data(out), *mean = args.data(out + 1), *variance = args.data(out + 2);
    const Rows in(pixels, block.channels), inside(pixels, block.inner), grown(pixels, block.growth);
    float* fresh = static_cast<float*>(scratch(for_map, sizeof(float) * pixels * block.growth));

    moments_of(args.data(0), block.channels, in, mean, variance);
    copy_columns(args.data(0), block.channels, map, all, in);
    for (int64_t layer = 0; layer < layers; ++layer) {
        const int at = first + int(layer) * per_layer;
        const int64_t seen = block.seen(layer);
        float* normed = args.data(out + 5) + pixels * block.seen_before(layer);
        float *narrow = args.data(out + 6) + layer * size, *rectified = args.data(out + 7) + layer * size;
        float *inner_mean = args.data(out + 3) + layer * block.inner;
        float *inner_variance = args.data(out + 4) + layer * block.inner;

        auto scale = scales(args.data(at), variance, epsilon, seen);
        normalise(true, map, all, nullptr, mean, scale.data(), args.data(at + 1), normed, Rows(pixels, seen));
        block.narrowing(layer).forward(normed, args.data(at + 2), nullptr, narrow);
        moments_of(narrow, block.inner, inside, inner_mean, inner_variance);
        scale = scales(args.data(at + 3), inner_variance, epsilon, block.inner);
        normalise(true, narrow, block.inner, nullptr, inner_mean, scale.data(), args.data(at + 4), rectified, inside);
        block.growing().forward(rectified, args.data(at + 5), nullptr, fresh);
        moments_of(fresh, block.growth, grown, mean + seen, variance + seen);
        copy_columns(fresh, block.growth, map + seen, all, grown);
    }
}

// The map's gradients, the eight results of `dense_block`, the geometries, [epsilon], six parameters of each layer ->
// gradients of x, and of six parameters of each layer
OPERATOR(dense_block_gradients) {
    const int first = 12, layers = (args.count() - first - 1) / (2 * per_layer), out = first + layers * per_layer;
    const Dims shape = args.shape(1), w1 = args.shape(first + 2), w2 = args.shape(first + 5);
    const Block block{shape[0], shape[1],          shape[2], w1[1], w2[1], w2[0], layers, {args.data<int32_t>(9)},
                      {args.data<int32_t>(10)}};
    const float epsilon = args.data(11)[0], *map = args.data(1), *mean = args.data(2), *variance = args.data(3);
    const int64_t pixels = block.pixels(), all = block.all(), size = pixels * block.inner;
    const Rows everything(pixels, all), inside(pixels, block.inner), grown(pixels, block.growth);
    Gradients gradients{static_cast<float*>(scratch(for_gradients, sizeof(float) * pixels * all)),
                        map, mean, all, std::vector<float>(all), std::vector<float>(all)};
    float* fresh = static_cast<float*>(scratch(for_map, sizeof(float) * pixels * block.growth));
    float* narrow = static_cast<float*>(scratch(for_inner_map, sizeof(float) * size));
    float* wide = static_cast<float*>(scratch(for_wide_map, sizeof(float) * pixels * block.seen(layers - 1)));

    copy_columns(args.data(0), all, gradients.sum, all, everything);
    for (int64_t layer = layers - 1; layer >= 0; --layer) {
        const int at = first + int(layer) * per_layer, to = out + 1 + int(layer) * per_layer;
        const int64_t seen = block.seen(layer);
        const float* normed = args.data(6) + pixels * block.seen_before(layer);
        const float *before = args.data(7) + layer * size, *rectified = args.data(8) + layer * size;
        const float *inner_mean = args.data(4) + layer * block.inner;
        const float *inner_variance = args.data(5) + layer * block.inner;

        gradients.finish(seen, fresh, grown);
        block.growing().to_weights(rectified, fresh, args.data(to + 5), nullptr);
        block.growing().to_inputs(fresh, args.data(at + 5), narrow);
        Backward{narrow, before, args.data(at + 3), rectified, inner_mean, inner_variance, epsilon, true,
                 narrow, args.data(to + 3), args.data(to + 4), nullptr}
            .run(inside);
        block.narrowing(layer).to_weights(normed, narrow, args.data(to + 2), nullptr);
        block.narrowing(layer).to_inputs(narrow, args.data(at + 2), wide);

        auto scale = scales(args.data(at), variance, epsilon, seen);
        const ChannelSums sums = gradients.add(wide, normed, scale.data(), Rows(pixels, seen));
        for (int64_t c = 0; c < seen; ++c) {
            const double spread = double(variance[c]) + epsilon, share = scale[c] / double(pixels);
            args.data(to)[c] = float(sums.product[c] / std::sqrt(spread));
            args.data(to + 1)[c] = float(sums.gradient[c]);
            gradients.constant[c] += float(share * sums.gradient[c]);
            gradients.slope[c] += float(share * sums.product[c] / spread);
        }
    }
    gradients.finish(0, args.data(out), Rows(pixels, block.channels));
}
