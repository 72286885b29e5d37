// Calls every native operator on small maps, in two threads at once, for a build with sanitizers: they find what reads
// or writes beyond its memory, and a wrong sum ends the program with status 1.
//     exercise PATH_OF_ONEDNN
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <thread>
#include <vector>

using Shape = std::vector<int64_t>;
using Operator = int(int, void**, int*, int64_t**, const char**, void*, void*);

extern "C" {
int open_library(const char*, int, int, char*, size_t);
Operator convolution, biased_convolution, convolution_inputs, convolution_weights, biased_convolution_weights, pooling,
    pooling_inputs, batch_norm, batch_norm_of_sum, batch_norm_gradients, batch_norm_of_sum_gradients, normalisation,
    normalisation_of_sum, moving_statistics, upsampling, upsampling_inputs, addition, momentum_update, rmsprop_update,
    adamw_update, dense_block, dense_block_gradients, gated_sum, gated_sum_gradients, mean_over_map,
    mean_over_map_inputs;
}

// Of exactly its size, so that a number too many is found.
struct Array {
    Shape shape;
    std::unique_ptr<float[]> data;
    explicit Array(Shape shape, float scale = 1.f) : shape(std::move(shape)), data(new float[size()]) {
        for (int64_t i = 0; i < size(); ++i) data[i] = scale * std::sin(float(i) * 0.7f + float(size()));
    }
    int64_t size() const {
        int64_t product = 1;
        for (auto side : shape) product *= side;
        return product;
    }
};

void call(const char* name, Operator* what, std::initializer_list<Array*> arrays) {
    std::vector<void*> data;
    std::vector<int> ranks;
    std::vector<int64_t*> shapes;
    for (Array* array : arrays) {
        data.push_back(array->data.get());
        ranks.push_back(int(array->shape.size()));
        shapes.push_back(array->shape.data());
    }
    if (what(int(data.size()), data.data(), ranks.data(), shapes.data(), nullptr, nullptr, nullptr)) {
        std::fprintf(stderr, "%s failed\n", name);
        std::exit(1);
    }
}
#define CALL(name, ...) call(#name, name, {__VA_ARGS__})

Array integers(std::initializer_list<int32_t> numbers) {
    Array array({int64_t(numbers.size())});
    auto* to = reinterpret_cast<int32_t*>(array.data.get());
    for (int32_t number : numbers) *to++ = number;
    return array;
}

Array positive(Shape shape) {
    Array array(std::move(shape));
    for (int64_t i = 0; i < array.size(); ++i) array.data[i] = 1.f + 0.5f * array.data[i];
    return array;
}

Array options(std::initializer_list<float> numbers) {
    Array array({int64_t(numbers.size())});
    float* to = array.data.get();
    for (float number : numbers) *to++ = number;
    return array;
}

void convolutions(int64_t side, int64_t groups) {
    const int64_t inputs = 8, outputs = 12;
    Array x({2, side, side + 1, inputs}), w({outputs, inputs / groups, 3, 3}), b({outputs}), dx(x.shape), dw(w.shape),
        db(b.shape), y({2, side, side + 1, outputs}), dy(y.shape);
    Array geometry = integers({1, 1, 1, 1, 1, 1, 1, 1, 0, int32_t(groups)});
    CALL(convolution, &x, &w, &geometry, &y);
    double sum = 0;  // of one pixel in the middle
    for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 3; ++j)
            for (int64_t c = 0; c < inputs / groups; ++c)
                sum += double(x.data[(i * (side + 1) + j) * inputs + c]) * w.data[(c * 3 + i) * 3 + j];
    if (std::abs(sum - y.data[(1 * (side + 1) + 1) * outputs]) > 1e-4) std::exit(1);
    CALL(biased_convolution, &x, &w, &b, &geometry, &y);
    CALL(convolution_inputs, &dy, &w, &geometry, &x, &dx);
    CALL(convolution_weights, &x, &dy, &geometry, &w, &dw);
    CALL(biased_convolution_weights, &x, &dy, &geometry, &w, &dw, &db);
    Array same = integers({2, 2, 1, 1, 0, 0, 0, 0, 1, int32_t(groups)});
    Array small({2, (side + 1) / 2, (side + 2) / 2, outputs});
    CALL(convolution, &x, &w, &same, &small);
    CALL(convolution_inputs, &small, &w, &same, &x, &dx);
}

void pools(int64_t side) {
    Array x({2, side, side, 5}), y({2, (side + 1) / 2, (side + 1) / 2, 5}), where(y.shape), dx(x.shape);
    for (int32_t mean : {0, 1}) {
        Array geometry = integers({3, 3, 2, 2, 0, 0, 1, mean});
        CALL(pooling, &x, &geometry, &y, &where);
        CALL(pooling_inputs, &y, &where, &geometry, &x, &dx);
    }
}

void norms(int64_t side, int64_t channels) {
    Array x({2, side, side, channels}), gamma({channels}), beta({channels}), addend(x.shape), y(x.shape), dy(x.shape),
        dx(x.shape), dadd(x.shape), mean({channels}), dgamma({channels}), dbeta({channels}), done({1});
    Array variance = positive({channels}), settings = options({1e-5f, 1.f});
    CALL(batch_norm, &x, &gamma, &beta, &settings, &y, &mean, &variance);
    CALL(batch_norm_gradients, &dy, &x, &gamma, &y, &mean, &variance, &settings, &dx, &dgamma, &dbeta);
    CALL(batch_norm_of_sum, &x, &gamma, &beta, &addend, &settings, &y, &mean, &variance);
    CALL(batch_norm_of_sum_gradients, &dy, &x, &gamma, &y, &mean, &variance, &settings, &dx, &dgamma, &dbeta, &dadd);
    CALL(normalisation, &x, &gamma, &beta, &mean, &variance, &settings, &y);
    CALL(normalisation_of_sum, &x, &gamma, &beta, &addend, &mean, &variance, &settings, &y);
    Array shares = options({0.1f, 50.f, 0.f});
    CALL(moving_statistics, &mean, &variance, &shares, &dgamma, &dbeta, &done);
    Array large({2, 3 * side, 3 * side, channels});
    CALL(upsampling, &x, &large);
    CALL(upsampling_inputs, &large, &x, &dx);
    CALL(addition, &x, &dy, &dx);
}

void gates(int64_t side, int64_t channels) {
    Array u({2, side, side + 1, channels}), gate({2, 1, 1, channels}), s(u.shape), y(u.shape), dy(u.shape), du(u.shape),
        dgate(gate.shape), ds(u.shape);
    CALL(gated_sum, &u, &gate, &s, &y);
    CALL(mean_over_map, &u, &dgate);
    CALL(mean_over_map_inputs, &gate, &u, &du);
    CALL(gated_sum_gradients, &dy, &y, &u, &gate, &du, &dgate, &ds);
    double sum = 0;  // of the second image's last channel
    for (int64_t i = u.size() / 2 + channels - 1; i < u.size(); i += channels)
        if (y.data[i] > 0) sum += double(dy.data[i]) * u.data[i];
    if (std::abs(sum - dgate.data[2 * channels - 1]) > 1e-4) std::exit(1);
}

void whole_maps(int64_t side, int64_t channels) {
    Array x({2, side, side + 1, channels}), dy({2, 1, 1, channels}), dw({channels, 1, side, side + 1});
    Array geometry = integers({1, 1, 1, 1, 0, 0, 0, 0, 0, int32_t(channels)});
    CALL(convolution_weights, &x, &dy, &geometry, &dw, &dw);
    const int64_t last = x.size() / 2 - 1;  // the last channel's last pixel, of two images
    const double sum = double(x.data[last]) * dy.data[channels - 1] + double(x.data[2 * last + 1]) * dy.data[2 * channels - 1];
    if (std::abs(sum - dw.data[dw.size() - 1]) > 1e-4) std::exit(1);
}

void block(int64_t side) {
    const int64_t first = 6, inner = 8, growth = 4, pixels = 2 * side * side, all = first + 2 * growth;
    Array x({2, side, side, first}), one = integers({1, 1, 1, 1, 0, 0, 0, 0, 0, 1}),
          three = integers({1, 1, 1, 1, 1, 1, 1, 1, 0, 1}), epsilon = options({1e-5f});
    Array g1({first}), b1({first}), v1({inner, first, 1, 1}), h1({inner}), c1({inner}), w1({growth, inner, 3, 3});
    Array g2({first + growth}), b2({first + growth}), v2({inner, first + growth, 1, 1}), h2({inner}), c2({inner}),
        w2({growth, inner, 3, 3});
    Array map({2, side, side, all}), mean({all}), variance({all}), inner_mean({2, inner}), inner_variance({2, inner}),
        normed({pixels * (2 * first + growth)}), narrow({2, pixels, inner}), rectified({2, pixels, inner});
    CALL(dense_block, &x, &one, &three, &epsilon, &g1, &b1, &v1, &h1, &c1, &w1, &g2, &b2, &v2, &h2, &c2, &w2, &map,
         &mean, &variance, &inner_mean, &inner_variance, &normed, &narrow, &rectified);
    Array dmap(map.shape), dx(x.shape), dg1({first}), db1({first}), dv1(v1.shape), dh1({inner}), dc1({inner}),
        dw1(w1.shape), dg2(g2.shape), db2(b2.shape), dv2(v2.shape), dh2({inner}), dc2({inner}), dw2(w2.shape);
    CALL(dense_block_gradients, &dmap, &map, &mean, &variance, &inner_mean, &inner_variance, &normed, &narrow,
         &rectified, &one, &three, &epsilon, &g1, &b1, &v1, &h1, &c1, &w1, &g2, &b2, &v2, &h2, &c2, &w2, &dx, &dg1,
         &db1, &dv1, &dh1, &dc1, &dw1, &dg2, &db2, &dv2, &dh2, &dc2, &dw2);
}

void updates() {
    Array rate = options({0.1f}), momentum = options({0.9f}), three = options({0.9f, 0.9f, 1e-3f}),
          decays = options({0.f, 1e-4f}), w1({70001}), w2({3, 5}), v1({70001}), v2({3, 5}), g1({70001}), g2({3, 5}),
          done({1});
    Array s1 = positive({70001}), s2 = positive({3, 5});
    CALL(momentum_update, &rate, &momentum, &decays, &w1, &w2, &v1, &v2, &g1, &g2, &done);
    CALL(rmsprop_update, &rate, &three, &decays, &w1, &w2, &s1, &s2, &v1, &v2, &g1, &g2, &done);
    Array rates = options({0.1f, 0.2f}), corrections = options({0.1f, 0.001f});
    CALL(adamw_update, &rates, &three, &corrections, &decays, &w1, &w2, &v1, &v2, &s1, &s2, &g1, &g2, &done);
}

int main(int, char** arguments) {
    char reason[500];
    if (open_library(arguments[1], 1, 3, reason, sizeof reason)) {
        std::fprintf(stderr, "%s\n", reason);
        return 1;
    }
    auto everything = [] {
        for (int64_t side : {3, 7, 16}) {
            convolutions(side, 1);
            convolutions(side, 4);
            pools(side);
            norms(side, 5);
            norms(side, 33);
            for (int64_t channels : {1, 17, 64}) {
                gates(side, channels);
                whole_maps(side, channels);
            }
            block(side);
        }
        updates();
    };
    std::thread other(everything);
    everything();
    other.join();
    // More shapes than primitives are kept.
    for (int64_t side = 3; side < 30; ++side) pools(side);
    std::puts("done");
    return 0;
}
