#include "convolution.h"

#include <algorithm>

#include "arguments.h"
#include "primitive.h"
#include "whole_map.h"

using namespace onednn;

namespace {

enum Direction { forwards, to_the_inputs, to_the_weights };

Window window(const Convolution& problem) {
    Window window;
    const Geometry& geometry = problem.geometry;
    for (int axis = 0; axis < 2; ++axis) {
        int64_t reach = (problem.weights[2 + axis] - 1) * geometry.dilation(axis) + 1;
        int64_t last = (problem.output[2 + axis] - 1) * geometry.stride(axis);
        int64_t all = std::max<int64_t>(last + reach - problem.input[2 + axis], 0);
        int64_t before = geometry.same() ? all / 2 : geometry.before(axis);
        window.strides.push_back(geometry.stride(axis));
        window.dilations.push_back(geometry.dilation(axis) - 1);
        window.before.push_back(before);
        // As far as the last window reaches; it may also end inside the map.
        window.after.push_back(std::max<int64_t>(all - before, 0));
    }
    return window;
}

Key key(const Convolution& problem, Direction direction) {
    Key key;
    const int32_t* numbers = problem.geometry.numbers;
    key << Dims{direction, problem.biased} << problem.input << problem.output << problem.weights
        << std::vector<int32_t>(numbers, numbers + 10);
    return key;
}

Dims grouped(const Convolution& problem) {
    const int64_t groups = problem.geometry.groups();
    const Dims& weights = problem.weights;
    if (groups == 1) return weights;
    return {groups, weights[0] / groups, weights[1], weights[2], weights[3]};
}

// A primitive with the layouts of what it takes: weights come in the order of MindSpore, and it may want another.
struct Ready {
    Primitive primitive, reordering;
    Handle input, output, given, wanted, bias;
    bool reorders;

    Ready(const Convolution& problem, Direction direction)
        : input(layout(problem.input, nhwc)),
          output(layout(problem.output, nhwc)),
          given(layout(grouped(problem), problem.geometry.groups() == 1 ? oihw : goihw)),
          bias(problem.biased ? layout({problem.output[1]}, x) : nullptr) {
        const Handle free = layout(grouped(problem), any);
        const Window around = window(problem);
        Handle described = convolution_forward(input, free, bias, output, around);
        if (direction == to_the_inputs) described = convolution_backward_data(input, free, output, around, described);
        if (direction == to_the_weights)
            described = convolution_backward_weights(input, free, bias, output, around, described);
        primitive = Primitive(described);
        wanted = layout_of(described, direction == to_the_weights ? diff_weights_layout : weights_layout);
        reorders = !same(given, wanted);
        if (reorders)
            reordering = Primitive(direction == to_the_weights ? reorder(wanted, given) : reorder(given, wanted));
    }
    // Memory for the weights as the primitive wants them: `w` itself where it comes so.
    float* place(const float* w) const {
        return static_cast<float*>(reorders ? scratch(for_weights, bytes(wanted)) : const_cast<float*>(w));
    }
    float* ordered(const float* w) const {
        float* to = place(w);
        if (reorders) reordering.run({{source, given, w}, {destination, wanted, to}});
        return to;
    }
};

std::shared_ptr<const Ready> ready(const Convolution& problem, Direction direction) {
    static auto* cache = new Cache<Ready>();
    return cache->get(key(problem, direction), [&] { return Ready(problem, direction); });
}

}  // namespace

void Convolution::forward(const float* x, const float* w, const float* b, float* y) const {
    auto found = ready(*this, forwards);
    std::vector<Memory> memories{
        {source, found->input, x}, {onednn::weights, found->wanted, found->ordered(w)}, {destination, found->output, y}};
    if (biased) memories.push_back({bias, found->bias, b});
    found->primitive.run(memories);
}

void Convolution::to_inputs(const float* dy, const float* w, float* dx) const {
    auto found = ready(*this, to_the_inputs);
    found->primitive.run({{diff_destination, found->output, dy},
                          {onednn::weights, found->wanted, found->ordered(w)},
                          {diff_source, found->input, dx}});
}

void Convolution::to_weights(const float* x, const float* dy, float* dw, float* db) const {
    if (covers_whole_map(*this)) return whole_map_weights(*this, x, dy, dw);
    auto found = ready(*this, to_the_weights);
    float* place = found->place(dw);
    std::vector<Memory> memories{
        {source, found->input, x}, {diff_destination, found->output, dy}, {diff_weights, found->wanted, place}};
    if (biased) memories.push_back({diff_bias, found->bias, db});
    found->primitive.run(memories);
    if (found->reorders) found->reordering.run({{source, found->wanted, place}, {destination, found->given, dw}});
}

// x, w, geometry -> y
OPERATOR(convolution) {
    Convolution{args.image(0), args.image(3), args.shape(1), {args.data<int32_t>(2)}}.forward(
        args.data(0), args.data(1), nullptr, args.data(3));
}

// x, w, b, geometry -> y
OPERATOR(biased_convolution) {
    Convolution{args.image(0), args.image(4), args.shape(1), {args.data<int32_t>(3)}, true}.forward(
        args.data(0), args.data(1), args.data(2), args.data(4));
}

// dy, w, geometry, x -> dx; of x only the shape counts
OPERATOR(convolution_inputs) {
    Convolution{args.image(3), args.image(0), args.shape(1), {args.data<int32_t>(2)}}.to_inputs(
        args.data(0), args.data(1), args.data(4));
}

// x, dy, geometry, w -> dw; of w only the shape counts
OPERATOR(convolution_weights) {
    Convolution{args.image(0), args.image(1), args.shape(3), {args.data<int32_t>(2)}}.to_weights(
        args.data(0), args.data(1), args.data(4), nullptr);
}

// x, dy, geometry, w -> dw, db
OPERATOR(biased_convolution_weights) {
    Convolution{args.image(0), args.image(1), args.shape(3), {args.data<int32_t>(2)}, true}.to_weights(
        args.data(0), args.data(1), args.data(4), args.data(5));
}
