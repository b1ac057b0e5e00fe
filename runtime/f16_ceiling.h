// A kernel that only multiplies halves: what the device's tensor cores can do at most.
#pragma once
#include "model.h"

namespace realizar {

// Floating-point operations/s of such products: the best of several repetitions of some milliseconds each.
double measure_f16_ceiling(const Model& model);

}  // namespace realizar
