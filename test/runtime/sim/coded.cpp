// What the codes of a table decode to, in each place and beside any others.
#include "../../../runtime/kernels/coded.cuh"

#include "harness.h"

namespace realizar {
namespace {

template <CodeTable Table>
void expect_numbers() {
  using Quants = CodeQuants<Table>;
  uint32_t codes = 1;
  for (int n = 0; n < 1000; n++) {
    codes = codes * 1664525 + 1013904223;
    uint32_t words[2];
    decode_codes<Quants>(codes, words[0], words[1]);
    for (int i = 0; i < 8; i++) {
      const int code = codes >> 4 * i & 15, number = (int8_t)(Table.word[code / 4] >> code % 4 * 8);
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
