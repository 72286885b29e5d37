// Primitives of oneDNN that are ready to run, kept from one call to the next.
#pragma once
#include <cstring>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "onednn.h"

// A primitive, and how much memory it wants beside its arguments.
struct Primitive {
    onednn::Handle primitive, scratchpad;

    Primitive() = default;
    explicit Primitive(const onednn::Handle& description);
    void run(std::vector<onednn::Memory> memories) const;
};

// Memory of this thread's own, at least so large; what was in it is lost. Aligned to 64 bytes.
enum Purpose { for_scratchpad, for_weights, for_map, for_inner_map, for_wide_map, for_gradients, purposes };
void* scratch(Purpose purpose, size_t bytes);

// As many threads as the pool has are what primitives are made for.
void expect_pool();

// Which primitive: all numbers that it depends on.
class Key {
public:
    template <class Numbers>
    Key& operator<<(const Numbers& numbers) {
        for (auto number : numbers) {
            auto wide = int64_t(number);
            text_.append(reinterpret_cast<const char*>(&wide), sizeof wide);
        }
        text_ += '|';
        return *this;
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

// Keeps the `bound` entries that were used last. Entries are never changed, so one may be used by several threads.
template <class Entry>
class Cache {
public:
    explicit Cache(size_t bound = 1024) : bound_(bound) {}

    template <class Make>
    std::shared_ptr<const Entry> get(const Key& key, const Make& make) {
        std::lock_guard<std::mutex> guard(mutex_);
        auto found = places_.find(key.text());
        if (found == places_.end()) {
            expect_pool();
            entries_.emplace_front(key.text(), std::make_shared<const Entry>(make()));
            places_[key.text()] = entries_.begin();
            if (entries_.size() > bound_) {
                places_.erase(entries_.back().first);
                entries_.pop_back();
            }
        } else if (found->second != entries_.begin()) {
            entries_.splice(entries_.begin(), entries_, found->second);
        }
        return entries_.front().second;
    }

private:
    using Entries = std::list<std::pair<std::string, std::shared_ptr<const Entry>>>;
    size_t bound_;
    std::mutex mutex_;
    Entries entries_;
    std::unordered_map<std::string, typename Entries::iterator> places_;
};
