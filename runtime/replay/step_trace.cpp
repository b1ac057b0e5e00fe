#include <optional>

#include "json.h"
#include "load.h"
#include "output_file.h"

namespace replay {

// The engine's thread writes; what fails is said once it has ended.
struct StepTrace::Impl {
  explicit Impl(const std::string& path) : file(path) {}
  OutputFile file;
  const double start = now_ms();
  std::optional<std::string> failure;

  void write(const std::string& line) {
    if (failure) return;
    try {
      file.write(line.data(), line.size());
    } catch (const Failure& error) {
      failure = error.what();
    }
  }
};

StepTrace::StepTrace(const std::string& path) : impl_(path.empty() ? nullptr : new Impl(path)) {}
StepTrace::~StepTrace() = default;

void StepTrace::watch(realizar_engine_options& options) {
  if (!impl_) return;
  options.on_step = write;
  options.user = impl_.get();
}

void StepTrace::write(void* user, const realizar_step_info* step) {
  auto& impl = *static_cast<Impl*>(user);
  const auto field = [](const char* name, uint64_t value) {
    return std::string(",\"") + name + "\":" + std::to_string(value);
  };
  std::string line = "{\"ms\":" + std::to_string(now_ms() - impl.start) + field("step", step->step) +
                     ",\"program\":" + json_string(step->program) + field("rows", step->n_row) +
                     field("running", step->n_running) + field("waiting", step->n_waiting) +
                     field("free_pages", step->n_free_page) + field("free_window_pages", step->n_free_window_page) +
                     field("preemptions", step->n_preemption) + ",\"runs\":[";
  for (uint32_t i = 0; i < step->n_run; i++) {
    const realizar_step_run& run = step->runs[i];
    line += std::string(i ? "," : "") + "{\"request\":" + std::to_string(run.request) + field("index", run.index) +
            field("position", run.position) + field("rows", run.n_row) +
            ",\"chooses\":" + (run.chooses ? "true}" : "false}");
  }
  impl.write(line + "]}\n");
}

void StepTrace::finish() {
  if (!impl_) return;
  if (impl_->failure) throw Failure(*impl_->failure);
  impl_->file.finish();
}

}  // namespace replay
