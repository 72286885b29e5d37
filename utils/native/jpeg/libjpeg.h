// The part of libjpeg that is used, declared by us: it is in every Pillow, and its headers are on few machines.
//
// Only the binary interface of version 6b is declared (libjpeg-turbo's default), for processors of 64 bits. A library of another
// one refuses `create_decoder`, to which it is told which version and how large a Decoder the caller expects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace libjpeg {

constexpr int kInterface = 62;
constexpr int kGrey = 1, kRgb = 2, kYcc = 3;  // colour spaces
constexpr int kSlowInteger = 0;               // the exact transform, which MindSpore takes too

struct Decoder;

struct ErrorManager {
  void (*exit)(Decoder*);
  void (*emit)(Decoder*, int level);  // below 0: the data is damaged
  void (*output)(Decoder*);
  void (*format)(Decoder*, char*);
  void (*reset)(Decoder*);
  int code;
  char parameters[80];
  int trace_level;
  long warnings;
  const char* const* messages;
  int last_message;
  const char* const* more_messages;
  int first_more_message, last_more_message;
};

struct Decoder {
  ErrorManager* errors;
  void* memory;
  void* progress;
  void* client;
  int is_decoder, state;
  void* source;
  uint32_t width, height;
  int components, stored_colors, colors;
  uint32_t scale_numerator, scale_denominator;
  double gamma;
  int buffered, raw, transform, smooth_upsampling, smooth_blocks, few_colors;
  char others[632 - 112];
};
static_assert(offsetof(Decoder, source) == 40 && offsetof(Decoder, gamma) == 80 && sizeof(Decoder) == 632,
              "not the layout of libjpeg's version 6b");

struct Functions {
  ErrorManager* (*standard_errors)(ErrorManager*);
  void (*create_decoder)(Decoder*, int interface, size_t size);
  void (*destroy)(Decoder*);
  void (*read_memory)(Decoder*, const unsigned char*, unsigned long size);
  int (*read_header)(Decoder*, int require_image);
  int (*start)(Decoder*);
  void (*crop)(Decoder*, uint32_t* first_column, uint32_t* columns);
  uint32_t (*skip)(Decoder*, uint32_t rows);
  uint32_t (*read)(Decoder*, unsigned char** rows, uint32_t count);
};

}  // namespace libjpeg
