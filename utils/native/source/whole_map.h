// The weights' gradient of a depthwise convolution whose kernel is its whole map, for which oneDNN has no fast kernel:
// dw(c, pixel) = sum over images of x(image, pixel, c) dy(image, c).
#pragma once
#include "convolution.h"

bool covers_whole_map(const Convolution& problem);  // without bias and padding

// For a problem that `covers_whole_map`.
void whole_map_weights(const Convolution& problem, const float* x, const float* dy, float* dw);
