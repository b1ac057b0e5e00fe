#include "profile.h"

#include <algorithm>
#include <numeric>

#include "error.h"
#include "read_ceiling.h"

namespace realizar {
namespace {

constexpr const char* subject = "the profile";
constexpr int blocks_per_multiprocessor = 4;

// The interquartile mean: rare interruptions of a launch do not count, and the clock's resolution averages out.
double middle_mean(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t cut = values.size() / 4;
  return std::accumulate(values.begin() + ptrdiff_t(cut), values.end() - ptrdiff_t(cut), 0.0) /
         double(values.size() - 2 * cut);
}

class Stopwatch {
 public:
  Stopwatch(const Model& model, Stream stream, uint32_t n_launch, const std::function<void()>& feed)
      : device_(model.device),
        stream_(stream),
        other_data_(model, stream, 4 * model.device.l2_bytes()),
        feed_(feed),
        laps_(n_launch) {
    for (Lap& lap : laps_) lap = {create_event(device_, event_default), create_event(device_, event_default)};
  }

  // Queues all launches, so that the device has the next one before it has done with the read in front of it.
  double seconds(const std::function<void()>& launch) {
    launch();
    for (const Lap& lap : laps_) {
      other_data_.launch(blocks_per_multiprocessor);
      feed_();
      record(device_, lap.before.get(), stream_, subject);
      launch();
      record(device_, lap.after.get(), stream_, subject);
    }
    std::vector<double> seconds;
    for (const Lap& lap : laps_)
      seconds.push_back(seconds_between(device_, lap.before.get(), lap.after.get(), subject));
    return middle_mean(std::move(seconds));
  }

 private:
  struct Lap {
    OwnedEvent before, after;
  };
  const OpenDevice& device_;
  Stream stream_;
  StreamingRead other_data_;
  const std::function<void()>& feed_;
  std::vector<Lap> laps_;
};

}  // namespace

std::vector<double> time_nodes(const Model& model, const ResolvedProgram& resolved, Stream stream, uint32_t bucket,
                               uint32_t n_launch, const std::function<void()>& feed) {
  const Driver& driver = *model.device.driver;
  feed();
  Stopwatch stopwatch(model, stream, n_launch, feed);
  double before = stopwatch.seconds([] {});
  std::vector<double> result;
  for (uint32_t i = 0; i < resolved.nodes.size(); i++) {
    const BuiltGraph built = build_graph(resolved, stream, bucket, i + 1);
    const double until = stopwatch.seconds([&] {
      const char* name = resolved.program->nodes[i].name.c_str();
      check(driver, driver.graph_launch(built.exec.get(), stream), "cuGraphLaunch",
            format("the nodes up to %s", name).c_str());
    });
    result.push_back(until - before);
    before = until;
  }
  return result;
}

}  // namespace realizar
