// Heads of queries and keys as attention wants them, in float64.
#pragma once
#include <cmath>
#include <vector>

namespace realizar::test {

// norm and rope of the head at `from`, of `of` elements that start at `first` if the norm is joint.
template <class C, class Norm>
std::vector<double> rotated(const std::vector<float>& qkv, size_t from, size_t first, size_t heads,
                            const float* weights, const std::vector<float>& factors, int position) {
  using Rope = typename C::rope;
  std::vector<double> x(qkv.begin() + from, qkv.begin() + from + C::head_size);
  if (Norm::any) {
    const size_t begin = Norm::joint ? first : from, size = Norm::joint ? heads * C::head_size : C::head_size;
    double squares = 0;
    for (size_t i = begin; i < begin + size; i++) squares += double(qkv[i]) * qkv[i];
    for (size_t d = 0; d < x.size(); d++)
      x[d] *= weights[d + (Norm::joint ? from - first : 0)] / std::sqrt(squares / double(size) + C::epsilon);
  }
  for (int pair = 0; pair < Rope::dims / 2; pair++) {
    const double angle = position * double(Rope::inverse_frequency(pair)) / (Rope::factors ? factors[pair] : 1.f);
    const double c = std::cos(angle) * Rope::magnitude, s = std::sin(angle) * Rope::magnitude;
    double &a = x[2 * pair], &b = x[2 * pair + 1];
    const double first_of_pair = a * c - b * s;
    b = a * s + b * c, a = first_of_pair;
  }
  return x;
}

}  // namespace realizar::test
