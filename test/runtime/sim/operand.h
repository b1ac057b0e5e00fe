// The operand form (runtime/kernels/operand.cuh) as the rows and columns that it stands for.
#pragma once
#include <vector>

#include "../../../runtime/kernels/operand.cuh"

namespace realizar::test {

inline double operand_value(const std::vector<uint16_t>& halves, const std::vector<float>& scale, int row, int col,
                            int rows) {
  return double(half_to_float(halves[size_t(operand_offset(row, col, rows))])) * scale[size_t(row)];
}

}  // namespace realizar::test
