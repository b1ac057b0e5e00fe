// The tiny model's kernels, for the host driver.
#pragma once
#include "../../runtime/driver/host.h"

namespace tiny {
extern const realizar::HostKernel kernels[];
}
