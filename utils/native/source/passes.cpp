#include "passes.h"

#include <cmath>

namespace {

constexpr int64_t numbers_in_cache = 8192;

struct Moments {
    double count = 0;
    std::vector<double> mean, squares;  // the sum of squared deviations
    explicit Moments(int64_t channels) : mean(channels), squares(channels) {}

    // Chan, Golub and LeVeque 1983: moments of two sets from those of each.
    template <class Means, class Squares>
    void add(double more, const Means& means, const Squares& more_squares) {
        double all = count + more, share = more / all, weight = count * share;
        for (size_t c = 0; c < mean.size(); ++c) {
            double apart = double(means[c]) - mean[c];
            mean[c] += apart * share;
            squares[c] += double(more_squares[c]) + apart * apart * weight;
        }
        count = all;
    }
};

// Rows that fit into the cache are read twice, for their mean and for the deviations from it.
Moments part_moments(const float* x, int64_t stride, int64_t channels, int64_t begin, int64_t end) {
    Moments moments(channels);
    std::vector<float> means(channels), squares(channels);
    float *mean = means.data(), *square = squares.data();
    const int64_t block = std::clamp<int64_t>(numbers_in_cache / channels, 4, 64);
    for (int64_t first = begin; first < end; first += block) {
        int64_t last = std::min(end, first + block);
        std::fill(means.begin(), means.end(), 0.f);
        std::fill(squares.begin(), squares.end(), 0.f);
        for (int64_t r = first; r < last; ++r) {
            const float* row = x + r * stride;
            for (int64_t c = 0; c < channels; ++c) mean[c] += row[c];
        }
        const float share = 1.f / float(last - first);
        for (int64_t c = 0; c < channels; ++c) mean[c] *= share;
        for (int64_t r = first; r < last; ++r) {
            const float* row = x + r * stride;
            for (int64_t c = 0; c < channels; ++c) {
                float apart = row[c] - mean[c];
                square[c] += apart * apart;
            }
        }
        moments.add(double(last - first), means, squares);
    }
    return moments;
}

template <bool rectified, bool with_addend>
void normalise(const float* x, int64_t stride, const float* addend, const float* mean, const float* scale,
               const float* beta, float* y, const Rows& rows) {
    const int64_t channels = rows.channels;
    rows.in_parts([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const float *from = x + r * stride, *add = with_addend ? addend + r * channels : nullptr;
            float* __restrict__ to = y + r * channels;
            for (int64_t c = 0; c < channels; ++c) {
                float value = (from[c] - mean[c]) * scale[c] + beta[c];
                if (with_addend) value += add[c];
                to[c] = rectified ? std::max(value, 0.f) : value;
            }
        }
    });
}

template <bool rectified, bool keeps>
ChannelSums sums_of(const Backward& b, const Rows& rows) {
    const int64_t channels = rows.channels;
    return sums_over(rows, [&, channels](int64_t r, float* __restrict__ sums, float* __restrict__ products) {
        const float *from = b.dy + r * channels, *in = b.x + r * channels, *out = b.y + r * channels, *mean = b.mean;
        float* __restrict__ to = keeps ? b.passed + r * channels : nullptr;
        for (int64_t c = 0; c < channels; ++c) {
            float gradient = !rectified || out[c] > 0.f ? from[c] : 0.f;
            if (keeps) to[c] = gradient;
            sums[c] += gradient;
            products[c] += gradient * (in[c] - mean[c]);
        }
    });
}

// dx = scale (dy - mean(dy) - (x - mean) mean(dy (x - mean)) / (variance + epsilon))
template <bool rectified>
void input_gradients(const float* dy, const float* x, const float* y, const float* mean, const float* scale,
                     const float* constant, const float* slope, float* dx, const Rows& rows) {
    const int64_t channels = rows.channels;
    rows.in_parts([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const float *from = dy + r * channels, *in = x + r * channels, *out = y + r * channels;
            float* to = dx + r * channels;
            for (int64_t c = 0; c < channels; ++c) {
                float gradient = !rectified || out[c] > 0.f ? from[c] : 0.f;
                to[c] = scale[c] * (gradient - constant[c] - (in[c] - mean[c]) * slope[c]);
            }
        }
    });
}

}  // namespace

void moments_of(const float* x, int64_t stride, const Rows& rows, float* mean, float* variance) {
    std::vector<Moments> parts(rows.parts, Moments(0));
    rows.in_parts([&](int64_t part, int64_t begin, int64_t end) {
        parts[part] = part_moments(x, stride, rows.channels, begin, end);
    });
    Moments& all = parts[0];
    for (int64_t part = 1; part < rows.parts; ++part) all.add(parts[part].count, parts[part].mean, parts[part].squares);
    for (int64_t c = 0; c < rows.channels; ++c) {
        mean[c] = float(all.mean[c]);
        variance[c] = float(all.squares[c] / all.count);
    }
}

std::vector<float> scales(const float* gamma, const float* variance, float epsilon, int64_t channels) {
    std::vector<float> scale(channels);
    for (int64_t c = 0; c < channels; ++c) scale[c] = gamma[c] / std::sqrt(variance[c] + epsilon);
    return scale;
}

void normalise(bool rectified, const float* x, int64_t stride, const float* addend, const float* mean,
               const float* scale, const float* beta, float* y, const Rows& rows) {
    auto way = addend ? (rectified ? normalise<true, true> : normalise<false, true>)
                      : (rectified ? normalise<true, false> : normalise<false, false>);
    way(x, stride, addend, mean, scale, beta, y, rows);
}

void Backward::run(const Rows& rows) const {
    const int64_t channels = rows.channels;
    auto add_up = passed ? (rectified ? sums_of<true, true> : sums_of<false, true>)
                         : (rectified ? sums_of<true, false> : sums_of<false, false>);
    const ChannelSums sums = add_up(*this, rows);
    std::vector<float> scale = scales(gamma, variance, epsilon, channels), constant(channels), slope(channels);
    for (int64_t c = 0; c < channels; ++c) {
        double spread = double(variance[c]) + epsilon;
        dgamma[c] = float(sums.product[c] / std::sqrt(spread));
        dbeta[c] = float(sums.gradient[c]);
        constant[c] = float(sums.gradient[c] / double(rows.rows));
        slope[c] = float(sums.product[c] / double(rows.rows) / spread);
    }
    // What was passed on is already zero where y was not positive.
    auto way = rectified && !passed ? input_gradients<true> : input_gradients<false>;
    way(passed ? passed : dy, x, y, mean, scale.data(), constant.data(), slope.data(), dx, rows);
}
