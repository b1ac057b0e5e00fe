#include "tiny_kernels.h"

#include "tiny_model.h"

namespace tiny {
namespace {

using namespace realizar;

struct EmbedArgs {
  const State* state;
  const float* table;
  float* x;
};
void embed(const EmbedArgs& a) {
  const int c = thread_index();
  if (c < n_cols) a.x[c] = a.table[load_global(&a.state->token) * n_cols + c];
}

struct MixArgs {
  const State* state;
  const float* x;
  float* cache;
  float* mix;
  const uint32_t* pages;
};
void mix(const MixArgs& a) {
  grid_wait();
  const int c = thread_index(), position = load_global(&a.state->position), length = load_global(&a.state->seq_len);
  if (c >= n_cols) return;
  const auto cached = [&](int q) -> float& {
    constexpr int n = int(kv_page_positions);
    return a.cache[(int64_t(load_global(a.pages + q / n)) * n + q % n) * n_cols + c];
  };
  cached(position) = load_global(a.x + c);
  float sum = 0;
  for (int q = 0; q < length; q++) sum += float(q + 1) * cached(q);
  a.mix[c] = sum;
}

struct LogitsArgs {
  const char* weights;
  const float* bias;
  const float* mix;
  float* logits;
  Best* best;  // [n_vocab], as if every token had a block of its own
};
void logits(const LogitsArgs& a) {
  const int row = thread_index();
  float* x = (float*)shared_memory();
  grid_wait();
  for (int c = row; c < n_cols; c += block_threads()) x[c] = load_global(a.mix + c);
  block_sync();
  if (row >= n_vocab) return;
  float sum = a.bias ? NAN : 0.f;  // the plan passes none
  for (int c = 0; c < n_cols; c++) {
    const int chunk = c / int(cols_per_chunk), width = chunk ? n_cols % cols_per_chunk : cols_per_chunk;
    const char* slot = a.weights + row / rows_per_group * group_stride + chunk * chunk_stride;
    sum += ((const float*)slot)[row % rows_per_group * width + c % cols_per_chunk] * x[c];
  }
  a.logits[row] = sum;
  a.best[row] = {sum, row};
}

void repack_f32(const RepackArgs& a) {
  const uint64_t units = (a.cols + 31) / 32, t = uint64_t(block_index()) * repack_threads + thread_index();
  const uint64_t row = t / units, first_col = t % units * 32, group = a.first_row / a.rows_per_group;
  if (row >= (a.n_rows + a.rows_per_group - 1) / a.rows_per_group * a.rows_per_group) return;
  const uint64_t chunk = first_col / a.cols_per_chunk;
  const uint64_t width = std::min(a.cols_per_chunk, a.cols - chunk * a.cols_per_chunk);
  float* slot = (float*)(a.target + (group + row / a.rows_per_group) * a.group_stride + chunk * a.chunk_stride);
  for (uint64_t c = first_col; c < std::min(first_col + 32, a.cols); c++)
    slot[row % a.rows_per_group * width + c % a.cols_per_chunk] =
        row < a.n_rows ? ((const float*)a.source)[row * a.cols + c] : 0.f;
}

void read_ceiling(const ReadCeilingArgs& a) {
  const uint64_t stride = uint64_t(grid_blocks()) * block_threads();
  uint32_t all = 0;
  for (uint64_t i = uint64_t(block_index()) * block_threads() + thread_index(); i < a.n; i += stride) {
    const uint4 word = ((const uint4*)a.data)[i];
    all |= word.x | word.y | word.z | word.w;
  }
  if (all) *(uint32_t*)a.sink = all;
}

template <typename Args, void (*Body)(const Args&)>
void run(void** params) {
  Body(*(const Args*)params[0]);
}

}  // namespace

const HostKernel kernels[] = {
    {"tiny_embed", run<EmbedArgs, embed>, sizeof(EmbedArgs)},
    {"tiny_mix", run<MixArgs, mix>, sizeof(MixArgs)},
    {"tiny_logits", run<LogitsArgs, logits>, sizeof(LogitsArgs)},
    {"tiny_select", run<SelectArgs, select<SelectShape>>, sizeof(SelectArgs)},
    {"tiny_repack_f32", run<RepackArgs, repack_f32>, sizeof(RepackArgs)},
    {"realizar_read_ceiling", run<ReadCeilingArgs, read_ceiling>, sizeof(ReadCeilingArgs)},
    {nullptr, nullptr, 0},
};

}  // namespace tiny
