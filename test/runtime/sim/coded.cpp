// What the codes of a table decode to: each in each place, beside others.
#include "../../../runtime/kernels/coded.cuh"

#include "harness.h"

namespace realizar {
namespace {

template <CodeTable Table>
void expect_numbers() {
  using Quants = CodeQuants<Table>;
  for (uint32_t codes : {0x76543210u, 0xfedcba98u, 0x084c2a6eu, 0xf0f0f0f0u})
    for (uint32_t turn = 0; turn < 16; turn++) {
      const uint32_t eight = codes ^ 0x11111111u * turn;
      uint32_t words[2];
      decode_codes<Quants>(eight, words[0], words[1]);
      for (int i = 0; i < 8; i++) {
        const int number = (int8_t)(Table.word[(eight >> 4 * i & 15) / 4] >> (eight >> 4 * i & 3) * 8);
        EXPECT_EQ((int8_t)(words[i / 4] >> i % 4 * 8) - Quants::offset, number);
      }
    }
}

CASE(codes_decode_to_the_numbers_of_their_table) {
  expect_numbers<nonlinear_table>();
  expect_numbers<mxfp4_table>();
  expect_numbers<iq2_table>();
  expect_numbers<iq3_xxs_table>();
  expect_numbers<iq3_s_table>();
  expect_numbers<iq1_table>();
  EXPECT(!CodeQuants<nonlinear_table>::negative);
  EXPECT(CodeQuants<iq3_xxs_table>::negative);
}

}  // namespace
}  // namespace realizar
