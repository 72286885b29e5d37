#include "onednn.h"

#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace onednn {
namespace {

constexpr int float32 = 3, cpu = 1, every_instruction = 0, user_scratchpad = 1;
// Versions whose interface, the thread pool's above all, was tried.
constexpr int lowest_version = 30900, highest_version = 31099;

// MindSpore has a library of the same names in the process. Sanitizers refuse such a binding.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int bound_to_itself = 0;
#else
constexpr int bound_to_itself = RTLD_DEEPBIND;
#endif

struct Version {
    int major, minor, patch;
};
struct ExecutionArgument {
    int index;
    void* memory;
};

void* library = nullptr;
void* engine = nullptr;
void* with_own_scratchpad = nullptr;  // attributes of every primitive

void* symbol(const std::string& name) {
    void* found = dlsym(library, ("dnnl_" + name).c_str());
    if (!found) throw std::runtime_error("oneDNN has no function dnnl_" + name);
    return found;
}

void check(int status, const char* name) {
    if (status) throw std::runtime_error(std::string("oneDNN's ") + name + " gave status " + std::to_string(status));
}

template <class... Arguments>
void call(const char* name, Arguments... arguments) {
    check(reinterpret_cast<int (*)(Arguments...)>(symbol(name))(arguments...), name);
}

Handle owned(void* object, const char* destroy) {
    auto end = reinterpret_cast<int (*)(void*)>(symbol(destroy));
    return Handle(object, [end](void* it) { end(it); });
}

Handle description(void* object) { return owned(object, "primitive_desc_destroy"); }

void* stream(ThreadPool& pool) {
    thread_local Handle mine;
    if (!mine) {
        void* made = nullptr;
        call("threadpool_interop_stream_create", &made, engine, static_cast<void*>(&pool));
        mine = owned(made, "stream_destroy");
    }
    return mine.get();
}

}  // namespace

void open(const char* path, bool unlimited) {
    if (engine) return;  // what was made with it stays of use
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL | bound_to_itself);
    if (!library) throw std::runtime_error(dlerror());
    if (version() < lowest_version || version() > highest_version)
        throw std::runtime_error("oneDNN " + std::to_string(version()) + " was not tried; wanted 3.9 or 3.10");
    if (unlimited) call("set_max_cpu_isa", every_instruction);
    call("engine_create", &engine, cpu, size_t{0});
    call("primitive_attr_create", &with_own_scratchpad);
    call("primitive_attr_set_scratchpad_mode", with_own_scratchpad, user_scratchpad);
}

int version() {
    auto* found = reinterpret_cast<const Version* (*)()>(symbol("version"))();
    return 10000 * found->major + 100 * found->minor + found->patch;
}

void set_concurrency(int threads) { call("threadpool_interop_set_max_concurrency", threads); }

Handle layout(const Dims& dims, Tag tag) {
    void* made = nullptr;
    call("memory_desc_create_with_tag", &made, int(dims.size()), dims.data(), float32, int(tag));
    return owned(made, "memory_desc_destroy");
}

bool same(const Handle& layout, const Handle& other) {
    auto equal = reinterpret_cast<int (*)(const void*, const void*)>(symbol("memory_desc_equal"));
    return equal(layout.get(), other.get());
}

size_t bytes(const Handle& layout) {
    return reinterpret_cast<size_t (*)(const void*)>(symbol("memory_desc_get_size"))(layout.get());
}

Handle convolution_forward(const Handle& source, const Handle& weights, const Handle& bias, const Handle& destination,
                           const Window& window) {
    void* made = nullptr;
    call("convolution_forward_primitive_desc_create", &made, engine, int(forward_training), int(convolution_direct),
         source.get(), weights.get(), bias.get(), destination.get(), window.strides.data(), window.dilations.data(),
         window.before.data(), window.after.data(), with_own_scratchpad);
    return description(made);
}

Handle convolution_backward_data(const Handle& source, const Handle& weights, const Handle& destination,
                                 const Window& window, const Handle& forward) {
    void* made = nullptr;
    call("convolution_backward_data_primitive_desc_create", &made, engine, int(convolution_direct), source.get(),
         weights.get(), destination.get(), window.strides.data(), window.dilations.data(), window.before.data(),
         window.after.data(), forward.get(), with_own_scratchpad);
    return description(made);
}

Handle convolution_backward_weights(const Handle& source, const Handle& weights, const Handle& bias,
                                    const Handle& destination, const Window& window, const Handle& forward) {
    void* made = nullptr;
    call("convolution_backward_weights_primitive_desc_create", &made, engine, int(convolution_direct), source.get(),
         weights.get(), bias.get(), destination.get(), window.strides.data(), window.dilations.data(),
         window.before.data(), window.after.data(), forward.get(), with_own_scratchpad);
    return description(made);
}

Handle pooling_forward(Algorithm algorithm, const Handle& source, const Handle& destination, const Window& window,
                       const Dims& kernel) {
    void* made = nullptr;
    call("pooling_forward_primitive_desc_create", &made, engine, int(forward_training), int(algorithm), source.get(),
         destination.get(), window.strides.data(), kernel.data(), window.dilations.data(), window.before.data(),
         window.after.data(), with_own_scratchpad);
    return description(made);
}

Handle pooling_backward(Algorithm algorithm, const Handle& source, const Handle& destination, const Window& window,
                        const Dims& kernel, const Handle& forward) {
    void* made = nullptr;
    call("pooling_backward_primitive_desc_create", &made, engine, int(algorithm), source.get(), destination.get(),
         window.strides.data(), kernel.data(), window.dilations.data(), window.before.data(), window.after.data(),
         forward.get(), with_own_scratchpad);
    return description(made);
}

Handle reorder(const Handle& from, const Handle& to) {
    void* made = nullptr;
    call("reorder_primitive_desc_create", &made, from.get(), engine, to.get(), engine, with_own_scratchpad);
    return description(made);
}

Handle layout_of(const Handle& description, Query what) {
    auto query = reinterpret_cast<const void* (*)(const void*, int, int)>(symbol("primitive_desc_query_md"));
    const void* found = query(description.get(), int(what), 0);
    if (!found) return nullptr;
    void* copy = nullptr;
    call("memory_desc_clone", &copy, found);
    return owned(copy, "memory_desc_destroy");
}

Handle primitive(const Handle& description) {
    void* made = nullptr;
    call("primitive_create", &made, description.get());
    return owned(made, "primitive_destroy");
}

void run(const Handle& primitive, const std::vector<Memory>& memories, ThreadPool& pool) {
    static const auto create =
        reinterpret_cast<int (*)(void**, const void*, void*, void*)>(symbol("memory_create"));
    static const auto destroy = reinterpret_cast<int (*)(void*)>(symbol("memory_destroy"));
    static const auto execute =
        reinterpret_cast<int (*)(void*, void*, int, const ExecutionArgument*)>(symbol("primitive_execute"));
    std::vector<std::unique_ptr<void, int (*)(void*)>> alive;
    std::vector<ExecutionArgument> arguments;
    for (const auto& memory : memories) {
        void* made = nullptr;
        check(create(&made, memory.layout.get(), engine, const_cast<void*>(memory.data)), "memory_create");
        alive.emplace_back(made, destroy);
        arguments.push_back({int(memory.argument), made});
    }
    check(execute(primitive.get(), stream(pool), int(arguments.size()), arguments.data()), "primitive_execute");
}

}  // namespace onednn
