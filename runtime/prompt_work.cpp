#include "prompt_work.h"

#include <algorithm>

namespace realizar {
namespace {

// Of a step that feeds the tokens from `begin` to `end`.
PromptWork step_work(const Program& program, uint32_t begin, uint32_t end) {
  PromptWork work = {};
  for (const Node& node : program.nodes) {
    double attended = 0;  // positions, of all rows together
    for (uint32_t i = begin; i < end; i++) attended += std::min(i + 1, node.kv_positions);
    work.flops += double(node.row_flops) * (end - begin) + double(node.position_flops) * attended;
    // A row of the step sees as far back as the first one, or not so far.
    const uint32_t seen = std::min<uint64_t>(end, uint64_t(node.kv_positions) + (end - begin) - 1);
    work.bytes += double(node.read_bytes) + (node.kv_positions ? double(node.kv_row_bytes) * seen : 0);
  }
  return work;
}

}  // namespace

PromptWork prompt_work(const Artifact& artifact, uint32_t n_token) {
  PromptWork work = {};
  const auto add = [&](const PromptWork& step) { work.flops += step.flops, work.bytes += step.bytes; };
  for (uint32_t begin = 0; begin + 1 < n_token;) {
    const Program& program = prompt_program(artifact, n_token - 1 - begin);
    const uint32_t end = std::min(begin + program.rows, n_token - 1);
    add(step_work(program, begin, end));
    begin = end;
  }
  if (n_token > 0) add(step_work(token_program(artifact), n_token - 1, n_token));
  return work;
}

}  // namespace realizar
