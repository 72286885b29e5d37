// Opens a libjpeg, and makes sure that it is of the interface that we declare.

#include "library.h"

#include <dlfcn.h>

#include <cstdio>

namespace {

libjpeg::Functions opened;

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, libjpeg::Functions& functions) {
  return find(library, "jpeg_std_error", functions.standard_errors) &&
         find(library, "jpeg_CreateDecompress", functions.create_decoder) &&
         find(library, "jpeg_destroy_decompress", functions.destroy) &&
         find(library, "jpeg_mem_src", functions.read_memory) &&
         find(library, "jpeg_read_header", functions.read_header) &&
         find(library, "jpeg_start_decompress", functions.start) &&
         find(library, "jpeg_crop_scanline", functions.crop) &&
         find(library, "jpeg_skip_scanlines", functions.skip) &&
         find(library, "jpeg_read_scanlines", functions.read);
}

// Whether the library takes a Decoder of our layout for its own.
bool fits(const libjpeg::Functions& functions, libjpeg::Decoder& decoder, Errors& errors) {
  decoder.errors = quiet(functions, errors);
  if (setjmp(errors.place)) return false;
  functions.create_decoder(&decoder, libjpeg::kInterface, sizeof(libjpeg::Decoder));
  functions.destroy(&decoder);
  return true;
}

[[noreturn]] void leave(libjpeg::Decoder* decoder) { std::longjmp(static_cast<Errors*>(decoder->errors)->place, 1); }

void count(libjpeg::Decoder* decoder, int level) {
  if (level < 0) ++decoder->errors->warnings;
}

void say_nothing(libjpeg::Decoder*) {}

}  // namespace

const libjpeg::Functions& libjpeg_functions() { return opened; }

libjpeg::ErrorManager* quiet(const libjpeg::Functions& functions, Errors& errors) {
  functions.standard_errors(&errors);
  errors.exit = leave;
  errors.emit = count;
  errors.output = say_nothing;
  return &errors;
}

// 0, or 1 with the end of a sentence in `reason`.
extern "C" __attribute__((visibility("default"))) int open_libjpeg(const char* path, char* reason, size_t size) {
  void* library = dlopen(path, RTLD_NOW);
  libjpeg::Functions functions{};
  libjpeg::Decoder decoder{};
  Errors errors{};
  const char* fault = nullptr;
  if (!library) {
    fault = "cannot be loaded";
  } else if (!find_all(library, functions)) {
    fault = "does not decode parts of pictures";
  } else if (!fits(functions, decoder, errors)) {
    fault = "has another interface than that of libjpeg 6b";
  } else {
    opened = functions;
  }
  if (fault) std::snprintf(reason, size, "%s %s", path, fault);
  return fault != nullptr;
}
