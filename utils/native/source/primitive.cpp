#include "primitive.h"

#include <cstdlib>
#include <new>

#include "pool.h"

namespace {

constexpr size_t alignment = 64;

struct Block {
    void* data = nullptr;
    size_t size = 0;
    ~Block() { std::free(data); }
};

}  // namespace

Primitive::Primitive(const onednn::Handle& description)
    : primitive(onednn::primitive(description)),
      scratchpad(onednn::layout_of(description, onednn::scratchpad_layout)) {}

void Primitive::run(std::vector<onednn::Memory> memories) const {
    size_t wanted = scratchpad ? onednn::bytes(scratchpad) : 0;
    if (wanted) memories.push_back({onednn::scratchpad, scratchpad, scratch(for_scratchpad, wanted)});
    onednn::run(primitive, memories, pool());
}

void* scratch(Purpose purpose, size_t bytes) {
    thread_local Block blocks[purposes];
    Block& block = blocks[purpose];
    if (block.size < bytes) {
        std::free(block.data);
        block.size = (bytes + alignment - 1) / alignment * alignment;
        block.data = std::aligned_alloc(alignment, block.size);
        if (!block.data) {
            block.size = 0;
            throw std::bad_alloc();
        }
    }
    return block.data;
}

void expect_pool() { onednn::set_concurrency(pool().get_num_threads()); }
