// Decodes a part of a picture, with the pixels that the whole picture has there.

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "library.h"

namespace {

// Colours are mixed from those of the pixels on both sides.
constexpr uint32_t kNeighbours = 1;
// By how much libjpeg may widen a part, so that it begins and ends with a block; a block has up to 32 pixels.
constexpr uint32_t kWidened = 64;
constexpr size_t kChannels = 3;

struct Part {
  const unsigned char* content;
  size_t bytes;
  uint32_t picture_width, picture_height;  // what the caller knows of it
  uint32_t x, y, width, height;
  unsigned char* pixels;  // (height, width, 3)
};

bool decodes(const libjpeg::Decoder& decoder, const Part& part) {
  const bool known = decoder.stored_colors == libjpeg::kYcc || decoder.stored_colors == libjpeg::kGrey;
  return known && decoder.width == part.picture_width && decoder.height == part.picture_height;
}

// Nothing in here may need a destructor: an error of libjpeg leaves by longjmp.
bool read_rows(libjpeg::Decoder& decoder, Errors& errors, const Part& part, unsigned char* row) {
  const libjpeg::Functions& jpeg = libjpeg_functions();
  if (setjmp(errors.place)) return false;
  jpeg.create_decoder(&decoder, libjpeg::kInterface, sizeof decoder);
  jpeg.read_memory(&decoder, part.content, part.bytes);
  jpeg.read_header(&decoder, 1);
  if (!decodes(decoder, part)) return false;
  decoder.colors = libjpeg::kRgb;
  decoder.transform = libjpeg::kSlowInteger;
  jpeg.start(&decoder);
  uint32_t first = part.x - std::min<uint32_t>(part.x, kNeighbours);
  uint32_t columns = std::min<uint32_t>(part.x + part.width + kNeighbours, decoder.width) - first;
  jpeg.crop(&decoder, &first, &columns);
  if (columns > part.width + kWidened) return false;
  if (part.y) jpeg.skip(&decoder, part.y);
  const size_t before = (part.x - first) * kChannels;
  const size_t wanted = part.width * kChannels;
  for (uint32_t y = 0; y < part.height; ++y) {
    if (jpeg.read(&decoder, &row, 1) != 1) return false;
    std::memcpy(part.pixels + y * wanted, row + before, wanted);
  }
  return errors.warnings == 0;
}

}  // namespace

// 0, or 1 for a picture that another decoder has to read: damaged, of other colours, or of another size than is said.
extern "C" __attribute__((visibility("default"))) int decode_part(const unsigned char* content, size_t bytes,
                                                                  uint32_t picture_width, uint32_t picture_height,
                                                                  uint32_t x, uint32_t y, uint32_t width,
                                                                  uint32_t height, unsigned char* pixels) {
  const Part part{content, bytes, picture_width, picture_height, x, y, width, height, pixels};
  const size_t row = (width + kWidened) * kChannels;
  const std::unique_ptr<unsigned char[]> scratch(new (std::nothrow) unsigned char[row]);
  if (!scratch) return 1;
  libjpeg::Decoder decoder{};
  Errors errors{};
  decoder.errors = quiet(libjpeg_functions(), errors);
  const bool read = read_rows(decoder, errors, part, scratch.get());
  libjpeg_functions().destroy(&decoder);  // which frees only, and cannot fail
  return !read;
}
