// One update of all trained parameters at once, instead of some kernels for each.
#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "pool.h"

namespace {

constexpr int64_t piece = 65536;  // numbers that one thread changes at a time

// change(parameter, first, last) over all numbers of all parameters.
template <class Change>
void over_all(int parameters, const Arguments& args, int first_input, const Change& change) {
    std::vector<std::pair<int, int64_t>> pieces;
    for (int i = 0; i < parameters; ++i)
        for (int64_t begin = 0; begin < args.size(first_input + i); begin += piece) pieces.emplace_back(i, begin);
    parallel(int64_t(pieces.size()), [&](int64_t number) {
        auto [i, begin] = pieces[number];
        change(i, begin, std::min(args.size(first_input + i), begin + piece));
    });
}

// The learning rate of parameter i, of which there is one for all or one for each.
float rate_of(const Arguments& args, int i) { return args.data(0)[args.size(0) > 1 ? i : 0]; }

}  // namespace

// Changes weights and moments: rate (1 or n), [momentum], decays (n), then n weights, n moments, n gradients -> 0
// v = momentum v + (g + decay w); w -= rate v
OPERATOR(momentum_update) {
    const int n = (args.count() - 4) / 3;
    const float momentum = args.data(1)[0];
    const float* decays = args.data(2);
    over_all(n, args, 3, [&](int i, int64_t begin, int64_t end) {
        float *w = args.data(3 + i), *v = args.data(3 + n + i);
        const float *g = args.data(3 + 2 * n + i), decay = decays[i], rate = rate_of(args, i);
        for (int64_t k = begin; k < end; ++k) {
            v[k] = v[k] * momentum + (g[k] + w[k] * decay);
            w[k] -= v[k] * rate;
        }
    });
    args.data(args.count() - 1)[0] = 0.f;
}

// Changes weights, mean squares and moments: rate (1 or n), [momentum, rho, epsilon], decays (n), then n of each of weights,
// mean squares, moments and gradients -> 0
// s = rho s + (1 - rho) g^2; v = momentum v + rate g / sqrt(s + epsilon); w -= v, with g the gradient + decay w
OPERATOR(rmsprop_update) {
    const int n = (args.count() - 4) / 4;
    const float *options = args.data(1), *decays = args.data(2);
    const float momentum = options[0], rho = options[1], epsilon = options[2], rest = 1.f - rho;
    over_all(n, args, 3, [&](int i, int64_t begin, int64_t end) {
        float *w = args.data(3 + i), *s = args.data(3 + n + i), *v = args.data(3 + 2 * n + i);
        const float *g = args.data(3 + 3 * n + i), decay = decays[i], rate = rate_of(args, i);
        for (int64_t k = begin; k < end; ++k) {
            float gradient = g[k] + w[k] * decay;
            s[k] = rho * s[k] + rest * gradient * gradient;
            v[k] = momentum * v[k] + rate * gradient / std::sqrt(s[k] + epsilon);
            w[k] -= v[k];
        }
    });
    args.data(args.count() - 1)[0] = 0.f;
}

// Changes weights, means and mean squares: rate (1 or n), [b1, b2, epsilon], [1 - b1^t, 1 - b2^t], decays (n), then n of
// each of weights, means, mean squares and gradients -> 0
// m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g^2; w -= rate (decay w + m / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + epsilon))
OPERATOR(adamw_update) {
    const int n = (args.count() - 5) / 4;
    const float *options = args.data(1), *corrections = args.data(2), *decays = args.data(3);
    const float b1 = options[0], b2 = options[1], epsilon = options[2], rest1 = 1.f - b1, rest2 = 1.f - b2;
    const float of_mean = corrections[0], of_square = corrections[1];
    over_all(n, args, 4, [&](int i, int64_t begin, int64_t end) {
        float *w = args.data(4 + i), *m = args.data(4 + n + i), *s = args.data(4 + 2 * n + i);
        const float *g = args.data(4 + 3 * n + i), decay = decays[i], rate = rate_of(args, i);
        for (int64_t k = begin; k < end; ++k) {
            m[k] = b1 * m[k] + rest1 * g[k];
            s[k] = b2 * s[k] + rest2 * g[k] * g[k];
            w[k] -= rate * (decay * w[k] + m[k] / of_mean / (std::sqrt(s[k] / of_square) + epsilon));
        }
    });
    args.data(args.count() - 1)[0] = 0.f;
}
