// The part of oneDNN's C interface, version 3, that the operators call, declared here: MindSpore's wheel brings the
// library without its headers. Names without the prefix `dnnl_`, numbers as in the library's own headers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace onednn {

using Dims = std::vector<int64_t>;

enum Tag { any = 1, x = 2, nchw = 5, oihw = 5, goihw = 6, nhwc = 22 };
enum Propagation { forward_training = 64, forward_inference = 96 };
enum Algorithm { convolution_direct = 0x1, pooling_max = 0x1ff, pooling_mean_of_inside = 0x3ff };
enum Query { weights_layout = 131, diff_weights_layout = 132, workspace_layout = 135, scratchpad_layout = 136 };
enum Argument {
    source = 1,
    destination = 17,
    weights = 33,
    bias = 41,
    workspace = 64,
    scratchpad = 80,
    diff_source = 129,
    diff_destination = 145,
    diff_weights = 161,
    diff_bias = 169
};

// The class through which the library runs loops in threads of ours. Its table of virtual functions is part of the
// library's binary interface: `open` takes only versions that were tried with it.
struct ThreadPool {
    virtual int get_num_threads() const = 0;
    virtual bool get_in_parallel() const = 0;
    virtual void parallel_for(int n, const std::function<void(int, int)>& loop) = 0;
    virtual uint64_t get_flags() const = 0;
    virtual ~ThreadPool() = default;
};

// An object of the library, destroyed with its last owner.
using Handle = std::shared_ptr<void>;

// Must be called before all others; a second call does nothing. `unlimited` lifts a limit on the instruction set that was set for another
// copy of the library in this process. Throws std::runtime_error where the library cannot be used.
void open(const char* path, bool unlimited);
int version();  // 31001 is 3.10.1
void set_concurrency(int threads);  // of the primitives that this thread makes from now on

Handle layout(const Dims& dims, Tag tag);  // of float32 numbers
bool same(const Handle& layout, const Handle& other);
size_t bytes(const Handle& layout);

struct Window {
    Dims strides, dilations, before, after;  // of height and width; a dilation of 0 is a dense kernel
};

// Descriptions of primitives. A null `bias` means none.
Handle convolution_forward(const Handle& source, const Handle& weights, const Handle& bias, const Handle& destination,
                           const Window& window);
Handle convolution_backward_data(const Handle& source, const Handle& weights, const Handle& destination,
                                 const Window& window, const Handle& forward);
Handle convolution_backward_weights(const Handle& source, const Handle& weights, const Handle& bias,
                                    const Handle& destination, const Window& window, const Handle& forward);
Handle pooling_forward(Algorithm algorithm, const Handle& source, const Handle& destination, const Window& window,
                       const Dims& kernel);
Handle pooling_backward(Algorithm algorithm, const Handle& source, const Handle& destination, const Window& window,
                        const Dims& kernel, const Handle& forward);
Handle reorder(const Handle& from, const Handle& to);

Handle layout_of(const Handle& description, Query what);
Handle primitive(const Handle& description);

struct Memory {
    Argument argument;
    Handle layout;
    const void* data;  // written to where the argument is a result
};
// In threads of `pool`; returns when it is done. One primitive may run in several threads at once.
void run(const Handle& primitive, const std::vector<Memory>& memories, ThreadPool& pool);

}  // namespace onednn
