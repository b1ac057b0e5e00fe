// F32 matrices in the device's layout (formats.cuh), for tests of kernels that read them.
#pragma once
#include <vector>

#include "../../../runtime/kernels/formats.cuh"

namespace realizar::test {

// Writes columns first_col.. of R rows of a matrix as the tile of Units units that starts at `tile`.
template <int R, int Units>
void pack_tile(const std::vector<float>& matrix, int rows, int cols, int first_row, int first_col, float* tile) {
  for (int r = 0; r < R && first_row + r < rows; r++)
    for (int i = 0; i < Units * 32 && first_col + i < cols; i++)
      tile[4 * (i % 32 / 4 * R * Units + r * Units + i / 32) + i % 4] =
          matrix[size_t(first_row + r) * cols + first_col + i];
}

}  // namespace realizar::test
