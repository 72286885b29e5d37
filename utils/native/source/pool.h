// The threads that the operators' loops run in.
#pragma once
#include "onednn.h"

// With as many threads as `set_threads` said, the caller's among them.
onednn::ThreadPool& pool();

// Takes effect before the first use of `pool`.
void set_threads(int number);

// loop(i) for i = 0 ... n - 1, in the pool's threads. What a loop computes must not depend on the thread.
void parallel(int64_t n, const std::function<void(int64_t)>& loop);
