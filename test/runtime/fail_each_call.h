// A body of code, once for each driver call that it makes, with that call failing.
#pragma once
#include <functional>

#include "faulty_driver.h"

namespace test {

// Returns how many those were. body's status may be REALIZAR_OK only if what failed was freeing something.
int fail_each_call(FaultyDriver& driver, const std::function<int()>& body,
                   const std::function<void(int status)>& check_after);

}  // namespace test
