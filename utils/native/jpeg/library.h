#pragma once

#include <csetjmp>

#include "libjpeg.h"

// An error manager that leaves to `place` instead of ending the process, and says nothing.
struct Errors : libjpeg::ErrorManager {
  std::jmp_buf place;
};

// The functions of the libjpeg that was opened.
const libjpeg::Functions& libjpeg_functions();

// Makes `errors` ready for a decoder.
libjpeg::ErrorManager* quiet(const libjpeg::Functions& functions, Errors& errors);
