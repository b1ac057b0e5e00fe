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

// How a node is launched in a bucket.
struct NodeLaunch {
  uint32_t kernel;
  Dim3 grid, block;
  uint32_t shared_bytes;
};

// The artifact's nodes with every argument resolved to an address.
struct ResolvedNodes {
  const Driver* driver;
  const Artifact* artifact;
  const Function* functions;                      // one an entry of artifact->kernels
  std::vector<DevicePtr> arguments;               // one an entry of artifact->arguments
  std::vector<std::vector<NodeLaunch>> launches;  // by bucket, the one beyond the last included, and node
};
ResolvedNodes resolve_nodes(const Driver& driver, const Artifact& artifact, const Function* functions,
                            const RegionBases& bases);

// The bucket of a step that attends to seq_len positions.
uint32_t bucket_of(const Artifact& artifact, uint32_t seq_len);

struct BuiltGraph {
  OwnedGraph graph;
  OwnedGraphExec exec;
};
// Builds, instantiates and uploads a bucket's first n_nodes. Throws an Error that names the node; what was made until
// then is destroyed.
BuiltGraph build_graph(const ResolvedNodes& nodes, Stream stream, uint32_t bucket, uint32_t n_nodes);

void launch_nodes(const ResolvedNodes& nodes, Stream stream, uint32_t bucket);

// One line a node, then one for each that a bucket launches otherwise, which ends with "positions<=128":
// 3 blk.0.ffn_gate kernel=projection_2 grid=132,1,1 block=256,1,1 shared=51200 after=[2 programmatic] weights=0x7f...
std::string describe_nodes(const ResolvedNodes& nodes);

}  // namespace realizar
