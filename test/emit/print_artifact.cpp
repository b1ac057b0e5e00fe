// Prints the tables of the graph.cpp that it is linked with as JSON.
#include <cstdio>

#include "artifact.h"

using namespace realizar;

namespace realizar {
struct HostKernel;
extern const HostKernel host_kernels[];
struct HostKernel {
  int none;
};
const HostKernel host_kernels[] = {{0}};
extern "C" const unsigned char realizar_code[] = {0};
extern "C" const unsigned char realizar_code_end[] = {0};
}  // namespace realizar

static unsigned long long number(uint64_t value) { return value; }

template <class T, class Print>
static void list(const char* name, const T& items, Print print) {
  printf("\"%s\":[", name);
  bool first = true;
  for (const auto& item : items) {
    if (!first) printf(",");
    first = false;
    print(item);
  }
  printf("]");
}
static void quoted(const char* text) { printf("\"%s\"", text); }

static void print(const Argument& argument) {
  static const char* const regions[] = {"arena", "kv_cache", "kv_window", "state", "slots"};
  if (argument.tensor.empty())
    printf("[\"%s\",\"%s\",%llu]", argument.field, regions[int(argument.place.region)], number(argument.place.offset));
  else
    printf("[\"%s\",\"%s\"]", argument.field, argument.tensor.c_str());
}
static void print(const Node& node) {
  printf("{\"name\":\"%s\",\"kernel\":\"%s\",\"readBytes\":%llu,\"kvRowBytes\":%llu,\"kvPositions\":%u,",
         node.name.c_str(), node.kernel, number(node.read_bytes), number(node.kv_row_bytes), node.kv_positions);
  printf("\"rowFlops\":%llu,\"positionFlops\":%llu,", number(node.row_flops), number(node.position_flops));
  list("bucketKernels", node.bucket_kernels, quoted);
  printf(",");
  list("after", node.after,
       [](const Edge& edge) { printf("[%u,%s]", edge.back, edge.programmatic ? "true" : "false"); });
  printf(",");
  list("args", node.arguments, [](const Argument& argument) { print(argument); });
  printf("}");
}
static void print(const Tensor& t) {
  printf("{\"name\":\"%s\",\"fileOffset\":%llu,\"fileBytes\":%llu,\"rows\":%llu,\"cols\":%llu,\"deviceOffset\":%llu,",
         t.name.c_str(), number(t.file_offset), number(t.file_bytes), number(t.rows), number(t.cols),
         number(t.device_offset));
  printf("\"loader\":\"%s\",\"tiles\":[%u,%u,%llu,%llu],\"byColumns\":%s}", t.loader ? t.loader : "", t.tiles.rows,
         t.tiles.cols, number(t.tiles.group_stride), number(t.tiles.chunk_stride), t.by_columns ? "true" : "false");
}

int main() {
  printf("{");
  list("kernels", artifact.kernels, [](const Kernel& kernel) {
    printf("{\"symbol\":\"%s\",\"launch\":[%u,%u,%u],", kernel.symbol, kernel.blocks, kernel.threads,
           kernel.shared_bytes);
    list("fields", kernel.fields, quoted);
    printf("}");
  });
  printf(",");
  list("programs", artifact.programs, [](const Program& program) {
    printf("{\"name\":\"%s\",\"rows\":%u,\"outputs\":%u,", program.name, program.rows, program.outputs);
    list("buckets", program.buckets, [](uint32_t positions) { printf("%u", positions); });
    printf(",");
    list("nodes", program.nodes, [](const Node& node) { print(node); });
    printf("}");
  });
  printf(",");
  list("tensors", artifact.tensors, [](const Tensor& tensor) { print(tensor); });
  printf("}\n");
}
