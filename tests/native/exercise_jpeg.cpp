// Decodes parts of a picture, whole and cut off, for a build with sanitizers: they find what reads or writes beyond its memory.
//     exercise_jpeg PATH_OF_LIBJPEG PICTURE WIDTH HEIGHT
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

extern "C" {
int open_libjpeg(const char*, char*, size_t);
int decode_part(const unsigned char*, size_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, unsigned char*);
}

// Of exactly its size, so that a byte too many is found.
int decode(const std::vector<char>& file, size_t bytes, uint32_t width, uint32_t height, uint32_t x, uint32_t y) {
    const std::unique_ptr<unsigned char[]> content(new unsigned char[bytes]);
    for (size_t i = 0; i < bytes; ++i) content[i] = file[i];
    const uint32_t part_width = width - x, part_height = height - y;
    const std::unique_ptr<unsigned char[]> pixels(new unsigned char[size_t{3} * part_width * part_height]);
    return decode_part(content.get(), bytes, width, height, x, y, part_width, part_height, pixels.get());
}

void decode_all(const std::vector<char>& file, uint32_t width, uint32_t height, int& failed) {
    for (uint32_t x = 0; x < width; x += 7)
        for (uint32_t y = 0; y < height; y += 5) failed += decode(file, file.size(), width, height, x, y);
    for (size_t bytes = 0; bytes < file.size(); bytes += 97) decode(file, bytes, width, height, 0, 0);
    failed += !decode(file, file.size(), width + 1, height, 0, 0);
}

int main(int, char** words) {
    char reason[500];
    if (open_libjpeg(words[1], reason, sizeof reason)) return std::puts(reason), 1;
    if (!open_libjpeg("no such file", reason, sizeof reason)) return 1;
    std::ifstream stream(words[2], std::ios::binary);
    const std::vector<char> file{std::istreambuf_iterator<char>(stream), {}};
    const uint32_t width = std::atoi(words[3]), height = std::atoi(words[4]);
    int here = 0, there = 0;
    std::thread other(decode_all, std::cref(file), width, height, std::ref(there));
    decode_all(file, width, height, here);
    other.join();
    std::puts(here + there ? "failed" : "done");
}
