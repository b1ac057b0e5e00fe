// Of measurements.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace replay {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// 0 of none.
inline double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / double(values.size());
}

// The least value that so many hundredths of all do not exceed. 0 of none.
inline double percentile(std::vector<double> values, double hundredths) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(hundredths / 100 * double(values.size()));
  return values[size_t(std::max(rank, 1.)) - 1];
}

}  // namespace replay
