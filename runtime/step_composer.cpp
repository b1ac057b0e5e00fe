#include "step_composer.h"

#include <algorithm>

namespace realizar {
namespace {

// Where the parts of a step are, each with room for the largest program's.
struct Step {
  explicit Step(void* at)
      : header(*static_cast<StepHeader*>(at)),
        rows(reinterpret_cast<Row*>(&header + 1)),
        tiles(reinterpret_cast<Tile*>(rows + artifact.max_rows)),
        output_rows(reinterpret_cast<int32_t*>(tiles + artifact.max_rows)) {}
  StepHeader& header;
  Row* rows;
  Tile* tiles;
  int32_t* output_rows;
};

int32_t position_after(int32_t position, uint32_t n) {
  return position == take_slots ? take_slots : position + int32_t(n);
}

void add_rows(const Step& step, const Run& run) {
  const uint32_t n = run.n_row();
  for (uint32_t i = 0; i < n; i++)
    step.rows[step.header.n_rows + int32_t(i)] = {.token = run.tokens.empty() ? take_slots : run.tokens[i],
                                                  .position = position_after(run.position, i),
                                                  .slot = int32_t(run.slot),
                                                  .chooses = run.chooses && i == n - 1};
  for (uint32_t i = 0; i < run.n_output; i++)
    step.output_rows[step.header.n_outputs++] = step.header.n_rows + int32_t(run.first_output + i);
}

void add_tiles(const Step& step, const Run& run, uint32_t tile_rows) {
  for (uint32_t i = 0; i < run.n_row(); i += tile_rows)
    step.tiles[step.header.n_tiles++] = {.row = step.header.n_rows + int32_t(i),
                                         .n_rows = int32_t(std::min(tile_rows, run.n_row() - i)),
                                         .position = position_after(run.position, i),
                                         .slot = int32_t(run.slot)};
}

// By how many positions a tile looks at, the most first.
void sort_tiles(const Step& step, std::span<const Run> runs) {
  const auto seen = [&](const Tile& tile) {
    if (tile.position != take_slots) return tile.position + tile.n_rows;
    return int32_t(std::ranges::find(runs, uint32_t(tile.slot), &Run::slot)->n_seen);
  };
  std::stable_sort(step.tiles, step.tiles + step.header.n_tiles,
                   [&](const Tile& a, const Tile& b) { return seen(a) > seen(b); });
}

}  // namespace

void compose_step(const Program& program, std::span<const Run> runs, void* to) {
  const Step step(to);
  step.header = {};
  for (const Run& run : runs) {
    add_tiles(step, run, program.tile_rows);
    add_rows(step, run);
    step.header.n_rows += int32_t(run.n_row());
  }
  sort_tiles(step, runs);
}

}  // namespace realizar
