#include "weights.h"

#include <algorithm>

#include "error.h"

namespace realizar {
namespace {

uint64_t divide_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }
uint64_t row_bytes(const Tensor& tensor) { return tensor.file_bytes / tensor.rows; }

// Whole groups of a repacked tensor, at least one.
uint64_t rows_per_piece(const Tensor& tensor, uint64_t piece_bytes) {
  const uint64_t group_rows = std::min<uint64_t>(tensor.rows_per_group, tensor.rows);
  const uint64_t groups = std::max<uint64_t>(piece_bytes / (row_bytes(tensor) * group_rows), 1);
  return std::min(groups * tensor.rows_per_group, tensor.rows);
}

uint64_t largest_piece(const Artifact& artifact, uint64_t piece_bytes, bool repacked_only) {
  uint64_t largest = 0;
  for (uint32_t i = 0; i < artifact.n_tensors; i++) {
    const Tensor& tensor = artifact.tensors[i];
    if (tensor.repack_kernel != no_repack)
      largest = std::max(largest, rows_per_piece(tensor, piece_bytes) * row_bytes(tensor));
    else if (!repacked_only)
      largest = std::max(largest, std::min(tensor.file_bytes, piece_bytes));
  }
  return largest;
}

// Two pinned buffers take turns: while the device copies out of one, the other is filled from the file.
class Uploader {
 public:
  Uploader(const OpenDevice& device, const Artifact& artifact, const std::vector<Function>& functions,
           const ModelFile& file, Progress progress, uint64_t piece_bytes)
      : device_(device),
        artifact_(artifact),
        functions_(functions),
        file_(file),
        progress_(progress),
        piece_bytes_(piece_bytes) {
    weights_ = allocate(device, artifact.weights_bytes, "the weights");
    const uint64_t pinned = largest_piece(artifact, piece_bytes, false);
    for (Buffer& buffer : buffers_) {
      buffer.memory = allocate_pinned(device, pinned, "a buffer for loading weights");
      buffer.copied = create_event(device, event_disable_timing);
    }
    if (const uint64_t staging = largest_piece(artifact, piece_bytes, true))
      staging_ = allocate(device, staging, "a buffer for repacking weights");
    stream_ = create_stream(device);
    for (uint32_t i = 0; i < artifact.n_tensors; i++) total_ += artifact.tensors[i].file_bytes;
  }

  DeviceMemory run() {
    report(0);
    for (uint32_t i = 0; i < artifact_.n_tensors; i++) {
      const Tensor& tensor = artifact_.tensors[i];
      if (tensor.repack_kernel == no_repack)
        copy_as_is(tensor);
      else
        copy_and_repack(tensor);
    }
    synchronize(device_, stream_.get(), "the weights");
    return std::move(weights_);
  }

 private:
  struct Buffer {
    PinnedMemory memory;
    OwnedEvent copied;
    bool in_flight = false;
  };

  void copy_as_is(const Tensor& tensor) {
    for (uint64_t at = 0; at < tensor.file_bytes; at += piece_bytes_) {
      const uint64_t bytes = std::min(piece_bytes_, tensor.file_bytes - at);
      upload(tensor, at, bytes, weights_.get() + tensor.device_offset + at);
    }
  }

  void copy_and_repack(const Tensor& tensor) {
    const uint64_t piece_rows = rows_per_piece(tensor, piece_bytes_);
    for (uint64_t row = 0; row < tensor.rows; row += piece_rows) {
      const uint64_t rows = std::min(piece_rows, tensor.rows - row);
      upload(tensor, row * row_bytes(tensor), rows * row_bytes(tensor), staging_.get());
      repack(tensor, row, rows);
    }
  }

  void upload(const Tensor& tensor, uint64_t at, uint64_t bytes, DevicePtr to) {
    const Driver& driver = *device_.driver;
    Buffer& buffer = buffers_[next_++ % 2];
    if (buffer.in_flight)
      check(driver, driver.event_synchronize(buffer.copied.get()), "cuEventSynchronize", tensor.name);
    file_.read(tensor.file_offset + at, buffer.memory.get(), bytes);
    check(driver, driver.memcpy_htod_async(to, buffer.memory.get(), bytes, stream_.get()), "cuMemcpyHtoDAsync",
          tensor.name);
    buffer.in_flight = true;
    check(driver, driver.event_record(buffer.copied.get(), stream_.get()), "cuEventRecord", tensor.name);
    report(bytes);
  }

  void repack(const Tensor& tensor, uint64_t first_row, uint64_t n_rows) {
    RepackArgs args = {.source = staging_.get(),
                       .target = weights_.get() + tensor.device_offset,
                       .first_row = first_row,
                       .n_rows = n_rows,
                       .cols = tensor.cols,
                       .rows_per_group = tensor.rows_per_group,
                       .cols_per_chunk = tensor.cols_per_chunk,
                       .group_stride = tensor.group_stride,
                       .chunk_stride = tensor.chunk_stride};
    const uint64_t group_rows = divide_up(n_rows, tensor.rows_per_group) * tensor.rows_per_group;
    const uint64_t blocks = divide_up(group_rows * divide_up(tensor.cols, 32), repack_threads);
    void* params[] = {&args};
    check(*device_.driver,
          device_.driver->launch_kernel(functions_[tensor.repack_kernel], {uint32_t(blocks), 1, 1},
                                        {repack_threads, 1, 1}, 0, stream_.get(), params),
          "cuLaunchKernel", format("the repacking of %s", tensor.name).c_str());
  }

  void report(uint64_t bytes) {
    done_ += bytes;
    if (progress_.call) progress_.call(progress_.user, "weights", done_, total_);
  }

  const OpenDevice& device_;
  const Artifact& artifact_;
  const std::vector<Function>& functions_;
  const ModelFile& file_;
  Progress progress_;
  uint64_t piece_bytes_, done_ = 0, total_ = 0;
  unsigned next_ = 0;
  DeviceMemory weights_, staging_;
  Buffer buffers_[2];
  OwnedStream stream_;
};

}  // namespace

DeviceMemory load_weights(const OpenDevice& device, const Artifact& artifact, const std::vector<Function>& functions,
                          const ModelFile& file, Progress progress, uint64_t piece_bytes) {
  return Uploader(device, artifact, functions, file, progress, piece_bytes).run();
}

}  // namespace realizar
