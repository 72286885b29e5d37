// Batch norm of maps whose channels are last, with ReLU and a sum in the same pass where they follow:
// y = relu(gamma (x - mean) / sqrt(variance + epsilon) + beta + addend).
// Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
#include "arguments.h"
#include "passes.h"

// x, gamma, beta, [epsilon, rectified] -> y, mean, variance
OPERATOR(batch_norm) {
    Rows rows(args.rows(0), args.channels(0));
    float *mean = args.data(5), *variance = args.data(6);
    const float* options = args.data(3);
    moments_of(args.data(0), rows.channels, rows, mean, variance);
    auto scale = scales(args.data(1), variance, options[0], rows.channels);
    normalise(options[1] > 0, args.data(0), rows.channels, nullptr, mean, scale.data(), args.data(2), args.data(4), rows);
}

// x, gamma, beta, addend, [epsilon, rectified] -> y, mean, variance
OPERATOR(batch_norm_of_sum) {
    Rows rows(args.rows(0), args.channels(0));
    float *mean = args.data(6), *variance = args.data(7);
    const float* options = args.data(4);
    moments_of(args.data(0), rows.channels, rows, mean, variance);
    auto scale = scales(args.data(1), variance, options[0], rows.channels);
    normalise(options[1] > 0, args.data(0), rows.channels, args.data(3), mean, scale.data(), args.data(2), args.data(5), rows);
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
    Rows rows(args.rows(0), args.channels(0));
    const float* options = args.data(5);
    auto scale = scales(args.data(1), args.data(4), options[0], rows.channels);
    normalise(options[1] > 0, args.data(0), rows.channels, nullptr, args.data(3), scale.data(), args.data(2),
              args.data(6), rows);
}

// With given statistics: x, gamma, beta, addend, mean, variance, [epsilon, rectified] -> y
OPERATOR(normalisation_of_sum) {
    Rows rows(args.rows(0), args.channels(0));
    const float* options = args.data(6);
    auto scale = scales(args.data(1), args.data(5), options[0], rows.channels);
    normalise(options[1] > 0, args.data(0), rows.channels, args.data(3), args.data(4), scale.data(), args.data(2),
              args.data(7), rows);
}

// Changes moving_mean and moving_variance:
// means, variances, [share of the new, rows, number of the first], moving_mean, moving_variance -> 0
OPERATOR(moving_statistics) {
    const float* options = args.data(2);
    const int64_t first = int64_t(options[2]);
    const float *mean = args.data(0) + first, *variance = args.data(1) + first;
    float *moving_mean = args.data(3), *moving_variance = args.data(4);
    const float share = options[0], kept = 1.f - share, rows = options[1];
    const float unbiased = share * (rows > 1.f ? rows / (rows - 1.f) : 1.f);
    for (int64_t c = 0; c < args.size(3); ++c) {
        moving_mean[c] = kept * moving_mean[c] + share * mean[c];
        moving_variance[c] = kept * moving_variance[c] + unbiased * variance[c];
    }
    args.data(5)[0] = 0.f;
}
