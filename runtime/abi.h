// What functions of the C ABI share: exceptions become a status and the thread's last error, arguments are checked.
#pragma once
#include <new>

#include "error.h"
#include "handle_table.h"
#include "model.h"

namespace realizar {

inline int report(realizar_status status, const char* text) noexcept {
  set_last_error(text);
  return status;
}

template <typename Body>
int guarded(Body&& body) noexcept {
  try {
    body();
    return REALIZAR_OK;
  } catch (const Error& error) {
    return report(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return report(REALIZAR_OUT_OF_MEMORY, "out of host memory");
  } catch (const std::exception& error) {
    return report(REALIZAR_DRIVER, error.what());
  } catch (...) {
    return report(REALIZAR_DRIVER, "an exception of unknown type reached the C ABI");
  }
}

template <typename T>
T& not_null(T* pointer, const char* name) {
  if (!pointer) throw Error(REALIZAR_INVALID_ARGUMENT, format("%s is null", name));
  return *pointer;
}

template <typename Struct>
void check_struct_size(const Struct& given, const char* name) {
  if (given.struct_size != sizeof given)
    throw Error(REALIZAR_INVALID_ARGUMENT,
                format("%s.struct_size is %u, not %zu: the caller was built with another realizar.h", name,
                       given.struct_size, sizeof given));
}

// Sessions and engines share ownership of the model, so that it may be closed before them. No such table is ever
// destroyed: a process may exit while another thread is in a call.
HandleTable<realizar_model, const Model>& models();

}  // namespace realizar
