// How long each node of a token's graph takes, without changing any of them.
#pragma once
#include <functional>
#include <vector>

#include "graph.h"
#include "model.h"

namespace realizar {

// Seconds of each node in a bucket: what the graph of the first i + 1 nodes takes more than that of the first i, each
// launched n_launch times; the first node has the launch itself. They add up to what the whole graph takes. Between
// launches the caches are filled with other data, as they are when the next token is computed. `feed` queues the state
// of the same step before each launch, which the last node moves on.
std::vector<double> time_nodes(const Model& model, const ResolvedProgram& program, Stream stream, uint32_t bucket,
                               uint32_t n_launch, const std::function<void()>& feed);

}  // namespace realizar
