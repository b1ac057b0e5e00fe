// Events as JavaScript gets them: all of a batch in few arrays.
#pragma once
#include <napi.h>

#include <vector>

#include "engine.h"

namespace addon {

// Arguments of on_events.
std::vector<napi_value> event_arguments(Napi::Env env, const EventBatch& batch, const Library& library);

}  // namespace addon
