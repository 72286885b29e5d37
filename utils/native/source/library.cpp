// What Python calls before the first operator, by ctypes.
#include <cstring>
#include <exception>

#include "arguments.h"
#include "onednn.h"
#include "pool.h"

// Opens oneDNN; 0 if it can be used, else 1 and a sentence in `reason`.
EXPORTED int open_library(const char* onednn_path, int unlimited, int threads, char* reason, size_t room) {
    try {
        onednn::open(onednn_path, unlimited);
        set_threads(threads);
        return 0;
    } catch (const std::exception& error) {
        std::strncpy(reason, error.what(), room - 1);
        reason[room - 1] = 0;
        return 1;
    }
}

EXPORTED int onednn_version() { return onednn::version(); }
