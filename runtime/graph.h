// One token's kernels: as a CUDA graph built node by node, or launched one by one. Both use the same resolved
// arguments.
#pragma once
#include <string>
#include <vector>

#include "handles.h"

namespace realizar {

// Start of each region on the device.
struct RegionBases {
  DevicePtr weights, arena, kv_cache, state;
};

// The artifact's nodes with every argument resolved to an address.
struct ResolvedNodes {
  const Driver* driver;
  const Artifact* artifact;
  const Function* functions;         // one an entry of artifact->kernels
  std::vector<DevicePtr> arguments;  // one an entry of artifact->arguments
};
ResolvedNodes resolve_nodes(const Driver& driver, const Artifact& artifact, const Function* functions,
                            const RegionBases& bases);

struct BuiltGraph {
  OwnedGraph graph;
  OwnedGraphExec exec;
};
// Builds, instantiates and uploads the first n_nodes. Throws an Error that names the node; what was made until then is
// destroyed.
BuiltGraph build_graph(const ResolvedNodes& nodes, Stream stream, uint32_t n_nodes);

void launch_nodes(const ResolvedNodes& nodes, Stream stream);

// One line a node:
// 3 blk.0.ffn_gate kernel=projection_2 grid=132,1,1 block=256,1,1 shared=51200 after=[2 programmatic] weights=0x7f...
std::string describe_nodes(const ResolvedNodes& nodes);

}  // namespace realizar
