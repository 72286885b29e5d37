// What MindSpore hands to an operator of func_type "aot": inputs first, then outputs.
#pragma once
#include <cstdint>
#include <cstdio>
#include <exception>

#include "onednn.h"

class Arguments {
public:
    Arguments(int count, void** data, int* ranks, int64_t** shapes)
        : count_(count), data_(data), ranks_(ranks), shapes_(shapes) {}

    template <class Number = float>
    Number* data(int i) const {
        return static_cast<Number*>(data_[i]);
    }
    int count() const { return count_; }
    onednn::Dims shape(int i) const { return {shapes_[i], shapes_[i] + ranks_[i]}; }
    int64_t size(int i) const {
        int64_t product = 1;
        for (int axis = 0; axis < ranks_[i]; ++axis) product *= shapes_[i][axis];
        return product;
    }
    // Channels are last: the other axes are so many rows of them.
    int64_t channels(int i) const { return shapes_[i][ranks_[i] - 1]; }
    int64_t rows(int i) const { return size(i) / channels(i); }
    // (N, H, W, C) as the library names its axes: (N, C, H, W).
    onednn::Dims image(int i) const { return {shapes_[i][0], shapes_[i][3], shapes_[i][1], shapes_[i][2]}; }

private:
    int count_;
    void** data_;
    int* ranks_;
    int64_t** shapes_;
};

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Defines the C function `name` for MindSpore, whose body sees `args`. No exception crosses the border: status 1 lets
// MindSpore raise its own.
#define OPERATOR(name)                                                                                           \
    static void name##_body(const Arguments& args);                                                              \
    EXPORTED int name(int count, void** data, int* ranks, int64_t** shapes, const char**, void*, void*) {      \
        try {                                                                                                    \
            name##_body(Arguments(count, data, ranks, shapes));                                                  \
            return 0;                                                                                            \
        } catch (const std::exception& error) {                                                                  \
            std::fprintf(stderr, "mindzoo's native operator " #name ": %s\n", error.what());                     \
        } catch (...) {                                                                                          \
            std::fprintf(stderr, "mindzoo's native operator " #name ": unknown error\n");                        \
        }                                                                                                        \
        return 1;                                                                                                \
    }                                                                                                            \
    static void name##_body(const Arguments& args)
