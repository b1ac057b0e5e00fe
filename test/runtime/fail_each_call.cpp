#include "fail_each_call.h"

#include <set>

#include "../../runtime/realizar.h"
#include "check.h"

namespace test {

int fail_each_call(FaultyDriver& driver, const std::function<int()>& body,
                   const std::function<void(int status)>& check_after) {
  static const std::set<std::string> frees = {"mem_free", "mem_free_host", "stream_destroy", "event_destroy"};
  for (int n = 0;; n++) {
    driver.arm(n);
    const int status = body();
    const std::string failed = driver.failed();
    const size_t next = size_t(n) + 1;  // owners of a stream wait for it just before they destroy it
    const bool freeing_stream =
        failed == "stream_synchronize" && next < driver.calls().size() && driver.calls()[next] == "stream_destroy";
    driver.arm(-1);
    if (failed.empty()) {
      CHECK_EQUAL(status, int(REALIZAR_OK));
      return n;
    }
    if (!frees.count(failed) && !freeing_stream) {
      CHECK_EQUAL(failed + " " + realizar_status_name(status), failed + " REALIZAR_DRIVER");
      CHECK_HAS(realizar_last_error(), "failed for ");
      CHECK_HAS(realizar_last_error(), ": CUDA_ERROR_INVALID_VALUE, ");
    }
    check_after(status);
  }
}

}  // namespace test
