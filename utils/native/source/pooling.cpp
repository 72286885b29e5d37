// Maximum and mean over windows of (N, H, W, C) maps, forward and backward.
#include <algorithm>

#include "arguments.h"
#include "primitive.h"

using namespace onednn;

namespace {

// int32[8] from Python: kernel, strides, padding at top and left, "pad to H / stride", "mean".
struct Problem {
    Dims input, output;
    const int32_t* numbers;

    bool mean() const { return numbers[7]; }
    Algorithm algorithm() const { return mean() ? pooling_mean_of_inside : pooling_max; }
    Dims kernel() const { return {numbers[0], numbers[1]}; }
    Key key(int direction) const {
        Key key;
        key << Dims{direction} << input << output << std::vector<int32_t>(numbers, numbers + 8);
        return key;
    }
    Window window() const {
        Window window{{numbers[2], numbers[3]}, {0, 0}, {}, {}};
        for (int axis = 0; axis < 2; ++axis) {
            int64_t reach = (output[2 + axis] - 1) * numbers[2 + axis] + numbers[axis] - input[2 + axis];
            int64_t before = numbers[6] ? std::max<int64_t>(reach, 0) / 2 : numbers[4 + axis];
            window.before.push_back(before);
            window.after.push_back(std::max<int64_t>(reach - before, 0));
        }
        return window;
    }
    Handle input_layout() const { return layout(input, nhwc); }
    Handle output_layout() const { return layout(output, nhwc); }
    Handle forward() const {
        return pooling_forward(algorithm(), input_layout(), output_layout(), window(), kernel());
    }
};

struct Pooling {
    Primitive primitive;
    Handle input, output, where;

    Pooling(const Problem& problem, const Handle& description)
        : primitive(description),
          input(problem.input_layout()),
          output(problem.output_layout()),
          where(problem.mean() ? nullptr : layout_of(description, workspace_layout)) {}
};

Cache<Pooling>& cache() {
    static auto* only = new Cache<Pooling>();
    return *only;
}

}  // namespace

// x, attributes -> y, where each maximum was found (uint8, y's shape; not used for means)
OPERATOR(pooling) {
    Problem problem{args.image(0), args.image(2), args.data<int32_t>(1)};
    auto found = cache().get(problem.key(0), [&] { return Pooling(problem, problem.forward()); });
    std::vector<Memory> memories{{source, found->input, args.data(0)}, {destination, found->output, args.data(2)}};
    if (found->where) memories.push_back({workspace, found->where, args.data(3)});
    found->primitive.run(memories);
}

// dy, where, attributes, x -> dx; of x only the shape counts
OPERATOR(pooling_inputs) {
    Problem problem{args.image(3), args.image(0), args.data<int32_t>(2)};
    auto found = cache().get(problem.key(1), [&] {
        return Pooling(problem, pooling_backward(problem.algorithm(), problem.input_layout(), problem.output_layout(),
                                                 problem.window(), problem.kernel(), problem.forward()));
    });
    std::vector<Memory> memories{{diff_destination, found->output, args.data(0)},
                                 {diff_source, found->input, args.data(4)}};
    if (found->where) memories.push_back({workspace, found->where, args.data(1)});
    found->primitive.run(memories);
}
