#include "weights.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "error.h"

namespace realizar {
namespace {

// One thread copies some 10 GB/s out of the page cache; a bus takes 25 to 60.
constexpr unsigned max_readers = 8;

uint64_t divide_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }
uint64_t row_bytes(const Tensor& tensor) { return tensor.file_bytes / tensor.rows; }
uint64_t column_bytes(const Tensor& tensor) { return tensor.file_bytes / tensor.cols; }

// What is read, copied and repacked at a time: bytes of a tensor, whole groups of rows where it is repacked, or whole
// units of columns.
struct Piece {
  const Tensor* tensor;
  uint64_t offset, bytes;
};

uint64_t bytes_per_piece(const Tensor& tensor, uint64_t piece_bytes) {
  if (!tensor.loader) return piece_bytes;
  const uint64_t least = tensor.by_columns ? column_bytes(tensor) * 32 : row_bytes(tensor) * tensor.tiles.rows;
  return std::max<uint64_t>(piece_bytes / least, 1) * least;
}

// In the order of the file, which is how a disk wants to be read.
std::vector<Piece> cut(const Artifact& artifact, uint64_t piece_bytes) {
  std::vector<Piece> pieces;
  for (const Tensor& tensor : artifact.tensors) {
    const uint64_t step = bytes_per_piece(tensor, piece_bytes);
    for (uint64_t at = 0; at < tensor.file_bytes; at += step)
      pieces.push_back({&tensor, at, std::min(step, tensor.file_bytes - at)});
  }
  const auto place = [](const Piece& piece) { return piece.tensor->file_offset + piece.offset; };
  std::ranges::stable_sort(pieces, {}, place);
  return pieces;
}

// A way to the device: a piece is read into the pinned buffer, copied, and repacked out of the staging memory. The next
// one may be read when the copy has ended; the stream keeps it from staging memory that is still being repacked.
struct Lane {
  PinnedMemory buffer;
  DeviceMemory staging;
  OwnedEvent copied;
  uint64_t bytes_on_the_way = 0;
  OwnedStream stream;
};

// Reader threads take pieces in turn. Each has two lanes: while one copies and repacks, it fills the other.
class Upload {
 public:
  Upload(const OpenDevice& device, const Artifact& artifact, const std::vector<Function>& functions,
         const ModelFile& file, uint64_t piece_bytes, DevicePtr weights)
      : device_(device),
        artifact_(artifact),
        functions_(functions),
        file_(file),
        pieces_(cut(artifact, piece_bytes)),
        weights_(weights) {
    for (const auto& [tensor, offset, bytes] : pieces_) {
      buffer_bytes_ = std::max(buffer_bytes_, bytes);
      if (tensor->loader) staging_bytes_ = std::max(staging_bytes_, bytes);
      total_bytes_ += bytes;
    }
    const size_t most = std::min<size_t>(max_readers, std::max(std::thread::hardware_concurrency(), 1u));
    readers_.resize(std::min(most, pieces_.size()));
  }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  // Ends the readers before what they use goes.
  ~Upload() {
    failed_ = true;
    for (Reader& reader : readers_)
      if (reader.thread.joinable()) reader.thread.join();
  }

  // Leaves the phase "repack" open: giving the buffers back belongs to it.
  void run(const Progress& progress) {
    progress.report("weights", 0, total_bytes_);
    running_ = readers_.size();
    for (Reader& reader : readers_) reader.thread = std::thread([this, &reader] { read(reader); });
    for (uint64_t done = 0; done < total_bytes_;) {
      const uint64_t bytes = next_arrival();
      if (bytes == 0) break;  // the readers have ended early: one has failed
      progress.report("weights", done += bytes, total_bytes_);
    }
    progress.report("repack", 0, 1);
    for (Reader& reader : readers_) reader.thread.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  struct Reader {
    Lane lanes[2];
    std::thread thread;
  };

  // Bytes of a piece that has reached the device; 0 when there are no more and no reader runs.
  uint64_t next_arrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !arrived_.empty() || running_ == 0; });
    if (arrived_.empty()) return 0;
    const uint64_t bytes = arrived_.back();
    arrived_.pop_back();
    return bytes;
  }

  void read(Reader& reader) {
    size_t piece = 0;
    try {
      device_.make_current();
      for (unsigned lane = 0; !failed_ && (piece = next_++) < pieces_.size(); lane ^= 1)
        send(pieces_[piece], reader.lanes[lane]);
      for (Lane& lane : reader.lanes) finish(lane);
    } catch (...) {
      fail(piece, std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    running_--;
    changed_.notify_one();
  }

  // Of several failures the first piece's counts: every piece before it has been taken, and is still tried to its end.
  void fail(size_t piece, std::exception_ptr error) {
    failed_ = true;
    const std::lock_guard lock(mutex_);
    if (error_ && failed_piece_ <= piece) return;
    failed_piece_ = piece;
    error_ = std::move(error);
  }

  void send(const Piece& piece, Lane& lane) {
    const Driver& driver = *device_.driver;
    const auto& [tensor, offset, bytes] = piece;
    if (!lane.stream) open(lane);
    wait_copied(lane);
    file_.read(tensor->file_offset + offset, lane.buffer.get(), bytes);
    const bool repacks = tensor->loader;
    const DevicePtr to = repacks ? lane.staging.get() : weights_ + tensor->device_offset + offset;
    check(driver, driver.memcpy_htod_async(to, lane.buffer.get(), bytes, lane.stream.get()), "cuMemcpyHtoDAsync",
          tensor->name.c_str());
    record(device_, lane.copied.get(), lane.stream.get(), tensor->name.c_str());
    lane.bytes_on_the_way = bytes;
    if (repacks) repack(piece, lane);
  }

  void open(Lane& lane) {
    lane.buffer = allocate_pinned(device_, buffer_bytes_, "a buffer for loading weights");
    if (staging_bytes_) lane.staging = allocate(device_, staging_bytes_, "a buffer for repacking weights");
    lane.copied = create_event(device_, event_disable_timing | event_blocking_sync);
    lane.stream = create_stream(device_);
  }

  void wait_copied(Lane& lane) {
    if (lane.bytes_on_the_way == 0) return;
    check(*device_.driver, device_.driver->event_synchronize(lane.copied.get()), "cuEventSynchronize", "the weights");
    const std::lock_guard lock(mutex_);
    arrived_.push_back(std::exchange(lane.bytes_on_the_way, 0));
    changed_.notify_one();
  }

  void finish(Lane& lane) {
    if (!lane.stream) return;
    wait_copied(lane);
    synchronize(device_, lane.stream.get(), "the weights");
  }

  void repack(const Piece& piece, const Lane& lane) {
    const Tensor& tensor = *piece.tensor;
    const bool by_columns = tensor.by_columns;
    RepackArgs args = {.source = lane.staging.get(),
                       .target = weights_ + tensor.device_offset,
                       .first_row = by_columns ? 0 : piece.offset / row_bytes(tensor),
                       .n_rows = by_columns ? tensor.rows : piece.bytes / row_bytes(tensor),
                       .cols = tensor.cols,
                       .rows_per_group = tensor.tiles.rows,
                       .cols_per_chunk = tensor.tiles.cols,
                       .group_stride = tensor.tiles.group_stride,
                       .chunk_stride = tensor.tiles.chunk_stride,
                       .first_col = by_columns ? piece.offset / column_bytes(tensor) : 0,
                       .n_cols = by_columns ? piece.bytes / column_bytes(tensor) : tensor.cols};
    const uint64_t group_rows = divide_up(args.n_rows, tensor.tiles.rows) * tensor.tiles.rows;
    const uint64_t blocks = divide_up(group_rows * divide_up(args.n_cols, 32), repack_threads);
    void* params[] = {&args};
    check(*device_.driver,
          device_.driver->launch_kernel(functions_[kernel_index(artifact_, tensor.loader)], {uint32_t(blocks), 1, 1},
                                        {repack_threads, 1, 1}, 0, lane.stream.get(), params),
          "cuLaunchKernel", format("the repacking of %s", tensor.name.c_str()).c_str());
  }

  const OpenDevice& device_;
  const Artifact& artifact_;
  const std::vector<Function>& functions_;
  const ModelFile& file_;
  const std::vector<Piece> pieces_;
  const DevicePtr weights_;
  uint64_t buffer_bytes_ = 0, staging_bytes_ = 0, total_bytes_ = 0;

  std::atomic<size_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::vector<uint64_t> arrived_;  // pieces, in bytes, that have not been reported
  size_t running_ = 0;
  size_t failed_piece_ = 0;
  std::exception_ptr error_;

  std::vector<Reader> readers_;
};

}  // namespace

DeviceMemory load_weights(const OpenDevice& device, const Artifact& artifact, const std::vector<Function>& functions,
                          const ModelFile& file, Progress progress, uint64_t piece_bytes) {
  DeviceMemory weights;
  progress.phase("memory", [&] { weights = allocate(device, artifact.weights_bytes, "the weights"); });
  Upload(device, artifact, functions, file, piece_bytes, weights.get()).run(progress);
  progress.report("repack", 1, 1);
  return weights;
}

}  // namespace realizar
