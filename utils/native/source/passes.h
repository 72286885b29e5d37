// Passes over rows of channels, from which batch norms are made.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "pool.h"

// Rows of `channels` numbers, divided into parts by shape alone, never by threads: so sums have the same bits whoever
// adds them.
struct Rows {
    static constexpr int64_t most_parts = 64, least_numbers = 16384;
    int64_t rows, channels, parts, each;

    Rows(int64_t rows, int64_t channels) : rows(rows), channels(channels) {
        int64_t wanted = std::clamp<int64_t>(rows * channels / least_numbers, 1, most_parts);
        each = (rows + wanted - 1) / wanted;
        parts = (rows + each - 1) / each;
    }
    // loop(part, first row, end)
    template <class Loop>
    void in_parts(const Loop& loop) const {
        parallel(parts, [&](int64_t part) { loop(part, part * each, std::min(rows, (part + 1) * each)); });
    }
};

// The rows of each image of a map (N, H, W, C), in parts that lie within one image.
struct ImageRows {
    int64_t images;
    Rows rows;  // of one image

    explicit ImageRows(const std::vector<int64_t>& map) : images(map[0]), rows(map[1] * map[2], map[3]) {}
    int64_t parts() const { return images * rows.parts; }
    // loop(image, part, first row, end)
    template <class Loop>
    void in_parts(const Loop& loop) const {
        parallel(parts(), [&](int64_t part) {
            const int64_t image = part / rows.parts, begin = part % rows.parts * rows.each;
            const int64_t end = std::min(rows.rows, begin + rows.each), before = image * rows.rows;
            loop(image, part, before + begin, before + end);
        });
    }
    // From the sums of each part: done(image * channels + channel, its sum)
    template <class Done>
    void add_up(const std::vector<std::vector<double>>& sums, const Done& done) const {
        for (int64_t image = 0; image < images; ++image)
            for (int64_t c = 0; c < rows.channels; ++c) {
                double sum = 0;
                for (int64_t part = 0; part < rows.parts; ++part) sum += sums[image * rows.parts + part][c];
                done(image * rows.channels + c, sum);
            }
    }
};

// Mean and biased variance of each channel; rows of x are `stride` numbers apart.
void moments_of(const float* x, int64_t stride, const Rows& rows, float* mean, float* variance);

// gamma / sqrt(variance + epsilon)
std::vector<float> scales(const float* gamma, const float* variance, float epsilon, int64_t channels);

// y = scale (x - mean) + beta + addend, then ReLU if `rectified`; the addend may be null. Only rows of x may be apart.
void normalise(bool rectified, const float* x, int64_t stride, const float* addend, const float* mean,
               const float* scale, const float* beta, float* y, const Rows& rows);

// What goes backwards through a batch norm whose channels have these sums over all rows.
struct ChannelSums {
    std::vector<double> gradient, product;  // of dy, and of dy (x - mean)
    explicit ChannelSums(int64_t channels) : gradient(channels), product(channels) {}
};
// Sums over the rows from `begin` to `end`: row(r, sums) adds to `count` of them. Rows near each other are added in float32.
template <class Row>
std::vector<double> sums_of_rows(int64_t begin, int64_t end, int64_t count, const Row& row) {
    constexpr int64_t near = 64;
    std::vector<double> all(count);
    std::vector<float> sums(count);
    for (int64_t first = begin; first < end; first += near) {
        std::fill(sums.begin(), sums.end(), 0.f);
        for (int64_t r = first; r < std::min(end, first + near); ++r) row(r, sums.data());
        for (int64_t i = 0; i < count; ++i) all[i] += double(sums[i]);
    }
    return all;
}

// Calls row(r, gradient sums, product sums) for each row, which adds to the sums of its channels.
template <class Row>
ChannelSums sums_over(const Rows& rows, const Row& row) {
    const int64_t channels = rows.channels;
    std::vector<std::vector<double>> parts(rows.parts);
    rows.in_parts([&](int64_t part, int64_t begin, int64_t end) {
        parts[part] = sums_of_rows(begin, end, 2 * channels, [&, channels](int64_t r, float* sums) {
            row(r, sums, sums + channels);
        });
    });
    ChannelSums all(channels);
    for (const auto& sums : parts)
        for (int64_t c = 0; c < channels; ++c) {
            all.gradient[c] += sums[c];
            all.product[c] += sums[channels + c];
        }
    return all;
}

struct Backward {
    const float *dy, *x, *gamma, *y, *mean, *variance;
    float epsilon;
    bool rectified;
    float *dx, *dgamma, *dbeta, *passed;  // `passed`, the addend's gradient, is null where there is none

    void run(const Rows& rows) const;  // dx may be dy
};
