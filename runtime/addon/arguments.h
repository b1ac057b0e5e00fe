// What the TypeScript beside this has checked and packed, as the C ABI takes it.
#pragma once
#include <napi.h>

#include <vector>

#include "library.h"

namespace addon {

inline std::vector<int32_t> token_list(const Napi::Value& value) {
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

// The four arguments from `first` on, as sampling.ts packs them. The sampling points into the biases.
class PackedSampling {
 public:
  PackedSampling(const Napi::CallbackInfo& info, size_t first, const Library& library)
      : sampling_(library.default_sampling()) {
    const auto numbers = info[first].As<Napi::Float64Array>();
    sampling_.temperature = float(numbers[0]);
    sampling_.top_k = int32_t(numbers[1]);
    sampling_.top_p = float(numbers[2]);
    sampling_.min_p = float(numbers[3]);
    sampling_.repeat_last_n = int32_t(numbers[4]);
    sampling_.repeat_penalty = float(numbers[5]);
    sampling_.presence_penalty = float(numbers[6]);
    sampling_.frequency_penalty = float(numbers[7]);
    bool lossless;
    sampling_.seed = info[first + 1].As<Napi::BigInt>().Uint64Value(&lossless);
    const auto tokens = info[first + 2].As<Napi::Int32Array>();
    const auto values = info[first + 3].As<Napi::Float64Array>();
    for (size_t i = 0; i < tokens.ElementLength(); i++) biases_.push_back({tokens[i], float(values[i])});
  }

  realizar_sampling get() const {
    realizar_sampling sampling = sampling_;
    sampling.logit_bias = biases_.data();
    sampling.n_logit_bias = uint32_t(biases_.size());
    return sampling;
  }

 private:
  realizar_sampling sampling_;
  std::vector<realizar_logit_bias> biases_;
};

}  // namespace addon
