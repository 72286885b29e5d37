// 2-D convolution of (N, H, W, C) maps with (O, C / groups, kh, kw) weights, forward and backward.
#include <algorithm>

#include "arguments.h"
#include "primitive.h"

using namespace onednn;

namespace {

// int32[10] from Python: strides, dilations, padding at top, bottom, left and right, "pad to H / stride", groups.
struct Geometry {
    const int32_t* numbers;
    int64_t stride(int axis) const { return numbers[axis]; }
    int64_t dilation(int axis) const { return numbers[2 + axis]; }
    bool same() const { return numbers[8]; }
    int64_t groups() const { return numbers[9]; }

    Window window(const Dims& input, const Dims& output, const Dims& weights) const {
        Window window;
        for (int axis = 0; axis < 2; ++axis) {
            int64_t reach = (weights[2 + axis] - 1) * dilation(axis) + 1;
            int64_t all = std::max<int64_t>((output[2 + axis] - 1) * stride(axis) + reach - input[2 + axis], 0);
            int64_t before = same() ? all / 2 : numbers[4 + 2 * axis];
            window.strides.push_back(stride(axis));
            window.dilations.push_back(dilation(axis) - 1);
            window.before.push_back(before);
            // As far as the last window reaches; it may also end inside the map.
            window.after.push_back(std::max<int64_t>(all - before, 0));
        }
        return window;
    }
};

// The maps' and weights' layouts, as they come and as the primitive wants them.
struct Problem {
    Dims input, output, weights;
    Geometry geometry;
    bool biased;

    Key key(int direction) const {
        Key key;
        const Dims kind{direction, biased};
        key << kind << input << output << weights << std::vector<int32_t>(geometry.numbers, geometry.numbers + 10);
        return key;
    }
    Dims grouped() const {
        int64_t groups = geometry.groups();
        if (groups == 1) return weights;
        return {groups, weights[0] / groups, weights[1], weights[2], weights[3]};
    }
    Handle input_layout() const { return layout(input, nhwc); }
    Handle output_layout() const { return layout(output, nhwc); }
    Handle given_weights() const { return layout(grouped(), geometry.groups() == 1 ? oihw : goihw); }
    Handle any_weights() const { return layout(grouped(), any); }
    Handle bias_layout() const { return biased ? layout({output[1]}, x) : nullptr; }
    Window window() const { return geometry.window(input, output, weights); }
    Handle forward() const {
        return convolution_forward(input_layout(), any_weights(), bias_layout(), output_layout(), window());
    }
};

struct Convolution {
    Primitive primitive, reorder_weights;
    Handle input, output, given, wanted, bias;
    bool reordered;

    Convolution(const Problem& problem, const Handle& description, Query which, bool outwards)
        : primitive(description),
          input(problem.input_layout()),
          output(problem.output_layout()),
          given(problem.given_weights()),
          wanted(layout_of(description, which)),
          bias(problem.bias_layout()),
          reordered(!same(given, wanted)) {
        if (reordered) reorder_weights = Primitive(outwards ? reorder(wanted, given) : reorder(given, wanted));
    }
    // The weights in the layout that the primitive wants.
    void* inwards(float* weights) const {
        if (!reordered) return weights;
        void* place = scratch(for_weights, bytes(wanted));
        reorder_weights.run({{source, given, weights}, {destination, wanted, place}});
        return place;
    }
};

Cache<Convolution>& cache() {
    static auto* only = new Cache<Convolution>();
    return *only;
}

void forward(const Arguments& args, bool biased) {
    int attributes = biased ? 3 : 2, result = attributes + 1;
    Problem problem{args.image(0), args.image(result), args.shape(1), {args.data<int32_t>(attributes)}, biased};
    auto found = cache().get(problem.key(0), [&] {
        return Convolution(problem, problem.forward(), weights_layout, false);
    });
    std::vector<Memory> memories{{source, found->input, args.data(0)},
                                 {weights, found->wanted, found->inwards(args.data(1))},
                                 {destination, found->output, args.data(result)}};
    if (biased) memories.push_back({bias, found->bias, args.data(2)});
    found->primitive.run(memories);
}

void backward_weights(const Arguments& args, bool biased) {
    // x, dy, attributes, w -> dw, and db
    Problem problem{args.image(0), args.image(1), args.shape(3), {args.data<int32_t>(2)}, biased};
    auto found = cache().get(problem.key(2), [&] {
        auto description =
            convolution_backward_weights(problem.input_layout(), problem.any_weights(), problem.bias_layout(),
                                         problem.output_layout(), problem.window(), problem.forward());
        return Convolution(problem, description, diff_weights_layout, true);
    });
    void* place = found->reordered ? scratch(for_weights, bytes(found->wanted)) : args.data(4);
    std::vector<Memory> memories{{source, found->input, args.data(0)},
                                 {diff_destination, found->output, args.data(1)},
                                 {diff_weights, found->wanted, place}};
    if (biased) memories.push_back({diff_bias, found->bias, args.data(5)});
    found->primitive.run(memories);
    if (found->reordered)
        found->reorder_weights.run({{source, found->wanted, place}, {destination, found->given, args.data(4)}});
}

}  // namespace

// x, w, attributes -> y
OPERATOR(convolution) { forward(args, false); }

// x, w, b, attributes -> y
OPERATOR(biased_convolution) { forward(args, true); }

// dy, w, attributes, x -> dx; of x only the shape counts
OPERATOR(convolution_inputs) {
    Problem problem{args.image(3), args.image(0), args.shape(1), {args.data<int32_t>(2)}, false};
    auto found = cache().get(problem.key(1), [&] {
        auto description = convolution_backward_data(problem.input_layout(), problem.any_weights(),
                                                     problem.output_layout(), problem.window(), problem.forward());
        return Convolution(problem, description, weights_layout, false);
    });
    found->primitive.run({{diff_destination, found->output, args.data(0)},
                          {weights, found->wanted, found->inwards(args.data(1))},
                          {diff_source, found->input, args.data(4)}});
}

// x, dy, attributes, w -> dw; of w only the shape counts
OPERATOR(convolution_weights) { backward_weights(args, false); }

// x, dy, attributes, w -> dw, db
OPERATOR(biased_convolution_weights) { backward_weights(args, true); }
