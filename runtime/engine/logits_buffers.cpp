#include "logits_buffers.h"

#include <algorithm>

namespace realizar {

LogitsBuffer LogitsBuffers::take(uint32_t rows) {
  const auto at = std::ranges::find_if(spare_, [&](const LogitsBuffer& buffer) { return buffer.rows >= rows; });
  if (at == spare_.end())
    return {allocate_pinned(device_, uint64_t(rows) * artifact.n_vocab * sizeof(float), "rows of logits"), rows};
  LogitsBuffer buffer = std::move(*at);
  spare_.erase(at);
  return buffer;
}

void LogitsBuffers::give_back(LogitsBuffer buffer) {
  if (buffer.rows > 0) spare_.push_back(std::move(buffer));
}

}  // namespace realizar
