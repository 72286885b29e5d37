// Batch norm of maps whose channels are last, with ReLU and a sum in the same pass where they follow:
// y = relu(gamma (x - mean) / sqrt(variance + epsilon) + beta + addend).
// Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
#include <algorithm>
#include <cmath>
#include <vector>

#include "arguments.h"
#include "pool.h"

namespace {

// Work is divided by shape alone, never by threads, so that sums have the same bits whoever adds them.
constexpr int64_t most_parts = 64, least_numbers = 16384, numbers_in_cache = 8192;

struct Rows {
    int64_t rows, channels, parts, each;

    Rows(int64_t rows, int64_t channels) : rows(rows), channels(channels) {
        int64_t wanted = std::clamp<int64_t>(rows * channels / least_numbers, 1, most_parts);
        each = (rows + wanted - 1) / wanted;
        parts = (rows + each - 1) / each;
    }
    template <class Loop>
    void in_parts(const Loop& loop) const {
        parallel(parts, [&](int64_t part) { loop(part, part * each, std::min(rows, (part + 1) * each)); });
    }
};

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
Moments part_moments(const float* x, int64_t channels, int64_t begin, int64_t end) {
    Moments moments(channels);
    std::vector<float> means(channels), squares(channels);
    float *mean = means.data(), *square = squares.data();
    const int64_t block = std::clamp<int64_t>(numbers_in_cache / channels, 4, 64);
    for (int64_t first = begin; first < end; first += block) {
        int64_t last = std::min(end, first + block);
        std::fill(means.begin(), means.end(), 0.f);
        std::fill(squares.begin(), squares.end(), 0.f);
        for (int64_t r = first; r < last; ++r) {
            const float* row = x + r * channels;
            for (int64_t c = 0; c < channels; ++c) mean[c] += row[c];
        }
        const float share = 1.f / float(last - first);
        for (int64_t c = 0; c < channels; ++c) mean[c] *= share;
        for (int64_t r = first; r < last; ++r) {
            const float* row = x + r * channels;
            for (int64_t c = 0; c < channels; ++c) {
                float apart = row[c] - mean[c];
                square[c] += apart * apart;
            }
        }
        moments.add(double(last - first), means, squares);
    }
    return moments;
}

void moments_of(const float* x, const Rows& rows, float* mean, float* variance) {
    std::vector<Moments> parts(rows.parts, Moments(0));
    rows.in_parts([&](int64_t part, int64_t begin, int64_t end) {
        parts[part] = part_moments(x, rows.channels, begin, end);
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

template <bool rectified, bool with_addend>
void normalise(const float* x, const float* addend, const float* mean, const float* scale, const float* beta, float* y,
               const Rows& rows) {
    const int64_t channels = rows.channels;
    rows.in_parts([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const float *from = x + r * channels, *add = with_addend ? addend + r * channels : nullptr;
            float* to = y + r * channels;
            for (int64_t c = 0; c < channels; ++c) {
                float value = (from[c] - mean[c]) * scale[c] + beta[c];
                if (with_addend) value += add[c];
                to[c] = rectified ? std::max(value, 0.f) : value;
            }
        }
    });
}

void normalise(bool rectified, const float* x, const float* addend, const float* mean, const float* scale,
               const float* beta, float* y, const Rows& rows) {
    auto way = addend ? (rectified ? normalise<true, true> : normalise<false, true>)
                      : (rectified ? normalise<true, false> : normalise<false, false>);
    way(x, addend, mean, scale, beta, y, rows);
}

// Sums of dy and of dy (x - mean) over all rows, where dy counts only where y was positive if it is rectified, and is
// written to `passed` if that is wanted.
template <bool rectified, bool keeps>
void sums(const float* dy, const float* x, const float* y, const float* mean, float* passed, const Rows& rows,
          std::vector<double>& sum, std::vector<double>& product) {
    const int64_t channels = rows.channels;
    std::vector<std::vector<double>> part_sums(rows.parts), part_products(rows.parts);
    rows.in_parts([&](int64_t part, int64_t begin, int64_t end) {
        std::vector<double> all_sums(channels), all_products(channels);
        std::vector<float> near_sums(channels), near_products(channels);
        float *s = near_sums.data(), *p = near_products.data();
        const int64_t block = 64;
        for (int64_t first = begin; first < end; first += block) {
            std::fill(near_sums.begin(), near_sums.end(), 0.f);
            std::fill(near_products.begin(), near_products.end(), 0.f);
            for (int64_t r = first; r < std::min(end, first + block); ++r) {
                const float *from = dy + r * channels, *in = x + r * channels, *out = y + r * channels;
                float* to = keeps ? passed + r * channels : nullptr;
                for (int64_t c = 0; c < channels; ++c) {
                    float gradient = !rectified || out[c] > 0.f ? from[c] : 0.f;
                    if (keeps) to[c] = gradient;
                    s[c] += gradient;
                    p[c] += gradient * (in[c] - mean[c]);
                }
            }
            for (int64_t c = 0; c < channels; ++c) {
                all_sums[c] += double(s[c]);
                all_products[c] += double(p[c]);
            }
        }
        part_sums[part] = std::move(all_sums);
        part_products[part] = std::move(all_products);
    });
    for (int64_t part = 0; part < rows.parts; ++part)
        for (int64_t c = 0; c < channels; ++c) {
            sum[c] += part_sums[part][c];
            product[c] += part_products[part][c];
        }
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

struct Backward {
    const float *dy, *x, *gamma, *y, *mean, *variance;
    float epsilon;
    bool rectified;
    float *dx, *dgamma, *dbeta, *passed;  // `passed` is null where there is no addend

    void run(const Rows& rows) const {
        const int64_t channels = rows.channels;
        std::vector<double> sum(channels), product(channels);
        auto add_up = passed ? (rectified ? sums<true, true> : sums<false, true>)
                             : (rectified ? sums<true, false> : sums<false, false>);
        add_up(dy, x, y, mean, passed, rows, sum, product);
        std::vector<float> scale = scales(gamma, variance, epsilon, channels), constant(channels), slope(channels);
        for (int64_t c = 0; c < channels; ++c) {
            double spread = double(variance[c]) + epsilon;
            dgamma[c] = float(product[c] / std::sqrt(spread));
            dbeta[c] = float(sum[c]);
            constant[c] = float(sum[c] / double(rows.rows));
            slope[c] = float(product[c] / double(rows.rows) / spread);
        }
        // What was passed on is already zero where y was not positive.
        if (passed)
            input_gradients<false>(passed, x, y, mean, scale.data(), constant.data(), slope.data(), dx, rows);
        else
            (rectified ? input_gradients<true> : input_gradients<false>)(dy, x, y, mean, scale.data(), constant.data(),
                                                                         slope.data(), dx, rows);
    }
};

}  // namespace

// x, gamma, beta, [epsilon, rectified] -> y, mean, variance
OPERATOR(batch_norm) {
    Rows rows(args.rows(0), args.channels(0));
    float *mean = args.data(5), *variance = args.data(6);
    const float* options = args.data(3);
    moments_of(args.data(0), rows, mean, variance);
    auto scale = scales(args.data(1), variance, options[0], rows.channels);
    normalise(options[1] > 0, args.data(0), nullptr, mean, scale.data(), args.data(2), args.data(4), rows);
}

// x, gamma, beta, addend, [epsilon, rectified] -> y, mean, variance
OPERATOR(batch_norm_of_sum) {
    Rows rows(args.rows(0), args.channels(0));
    float *mean = args.data(6), *variance = args.data(7);
    const float* options = args.data(4);
    moments_of(args.data(0), rows, mean, variance);
    auto scale = scales(args.data(1), variance, options[0], rows.channels);
    normalise(options[1] > 0, args.data(0), args.data(3), mean, scale.data(), args.data(2), args.data(5), rows);
}

// dy, x, gamma, y, mean, variance, [epsilon, rectified] -> dx, dgamma, dbeta
OPERATOR(batch_norm_gradients) {
    const float* options = args.data(6);
    Backward{args.data(0), args.data(1), args.data(2), args.data(3), args.data(4), args.data(5), options[0],
             options[1] > 0, args.data(7), args.data(8), args.data(9), nullptr}
        .run(Rows(args.rows(1), args.channels(1)));
}

// dy, x, gamma, y, mean, variance, [epsilon, rectified] -> dx, dgamma, dbeta, daddend
OPERATOR(batch_norm_of_sum_gradients) {
    const float* options = args.data(6);
    Backward{args.data(0), args.data(1), args.data(2), args.data(3), args.data(4), args.data(5), options[0],
             options[1] > 0, args.data(7), args.data(8), args.data(9), args.data(10)}
        .run(Rows(args.rows(1), args.channels(1)));
}

// With given statistics: x, gamma, beta, mean, variance, [epsilon, rectified] -> y
OPERATOR(normalisation) {
    const float* options = args.data(5);
    auto scale = scales(args.data(1), args.data(4), options[0], args.channels(0));
    normalise(options[1] > 0, args.data(0), nullptr, args.data(3), scale.data(), args.data(2), args.data(6),
              Rows(args.rows(0), args.channels(0)));
}

// With given statistics: x, gamma, beta, addend, mean, variance, [epsilon, rectified] -> y
OPERATOR(normalisation_of_sum) {
    const float* options = args.data(6);
    auto scale = scales(args.data(1), args.data(5), options[0], args.channels(0));
    normalise(options[1] > 0, args.data(0), args.data(3), args.data(4), scale.data(), args.data(2), args.data(7),
              Rows(args.rows(0), args.channels(0)));
}

// Changes moving_mean and moving_variance: mean, variance, [share of the new, rows], moving_mean, moving_variance -> 0
OPERATOR(moving_statistics) {
    const float *mean = args.data(0), *variance = args.data(1), *options = args.data(2);
    float *moving_mean = args.data(3), *moving_variance = args.data(4);
    const float share = options[0], kept = 1.f - share, rows = options[1];
    const float unbiased = share * (rows > 1.f ? rows / (rows - 1.f) : 1.f);
    for (int64_t c = 0; c < args.size(0); ++c) {
        moving_mean[c] = kept * moving_mean[c] + share * mean[c];
        moving_variance[c] = kept * moving_variance[c] + unbiased * variance[c];
    }
    args.data(5)[0] = 0.f;
}
