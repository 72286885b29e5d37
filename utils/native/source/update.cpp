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

}  // namespace

// Changes weights and moments: rate, [momentum], decays (n), then n weights, n moments, n gradients -> 0
// v = momentum v + (g + decay w); w -= rate v
OPERATOR(momentum_update) {
    const int n = (args.count() - 4) / 3;
    const float rate = args.data(0)[0], momentum = args.data(1)[0];
    const float* decays = args.data(2);
    over_all(n, args, 3, [&](int i, int64_t begin, int64_t end) {
        float *w = args.data(3 + i), *v = args.data(3 + n + i);
        const float *g = args.data(3 + 2 * n + i), decay = decays[i];
        for (int64_t k = begin; k < end; ++k) {
            v[k] = v[k] * momentum + (g[k] + w[k] * decay);
            w[k] -= v[k] * rate;
        }
    });
    args.data(args.count() - 1)[0] = 0.f;
}

// Changes weights, mean squares and moments: rate, [momentum, rho, epsilon], decays (n), then n of each of weights,
// mean squares, moments and gradients -> 0
// s = rho s + (1 - rho) g^2; v = momentum v + rate g / sqrt(s + epsilon); w -= v, with g the gradient + decay w
OPERATOR(rmsprop_update) {
    const int n = (args.count() - 4) / 4;
    const float rate = args.data(0)[0], *options = args.data(1), *decays = args.data(2);
    const float momentum = options[0], rho = options[1], epsilon = options[2], rest = 1.f - rho;
    over_all(n, args, 3, [&](int i, int64_t begin, int64_t end) {
        float *w = args.data(3 + i), *s = args.data(3 + n + i), *v = args.data(3 + 2 * n + i);
        const float *g = args.data(3 + 3 * n + i), decay = decays[i];
        for (int64_t k = begin; k < end; ++k) {
            float gradient = g[k] + w[k] * decay;
            s[k] = rho * s[k] + rest * gradient * gradient;
            v[k] = momentum * v[k] + rate * gradient / std::sqrt(s[k] + epsilon);
            w[k] -= v[k];
        }
    });
    args.data(args.count() - 1)[0] = 0.f;
}
