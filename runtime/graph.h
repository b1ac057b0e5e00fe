// A program's kernels: as a CUDA graph built node by node, or launched one by one. Both use the same resolved
// arguments.
#pragma once
#include <string>
#include <vector>

#include "artifact.h"
#include "handles.h"

namespace realizar {

// Start of each region on the device.
struct RegionBases {
  DevicePtr weights, arena = 0, kv_cache = 0, kv_window = 0, state = 0, slots = 0;
};

// A node's argument struct with addresses on this device, and its kernel in each bucket, the one beyond the last
// included.
struct ResolvedNode {
  std::vector<DevicePtr> arguments;  // one a field; null where the node names none
  std::vector<uint32_t> kernels;     // into artifact->kernels
};
struct ResolvedProgram {
  const Driver* driver;
  const Artifact* artifact;
  const Program* program;
  const Function* functions;  // one an entry of artifact->kernels
  std::vector<ResolvedNode> nodes;
};
ResolvedProgram resolve_program(const Driver& driver, const Artifact& artifact, const Program& program,
                                const Function* functions, const RegionBases& bases);

// The bucket of a step that attends to seq_len positions.
uint32_t bucket_of(const Program& program, uint32_t seq_len);

struct BuiltGraph {
  OwnedGraph graph;
  OwnedGraphExec exec;
};
// Builds, instantiates and uploads a bucket's first n_nodes. Throws an Error that names the node; what was made until
// then is destroyed.
BuiltGraph build_graph(const ResolvedProgram& resolved, Stream stream, uint32_t bucket, uint32_t n_nodes);

void launch_nodes(const ResolvedProgram& resolved, Stream stream, uint32_t bucket);

// One line a node, then one for each that a bucket launches otherwise, which ends with "positions<=128":
// 3 blk.0.ffn_gate kernel=projection_2 grid=132,1,1 block=256,1,1 shared=51200 after=[2 programmatic] weights=0x7f...
std::string describe_nodes(const ResolvedProgram& resolved);

}  // namespace realizar
