// What tiles and products of tensor cores are on the host: the whole matrices, whatever lane has which part.
#include "../../../runtime/kernels/matrix.cuh"

#include <vector>

#include "harness.h"

namespace realizar {
namespace {

using test::TestDevice;

struct Args {
  const uint16_t* in;  // a: 16 x 16, then b: 16 x 8, by rows
  float* out;          // a b, by rows; then the same with b's columns in tiles that are turned
};

void product_body(const Args& a) {
  const int lane = thread_index() % 32, g = lane / 4, t = lane % 4 * 2;
  auto* shared = (uint16_t*)shared_memory();
  uint16_t *left = shared, *right = shared + 256, *turned = right + 128;
  for (int i = lane; i < 256; i += 32) left[i] = a.in[i];
  // Tiles of b are read by its columns, or turned by its rows.
  for (int i = lane; i < 128; i += 32) right[i % 8 * 16 + i / 8] = turned[i] = a.in[256 + i];
  warp_sync();
  // Tile by tile: the order of a's registers is rows 0, 8, 0, 8 at columns 0, 0, 8, 8.
  uint32_t tiles[4], columns[4], rows[4];
  load_tiles(left + (lane / 8 % 2 * 8 + lane % 8) * 16 + lane / 16 * 8, tiles);
  load_tiles(right + lane % 8 * 16 + lane / 8 % 2 * 8, columns);  // tiles 2 and 3 repeat 0 and 1
  load_tiles_transposed(turned + (lane / 8 % 2 * 8 + lane % 8) * 8, rows);
  float sums[2][4] = {};
  multiply_add(sums[0], tiles, columns[0], columns[1]);
  multiply_add(sums[1], tiles, rows[0], rows[1]);
  multiply_add(sums[1], tiles, rows[2], rows[3]);  // twice
  for (int k = 0; k < 4; k++) {
    const int at = (g + k / 2 * 8) * 8 + t + k % 2;
    a.out[at] = sums[0][k], a.out[128 + at] = sums[1][k];
  }
}
REALIZAR_KERNEL(product, 32, 1, Args, product_body)
const HostKernel kernels[] = {{"product", product, sizeof(Args)}, {}};

CASE(products_of_tiles) {
  TestDevice device(kernels);
  std::vector<uint16_t> in;
  std::vector<float> values;
  for (int i = 0; i < 384; i++) {
    values.push_back(float(i * 7 % 61 - 30) / 4);  // sums of products are exact
    in.push_back(float_to_half(values.back()));
  }
  const Args args{device.upload(in), device.allocate<float>(256)};
  for (uint32_t seed : {0u, 1u, 2u, 3u}) {
    set_execution_order(seed);
    device.expect(device.launch("product", 1, 32, 1024, args).result);
    const auto out = device.download(args.out, 256);
    for (size_t row = 0; row < 16; row++)
      for (size_t column = 0; column < 8; column++) {
        float sum = 0;
        for (size_t k = 0; k < 16; k++) sum += values[row * 16 + k] * values[256 + k * 8 + column];
        EXPECT_EQ(out[row * 8 + column], sum);
        EXPECT_EQ(out[128 + row * 8 + column], 2 * sum);
      }
  }
}

}  // namespace
}  // namespace realizar
