#include "faulty_driver.h"

#include <algorithm>
#include <mutex>
#include <set>

namespace test {

thread_local int in_driver = 0;

namespace {

using realizar::Driver;
using realizar::Result;

const Driver* real = nullptr;
std::mutex mutex;  // of what follows: weights are loaded by several threads, and engines have their own
std::vector<std::string> made;
std::string failed_call;
int fail_at = -1;
Result fail_with = invalid_value;

// A driver that reports a failure to free has still freed, or the test could not tell a leak.
const std::set<std::string> releases = {
    "mem_free",      "mem_free_host", "stream_destroy",     "event_destroy",
    "module_unload", "graph_destroy", "graph_exec_destroy", "device_primary_ctx_release"};

// Notes the call; is it the one that fails?
bool counted(const char* name) {
  const std::lock_guard lock(mutex);
  const bool fails = int(made.size()) == fail_at;
  made.push_back(name);
  if (fails) failed_call = name;
  return fails;
}

template <auto Entry>
struct Wrap;
template <typename... Args, Result (*Driver::*Entry)(Args...)>
struct Wrap<Entry> {
  static inline const char* name;
  static Result call(Args... args) {
    in_driver++;
    const bool fails = counted(name);
    const Result real_result = fails && !releases.count(name) ? fail_with : (real->*Entry)(args...);
    in_driver--;
    return fails ? fail_with : real_result;
  }
};

Driver wrapped() {
  Driver table = {};
#define WRAP(entry) Wrap<& Driver::entry>::name = #entry, table.entry = Wrap<&Driver::entry>::call
  WRAP(init), WRAP(driver_get_version), WRAP(device_get_count), WRAP(device_get), WRAP(device_get_name);
  WRAP(device_get_attribute), WRAP(device_primary_ctx_retain), WRAP(device_primary_ctx_release), WRAP(ctx_set_current);
  WRAP(mem_get_info), WRAP(mem_alloc), WRAP(mem_free), WRAP(mem_alloc_host), WRAP(mem_free_host);
  WRAP(memcpy_htod_async), WRAP(memcpy_dtoh_async), WRAP(memcpy_dtod_async), WRAP(memset_d8_async), WRAP(stream_create),
      WRAP(stream_destroy);
  WRAP(stream_synchronize), WRAP(stream_query), WRAP(event_create), WRAP(event_destroy), WRAP(event_record),
      WRAP(event_synchronize);
  WRAP(event_elapsed_time), WRAP(module_load_data), WRAP(module_unload), WRAP(module_get_function);
  WRAP(func_set_max_dynamic_shared), WRAP(launch_kernel), WRAP(graph_create), WRAP(graph_destroy);
  WRAP(graph_add_kernel_node), WRAP(graph_add_dependency), WRAP(graph_instantiate), WRAP(graph_exec_destroy);
  WRAP(graph_upload), WRAP(graph_launch);
#undef WRAP
  table.get_error_name = real->get_error_name;
  table.get_error_string = real->get_error_string;
  return table;
}

}  // namespace

FaultyDriver::FaultyDriver() {
  real = realizar::load_driver().driver;
  static const Driver table = wrapped();
  arm(-1);
  realizar::set_driver_for_test(&table);
}

FaultyDriver::~FaultyDriver() {
  arm(-1);
  realizar::set_driver_for_test(nullptr);
}

void FaultyDriver::arm(int n, Result result) {
  const std::lock_guard lock(mutex);
  made.clear();
  failed_call.clear();
  fail_at = n;
  fail_with = result;
}

const std::vector<std::string>& FaultyDriver::calls() const { return made; }
int FaultyDriver::count(const std::string& call) const { return int(std::count(made.begin(), made.end(), call)); }
std::string FaultyDriver::failed() const {
  const std::lock_guard lock(mutex);
  return failed_call;
}

}  // namespace test
