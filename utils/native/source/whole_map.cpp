#include "whole_map.h"

#include <algorithm>

#include "pool.h"

namespace {

constexpr int64_t width = 16;  // channels that are done together: 64 bytes of each pixel

}  // namespace

bool covers_whole_map(const Convolution& problem) {
    const auto &in = problem.input, &w = problem.weights;
    const Geometry& geometry = problem.geometry;
    const bool depthwise = geometry.groups() == in[1] && w[0] == in[1];
    const bool dense = geometry.dilation(0) == 1 && geometry.dilation(1) == 1;
    return depthwise && dense && !problem.biased && w[2] == in[2] && w[3] == in[3] && problem.output[2] == 1 &&
           problem.output[3] == 1 && !geometry.same() && geometry.before(0) == 0 && geometry.before(1) == 0;
}

void whole_map_weights(const Convolution& problem, const float* x, const float* dy, float* dw) {
    const int64_t images = problem.input[0], channels = problem.input[1], pixels = problem.input[2] * problem.input[3];
    parallel((channels + width - 1) / width, [&](int64_t number) {
        const int64_t first = number * width, some = std::min(width, channels - first);
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
            float sums[width] = {};
            for (int64_t image = 0; image < images; ++image) {
                const float* in = x + (image * pixels + pixel) * channels + first;
                const float* gradient = dy + image * channels + first;
                for (int64_t c = 0; c < some; ++c) sums[c] += in[c] * gradient[c];
            }
            for (int64_t c = 0; c < some; ++c) dw[(first + c) * pixels + pixel] = sums[c];
        }
    });
}
