// The time of each node of a step, and how much of it is more than reading the node's weights and KV cache at the
// device's read ceiling would take.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "json.h"
#include "replay.h"

namespace replay {
namespace {

constexpr uint32_t default_launches = 50;

// One node, or all that run the same kernel.
struct Row {
  std::string name;
  uint32_t count = 0;
  double seconds = 0, bytes = 0;

  void add(const realizar_node_profile& node) {
    count++;
    seconds += node.seconds;
    bytes += double(node.read_bytes + node.kv_bytes);
  }
};

struct Profile {
  int32_t n_multiprocessor = 0, major = 0, minor = 0;  // of the device
  bool simulated = false;                              // its times are those of a CPU
  std::vector<realizar_node_profile> nodes;
  std::vector<Row> kinds;  // in the order of their first nodes
  Row token;
  double ceiling = 0;  // bytes/s

  double floor_us(double bytes) const { return bytes / ceiling * 1e6; }
  double above_us(const Row& row) const { return row.seconds * 1e6 - floor_us(row.bytes); }
};

std::string kind_of(const realizar_node_profile& node) {
  constexpr std::string_view prefix = "realizar_";
  const std::string_view kernel = node.kernel;
  return std::string(kernel.starts_with(prefix) ? kernel.substr(prefix.size()) : kernel);
}

Profile measure(const Options& options, realizar_model* model, realizar_session* session) {
  require_context(options, of_many_rows(options) ? (options.chunk ? options.chunk : program_info(options).rows) : 1);
  fill_context(options, session);
  Profile result;
  result.simulated = std::string_view(realizar_get_info()->target) == "host";
  const uint32_t launches = options.steps ? options.steps : default_launches;
  const realizar_program_info& program = program_info(options);
  result.nodes.resize(program.n_node);
  if (of_many_rows(options))
    check(realizar_session_profile_rows(session, program.name, any_token(),
                                        options.chunk ? options.chunk : program.rows, launches, result.nodes.data(),
                                        result.nodes.size()));
  else
    check(realizar_session_profile(session, any_token(), launches, result.nodes.data(), result.nodes.size()));
  check(realizar_measure_read_ceiling(model, &result.ceiling));
  check(realizar_model_device_size(model, &result.n_multiprocessor, &result.major, &result.minor));
  result.token.name = "token";
  for (realizar_node_profile& node : result.nodes) {
    // The difference of two times: on a CPU that others use too it is often below nothing.
    if (result.simulated) node.seconds = std::max(0.0, node.seconds);
    const std::string kind = kind_of(node);
    auto found = std::ranges::find(result.kinds, kind, &Row::name);
    if (found == result.kinds.end()) found = result.kinds.insert(found, {.name = kind});
    found->add(node);
    result.token.add(node);
  }
  return result;
}

void print_row(const Profile& profile, const Row& row) {
  const double us = row.seconds * 1e6, above = profile.above_us(row);
  const double share = profile.token.seconds > 0 ? 100 * row.seconds / profile.token.seconds : 0;
  if (profile.simulated) {
    printf("%-20s %5u %10.2f %10.2f %6.1f%%\n", row.name.c_str(), row.count, us / row.count, us, share);
    return;
  }
  printf("%-20s %5u %10.2f %10.2f %6.1f%% %10.2f %10.2f %6.1f%%\n", row.name.c_str(), row.count, us / row.count, us,
         share, profile.floor_us(row.bytes), above, 100 * above / (profile.token.seconds * 1e6));
}

void print_text(const Options& options, const char* device, const Profile& profile) {
  const realizar_info& info = *realizar_get_info();
  printf("%s (%s) on %s, position %u: %.1f us a token, ", printable(info.name).c_str(),
         printable(info.architecture).c_str(), printable(device).c_str(), options.depth, profile.token.seconds * 1e6);
  if (profile.simulated)
    printf("the simulator's: its times mean nothing for a GPU\n%-20s %5s %10s %10s %7s\n", "kind", "count", "us each",
           "us", "share");
  else
    printf("read ceiling %.4g GB/s\n%-20s %5s %10s %10s %7s %10s %10s %7s\n", profile.ceiling / 1e9, "kind", "count",
           "us each", "us", "share", "floor us", "above us", "share");
  for (const Row& row : profile.kinds) print_row(profile, row);
  print_row(profile, profile.token);
  if (!options.verbose) return;
  printf("\nnode\n");
  for (const realizar_node_profile& node : profile.nodes) {
    Row row{.name = node.name};
    row.add(node);
    print_row(profile, row);
  }
}

std::string json_row(const Profile& profile, const Row& row) {
  char numbers[256];
  snprintf(numbers, sizeof numbers, "\"count\":%u,\"us\":%.6g,\"bytes\":%.0f,\"floor_us\":%.6g,\"above_floor_us\":%.6g",
           row.count, row.seconds * 1e6, row.bytes, profile.floor_us(row.bytes), profile.above_us(row));
  return "{\"name\":" + json_string(row.name) + "," + numbers;
}

void print_json(const Options& options, const char* device, const Profile& profile) {
  const realizar_info& info = *realizar_get_info();
  printf(
      "{\"name\":%s,\"target\":%s,\"device\":%s,\"multiprocessors\":%d,\"compute_capability\":\"%d.%d\","
      "\"depth\":%u,\"read_ceiling_gb_per_second\":%.6g,\"token\":%s},",
      json_string(info.name).c_str(), json_string(info.target).c_str(), json_string(device).c_str(),
      profile.n_multiprocessor, profile.major, profile.minor, options.depth, profile.ceiling / 1e9,
      json_row(profile, profile.token).c_str());
  printf("\"kinds\":[");
  for (const Row& row : profile.kinds)
    printf("%s%s}", &row == &profile.kinds[0] ? "" : ",", json_row(profile, row).c_str());
  printf("],\"nodes\":[");
  for (const realizar_node_profile& node : profile.nodes) {
    Row row{.name = node.name};
    row.add(node);
    printf("%s%s,\"kind\":%s}", &node == &profile.nodes[0] ? "" : ",", json_row(profile, row).c_str(),
           json_string(kind_of(node)).c_str());
  }
  printf("]}\n");
}

}  // namespace

void profile(const Options& options, realizar_model* model, realizar_session* session) {
  const Profile measured = measure(options, model, session);
  const char* device = realizar_model_device_name(model);
  (options.json ? print_json : print_text)(options, device, measured);
}

}  // namespace replay
