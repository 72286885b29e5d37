#include "pool.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

int wanted_threads = 1;
thread_local bool in_parallel = false;

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Idle threads wait actively for some 50 microseconds, which is the time between two operators, and then sleep.
constexpr int active_waits = 4000;

class Pool : public onednn::ThreadPool {
public:
    explicit Pool(int threads) : threads_(threads) {
        for (int i = 1; i < threads; ++i) std::thread([this] { serve(); }).detach();
    }
    int get_num_threads() const override { return threads_; }
    bool get_in_parallel() const override { return in_parallel; }
    uint64_t get_flags() const override { return 0; }

    void parallel_for(int n, const std::function<void(int, int)>& loop) override {
        // While another thread of the caller's has the pool, this one does its loop alone.
        std::unique_lock<std::mutex> mine(one_at_a_time_, std::defer_lock);
        if (n == 1 || threads_ == 1 || in_parallel || !mine.try_lock()) {
            for (int i = 0; i < n; ++i) loop(i, n);
            return;
        }
        loop_ = &loop;
        total_ = n;
        next_.store(0, std::memory_order_relaxed);
        finished_.store(0, std::memory_order_relaxed);
        {
            std::lock_guard<std::mutex> guard(sleep_);
            round_.fetch_add(1, std::memory_order_release);
        }
        if (sleepers_.load()) wake_.notify_all();
        work();
        while (finished_.load(std::memory_order_acquire) < threads_) std::this_thread::yield();
    }

private:
    void work() {
        in_parallel = true;
        for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < total_;) (*loop_)(i, total_);
        in_parallel = false;
        finished_.fetch_add(1, std::memory_order_release);
    }

    void serve() {
        for (unsigned seen = 0;; ++seen) {
            for (int i = 0; round_.load(std::memory_order_acquire) == seen && i < active_waits; ++i) pause();
            if (round_.load(std::memory_order_acquire) == seen) {
                std::unique_lock<std::mutex> guard(sleep_);
                ++sleepers_;
                wake_.wait(guard, [&] { return round_.load() != seen; });
                --sleepers_;
            }
            work();
        }
    }

    const int threads_;
    const std::function<void(int, int)>* loop_ = nullptr;
    int total_ = 0;
    std::atomic<int> next_{0}, finished_{0}, sleepers_{0};
    std::atomic<unsigned> round_{0};
    std::mutex one_at_a_time_, sleep_;
    std::condition_variable wake_;
};

}  // namespace

void set_threads(int number) { wanted_threads = number < 1 ? 1 : number; }

onednn::ThreadPool& pool() {
    // Never destroyed: its threads may still run when the process ends.
    static Pool* only = new Pool(wanted_threads);
    return *only;
}

void parallel(int64_t n, const std::function<void(int64_t)>& loop) {
    pool().parallel_for(int(n), [&](int i, int) { loop(i); });
}
