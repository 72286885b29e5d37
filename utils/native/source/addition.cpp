// The sum of two maps, which MindSpore would add in one thread.
#include <algorithm>

#include "arguments.h"
#include "pool.h"

// x, y -> x + y
OPERATOR(addition) {
    constexpr int64_t piece = 65536;
    const int64_t size = args.size(0);
    const float *x = args.data(0), *y = args.data(1);
    float* sum = args.data(2);
    parallel((size + piece - 1) / piece, [&](int64_t number) {
        const int64_t end = std::min(size, (number + 1) * piece);
        for (int64_t i = number * piece; i < end; ++i) sum[i] = x[i] + y[i];
    });
}
